//! gdl-text: tokens that are runs of bytes, bytes that spell characters, tokenizers from elsewhere, and writing with them.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::Device;
use gdl_text::sampling::Vocabulary;
use gdl_text::{
    BeamConfig, Cell, Corpus, GenerateConfig, Length, Level, ModelConfig, SamplingConfig, TextModel,
    Tokenizer, TokenizerConfig, TrainConfig, Trainer,
};
use gdl_train::OnExisting;
use std::ops::ControlFlow::Continue;

const CPU: Device = Device::Cpu;
const UNSEEN: &str = "naïve 東京 🦊🏳️‍🌈 tabs\tand\r\nline  ends\n\n  \u{feff}é ";

fn learnt(level: Level, max_vocab: usize) -> Tokenizer {
    let config = TokenizerConfig::new(level).max_vocab(Some(max_vocab));
    Tokenizer::train(gdl_text::builtin::FABLES, &config).unwrap()
}

#[test]
fn runs_of_bytes_give_every_text_back() {
    for level in [Level::Bpe, Level::Unigram] {
        let tokenizer = learnt(level, 600);
        assert!((500..=600).contains(&tokenizer.vocab_size()), "{level}: {}", tokenizer.vocab_size());
        assert_eq!(tokenizer.unknown(), None);
        let long = "a heron ".repeat(20_000); // longer than what is encoded in one piece
        for text in [UNSEEN, gdl_text::builtin::FABLES, &long, ""] {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{level}");
            let mut stream = tokenizer.stream();
            let pieces: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
            assert_eq!(pieces, text);
        }
        let ids = tokenizer.encode(gdl_text::builtin::FABLES).unwrap();
        assert!(ids.len() * 2 < gdl_text::builtin::FABLES.len(), "{level}: {} tokens", ids.len());
        // Half a character is nothing yet, and nothing at all where it does not go on.
        let fox = tokenizer.encode("🦊").unwrap();
        assert_eq!(fox.len(), 4);
        assert_eq!(tokenizer.decode(&[fox[0], fox[1], tokenizer.encode("a").unwrap()[0]]).unwrap(), "a");
    }
    assert!(learnt(Level::Bpe, 600).to_json().unwrap() == learnt(Level::Bpe, 600).to_json().unwrap());
    assert!(Tokenizer::train("ab", &TokenizerConfig::new(Level::Bpe).max_vocab(Some(256))).is_err());
}

#[test]
fn a_saved_tokenizer_is_one_from_elsewhere_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokenizer.json");
    for level in [Level::Bpe, Level::Unigram] {
        let tokenizer = learnt(level, 400);
        tokenizer.save(&path).unwrap();
        let same = Tokenizer::load(&path, tokenizer.config()).unwrap();
        let custom = Tokenizer::load(&path, &TokenizerConfig::new(Level::Custom)).unwrap();
        let ids = tokenizer.encode(UNSEEN).unwrap();
        for other in [&same, &custom] {
            assert_eq!(other.encode(UNSEEN).unwrap(), ids);
            assert_eq!(other.decode(&ids).unwrap(), UNSEEN);
        }
        let error = Tokenizer::load(&path, &TokenizerConfig::new(Level::Word)).unwrap_err().to_string();
        assert!(error.contains("expected a tokenizer of level word"), "{error}");
    }
    std::fs::write(&path, "{}").unwrap();
    let error = Tokenizer::load(&path, &TokenizerConfig::new(Level::Custom)).unwrap_err().to_string();
    assert!(error.contains("no usable tokenizer"), "{error}");
}

/// As SentencePiece's are saved: spaces as `▁`, bytes for what the vocabulary does not have, signs that are not text.
const SENTENCEPIECE: &str = r#"{
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [
    {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
  ],
  "normalizer": null,
  "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false},
  "post_processor": null,
  "decoder": {"type": "Sequence", "decoders": [
    {"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}]},
  "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab":
    [["<unk>", 0.0], ["</s>", 0.0], ["▁the", -1.0], ["▁fox", -1.5], ["▁", -3.0], ["x", -4.0],
     ["<0xC3>", -9.0], ["<0xA9>", -9.0]]}
}"#;

#[test]
fn a_sentencepiece_vocabulary_prints_as_its_decoder_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokenizer.json");
    std::fs::write(&path, SENTENCEPIECE).unwrap();
    let tokenizer = Tokenizer::load(&path, &TokenizerConfig::new(Level::Custom)).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.unknown()), (8, Some(0)));
    let ids = tokenizer.encode("the fox the xé").unwrap();
    assert_eq!(ids, [2, 3, 2, 4, 5, 6, 7]);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "the fox the xé");
    assert_eq!(tokenizer.decode(&[2, 1, 3]).unwrap(), "the fox", "signs for programs are not shown");
    assert_eq!(tokenizer.text(3).as_deref(), Some(" fox"), "as it is named in a bias");
}

#[test]
fn bytes_spell_what_the_characters_lack() {
    let config = TokenizerConfig::new(Level::Char).byte_fallback(true);
    let tokenizer = Tokenizer::train("abc é", &config).unwrap();
    assert_eq!(tokenizer.vocab_size(), 1 + 5 + 256);
    let ids = tokenizer.encode("aéz🦊").unwrap();
    assert_eq!(ids.len(), 1 + 1 + 1 + 4);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "aéz🦊");
    assert!(tokenizer.unseen_chars("z🦊").is_empty());
    let dir = tempfile::tempdir().unwrap();
    tokenizer.save(dir.path().join("t.json")).unwrap();
    let custom = Tokenizer::load(dir.path().join("t.json"), &TokenizerConfig::new(Level::Custom)).unwrap();
    assert_eq!(custom.encode("aéz🦊").unwrap(), ids, "what tokenizers itself makes of it");
    assert_eq!(custom.decode(&ids).unwrap(), "aéz🦊");
    let words = TokenizerConfig::new(Level::Word).byte_fallback(true);
    assert!(Tokenizer::train("a b", &words).unwrap_err().to_string().contains("byte fallback"));
}

#[test]
fn the_most_frequent_tokens_are_kept() {
    let words = TokenizerConfig::new(Level::Word).min_count(1).max_vocab(Some(3));
    let tokenizer = Tokenizer::train("a b c b c c d", &words).unwrap();
    assert_eq!(tokenizer.vocab_size(), 3);
    assert_eq!(tokenizer.encode("a b c d").unwrap(), [0, 2, 1, 0]);
    let chars = TokenizerConfig::new(Level::Char).max_vocab(Some(3));
    let tokenizer = Tokenizer::train("zzyxxx", &chars).unwrap();
    assert_eq!(tokenizer.encode("xyz").unwrap(), [1, 0, 2], "by code point");
}

#[test]
fn models_of_bytes_write_whole_characters() {
    let text = "süße Füchsin, 東京 🦊 naïve größe. ".repeat(60);
    let dir = tempfile::tempdir().unwrap();
    let tokenizers = [
        TokenizerConfig::new(Level::Bpe).max_vocab(Some(280)),
        TokenizerConfig::new(Level::Char).byte_fallback(true).min_count(61),
    ];
    for (i, tokenizer) in tokenizers.into_iter().enumerate() {
        let config = TrainConfig {
            tokenizer,
            model: ModelConfig::new(Cell::Gru, 16, 1),
            batch: 4,
            seq: 16,
            length: Length::Steps(2), // Untrained, it would print half characters more often than not.
            ..TrainConfig::default()
        };
        let mut trainer =
            Trainer::new(&Corpus::from_text("text", text.as_str()).unwrap(), config, &CPU).unwrap();
        let run = trainer.create_run(dir.path().join(i.to_string()), OnExisting::Refuse).unwrap();
        trainer.run(Some(&run), |_| Continue(())).unwrap();
        let model = TextModel::load(run.path(), &CPU).unwrap();
        let config = GenerateConfig {
            prompt: "süß".into(),
            length: 60,
            sampling: SamplingConfig::new(1.5),
            ..GenerateConfig::default()
        };
        let mut pieces = String::new();
        let written = model.generate(&config, |piece| {
            assert!(!piece.contains('\u{fffd}'));
            pieces.push_str(piece);
            Continue(())
        });
        assert_eq!(written.unwrap(), pieces);
        let writer = model.writer(&config).unwrap();
        writer
            .samples(0..8, 8, |sample| {
                // Every byte that was drawn is in the text: none was half a character.
                let ids = model.tokenizer().encode(&sample.text).unwrap();
                assert_eq!(model.tokenizer().decode(&ids).unwrap(), sample.text);
                assert_eq!(sample.tokens, 60);
                Continue(())
            })
            .unwrap();
        let beams = writer.beams(&BeamConfig { beams: 3, n_best: 2, ..BeamConfig::default() }).unwrap();
        assert!(beams.iter().all(|beam| !beam.text.contains('\u{fffd}')));
    }
}
