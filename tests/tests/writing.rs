//! Writing with a language model: samples side by side, beam search, saved prompts, patterns, stop texts, texts chosen by hand, and what
//! is copied.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_text::sampling::{LengthPenalty, log_prob};
use gdl_text::{
    BeamConfig, Cell, Corpus, Error, GenerateConfig, Level, ModelConfig, Sample, SamplingConfig, TextModel,
    TokenizerConfig, TrainConfig, Trainer, Writer,
};
use gdl_train::OnExisting;
use std::ops::ControlFlow::{Break, Continue};

const CPU: Device = Device::Cpu;

/// A model that has learnt a little, and the folder of its run.
fn trained(text: &Corpus, level: Level, cell: Cell, seed: u64) -> (TextModel, tempfile::TempDir) {
    trained_with(text, level, ModelConfig::new(cell, 24, 2).embedding(16), seed)
}

/// A model whose last layer has a width of its own: it has no stepper, and a state of two parts.
fn two_widths(level: Level, seed: u64) -> (TextModel, tempfile::TempDir) {
    let model = ModelConfig::new(Cell::Lstm, 24, 2).embedding(16).tied(true);
    trained_with(&Corpus::fables().unwrap(), level, model, seed)
}

fn trained_with(
    text: &Corpus,
    level: Level,
    model: ModelConfig,
    seed: u64,
) -> (TextModel, tempfile::TempDir) {
    let config = TrainConfig {
        tokenizer: TokenizerConfig::new(level).min_count(1),
        model,
        batch: 4,
        seq: 16,
        learning_rate: 0.01,
        seed,
        ..TrainConfig::default()
    };
    let mut trainer = Trainer::new(text, config, &CPU).unwrap();
    for _ in 0..40 {
        trainer.step().unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let run = trainer.create_run(dir.path().join("run"), OnExisting::Refuse).unwrap();
    trainer.save(&run).unwrap();
    (TextModel::load(run.path(), &CPU).unwrap(), dir)
}

fn fables(level: Level) -> (TextModel, tempfile::TempDir) {
    trained(&Corpus::fables().unwrap(), level, Cell::Gru, 1)
}

fn config(prompt: &str, length: usize) -> GenerateConfig {
    GenerateConfig { prompt: prompt.into(), length, ..GenerateConfig::default() }.temperature(1.0)
}

fn samples(writer: &Writer<'_>, n: usize, batch: usize) -> Vec<Sample> {
    let mut samples = Vec::new();
    writer
        .samples(0..n, batch, |sample| {
            samples.push(sample);
            Continue(())
        })
        .unwrap();
    samples
}

#[test]
fn a_sample_is_the_same_whatever_is_written_beside_it() {
    let corpus = &Corpus::fables().unwrap();
    for (model, _dir) in [
        trained(corpus, Level::Char, Cell::Lstm, 1),
        trained(corpus, Level::Char, Cell::Gru, 1),
        trained(corpus, Level::Word, Cell::Lstm, 1),
        two_widths(Level::Char, 1),
    ] {
        let name = format!("{:?}", model.config().train.model);
        // Without the stepper, sums may be taken in another order.
        let rounded = model.config().train.model.tied || gdl_kernels::force_reference();
        let stop = vec!["e ".to_string(), "the".into()];
        for config in [config("The fox ", 60), GenerateConfig { stop, ..config("The fox ", 60) }] {
            let writer = model.writer(&config).unwrap();
            let all = samples(&writer, 13, 13);
            assert_eq!(all.iter().map(|s| s.sample).collect::<Vec<_>>(), (0..13).collect::<Vec<_>>());
            assert!(all[0].text != all[1].text && all[1].text != all[2].text);
            for (n, batch) in [(13, 1), (13, 4), (5, 64)] {
                for (one, other) in all.iter().zip(samples(&writer, n, batch)) {
                    assert_eq!(one.text, other.text, "{name}, {batch} side by side");
                    let exact = rounded || one.log_prob == other.log_prob;
                    assert!(exact && (one.log_prob - other.log_prob).abs() < 1e-3);
                }
            }
            let mut later = Vec::new();
            writer
                .samples(7..9, 2, |sample| {
                    later.push(sample.text);
                    Continue(())
                })
                .unwrap();
            assert_eq!(later, [all[7].text.clone(), all[8].text.clone()]);
            assert_eq!(writer.generate(|_| Continue(())).unwrap(), all[0].text);
            for sample in &all {
                assert!(config.stop.iter().all(|stop| !sample.text.contains(stop.as_str())), "{sample:?}");
                assert!(sample.tokens == 60 || !config.stop.is_empty());
            }
        }
    }
    let (model, _dir) = fables(Level::Char);
    let writer = model.writer(&config("", 5)).unwrap();
    let mut calls = 0;
    writer
        .samples(0..9, 2, |_| {
            calls += 1;
            if calls == 3 { Break(()) } else { Continue(()) }
        })
        .unwrap();
    assert_eq!(calls, 3);
    assert!(writer.samples(0..9, 0, |_| Continue(())).unwrap_err().to_string().contains("batch"));
}

#[test]
fn log_probabilities_are_those_of_the_model() {
    let (model, _dir) = fables(Level::Char);
    let sampling = SamplingConfig { top_k: Some(5), ..SamplingConfig::new(0.5) };
    let writer = model.writer(&GenerateConfig { sampling, ..config("The fox", 30) }).unwrap();
    for sample in samples(&writer, 4, 4) {
        let ids = model.tokenizer().encode(&format!("The fox{}", sample.text)).unwrap();
        let tensor = Tensor::from_slice(&ids, (1, ids.len()), &CPU).unwrap();
        let logits =
            model.model().forward(&tensor, None).unwrap().0.get(0).unwrap().to_vec2::<f32>().unwrap();
        let sum: f64 = (7..ids.len()).map(|i| log_prob(&logits[i - 1], ids[i])).sum();
        assert!((sum - sample.log_prob).abs() < 1e-3, "{sum}, not {}", sample.log_prob);
    }
}

#[test]
fn a_wide_beam_finds_the_likeliest_texts_of_a_model() {
    let corpus = Corpus::from_text("letters", "abacabad\n".repeat(80)).unwrap();
    let (model, _dir) = trained(&corpus, Level::Char, Cell::Lstm, 2);
    let vocab = model.tokenizer().vocab_size() as u32;
    let settings = config("aba", 4);
    let writer = model.writer(&settings).unwrap();
    let wide = BeamConfig {
        beams: 1000,
        n_best: 20,
        length_penalty: LengthPenalty::Power(1.0),
        ..Default::default()
    };
    let found = writer.beams(&wide).unwrap();
    // Every text of four tokens but the unknown one, read in one batch.
    let n = (vocab - 1).pow(4);
    let token = |row: u32, place: u32| 1 + row / (vocab - 1).pow(place) % (vocab - 1);
    let prompt = model.tokenizer().encode("aba").unwrap();
    let rows: Vec<u32> = (0..n)
        .flat_map(|row| prompt.iter().copied().chain((0..4).map(move |place| token(row, place))))
        .collect();
    let ids = Tensor::from_slice(&rows, (n as usize, 7), &CPU).unwrap();
    let logits = model.model().forward(&ids, None).unwrap().0.to_vec3::<f32>().unwrap();
    let mut want: Vec<(f64, String)> = (0..n as usize)
        .map(|row| {
            let ids = &rows[7 * row..][..7];
            let sum = (3..7).map(|i| log_prob(&logits[row][i - 1], ids[i])).sum();
            (sum, model.tokenizer().decode(&ids[3..]).unwrap())
        })
        .collect();
    want.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert_eq!(found.len(), 20);
    for (found, (sum, text)) in found.iter().zip(&want) {
        assert_eq!(&found.text, text);
        assert!((found.log_prob - sum).abs() < 1e-4 && (found.score - sum / 4.0).abs() < 1e-4);
    }
    // Stop texts end beams, and are not part of the text.
    let writer = model.writer(&GenerateConfig { stop: vec!["\n".into()], ..config("aba", 12) }).unwrap();
    let config = BeamConfig { beams: 6, n_best: 6, ..wide };
    let found = writer.beams(&config).unwrap();
    assert!(found.iter().all(|found| !found.text.contains('\n')));
    assert!(
        found.iter().any(|found| found.tokens == found.text.chars().count() + 1 && found.tokens < 12),
        "{found:?}"
    );
}

#[test]
fn a_saved_prompt_goes_on_as_if_it_had_been_read() {
    let corpus = &Corpus::fables().unwrap();
    for ((model, dir), (other, _dir)) in [
        (trained(corpus, Level::Char, Cell::Lstm, 1), trained(corpus, Level::Char, Cell::Lstm, 3)),
        (trained(corpus, Level::Word, Cell::Gru, 1), two_widths(Level::Word, 1)),
        (two_widths(Level::Char, 1), two_widths(Level::Char, 2)),
    ] {
        let file = dir.path().join("prompt.safetensors");
        let whole = "The fox saw the crow ";
        let written = |writer: Writer<'_>| writer.generate(|_| Continue(())).unwrap();
        let want = written(model.writer(&config(whole, 40)).unwrap());
        model.save_prompt(&model.read("The fox saw ", None).unwrap(), &file).unwrap();
        let saved = model.load_prompt(&file).unwrap();
        assert_eq!(saved.text(), "The fox saw ");
        let longer = model.read(whole, Some(&saved)).unwrap();
        assert_eq!(longer.tokens(), model.read(whole, None).unwrap().tokens());
        assert_eq!(written(model.writer_after(longer, &config("", 40)).unwrap()), want);
        let same = model.read("The fox saw ", Some(&saved)).unwrap();
        let settings = config("The fox saw ", 40);
        assert_eq!(
            written(model.writer_after(same, &settings).unwrap()),
            written(model.writer(&settings).unwrap())
        );
        let error = model.read("The crow", Some(&saved)).unwrap_err();
        assert!(matches!(&error, Error::OtherPrompt { saved } if saved == "The fox saw "), "{error}");

        // Another model's, a file of another kind, half a file.
        let error = other.load_prompt(&file).unwrap_err().to_string();
        assert!(error.contains("prompt.safetensors") && error.contains("another model"), "{error}");
        let weights = dir.path().join("run/weights.safetensors");
        assert!(model.load_prompt(&weights).unwrap_err().to_string().contains("no prompt's state"));
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        assert!(model.load_prompt(&file).unwrap_err().to_string().contains("prompt.safetensors"));
    }
}

#[test]
fn what_is_written_matches_the_pattern() {
    for level in [Level::Char, Level::Word] {
        let (model, _dir) = fables(level);
        let pattern = Some(r"[a-z]{3,8}( [a-z]{2,8}){2,4}(\.|!)\n".to_string());
        let writer = model.writer(&GenerateConfig { pattern, ..config("\n", 40) }).unwrap();
        for sample in samples(&writer, 20, 7) {
            let text = sample.text.strip_suffix('\n').unwrap();
            let words: Vec<&str> = text[..text.len() - 1].split(' ').collect();
            assert!((3..=5).contains(&words.len()) && text.ends_with(['.', '!']), "{text:?}");
            let small = |w: &&str| (2..=8).contains(&w.len()) && w.chars().all(|c| c.is_ascii_lowercase());
            assert!(words.iter().all(small) && words[0].len() >= 3, "{text:?}");
        }
        let pattern = Some("[0-9]+☃".to_string());
        let error =
            model.writer(&GenerateConfig { pattern, ..config("", 9) }).unwrap().session().unwrap_err();
        assert!(error.to_string().contains("no text of this model's tokens"), "{error}");
    }
}

#[test]
fn n_grams_and_bans_hold_in_a_text() {
    let (model, _dir) = fables(Level::Char);
    let sampling =
        SamplingConfig { no_repeat_ngram: Some(3), ban: vec!["e".into()], ..SamplingConfig::new(0.3) };
    let text = model.generate(&GenerateConfig { sampling, ..config("The", 200) }, |_| Continue(())).unwrap();
    assert!(!text.contains('e') && text.chars().count() == 200);
    let all: Vec<char> = ("The".to_string() + &text).chars().collect();
    let ngrams: std::collections::HashSet<&[char]> = all.windows(3).collect();
    assert_eq!(ngrams.len(), all.len() - 2);
}

#[test]
fn a_text_is_chosen_token_by_token() {
    let (model, _dir) = fables(Level::Word);
    let settings = config("the fox ", 6);
    let writer = model.writer(&settings).unwrap();
    let mut session = writer.session().unwrap();
    let choices = session.choices(5).unwrap();
    assert_eq!(choices.len(), 5);
    assert!(choices.windows(2).all(|two| two[0].probability >= two[1].probability));
    assert!(choices.iter().all(|c| !c.text.starts_with(' ')), "the prompt ends in a space: {choices:?}");
    let all: f64 = session.choices(usize::MAX).unwrap().iter().map(|c| c.probability).sum();
    assert!((all - 1.0).abs() < 1e-9);
    assert_eq!(session.take(choices[2].token).unwrap().unwrap(), choices[2].text);
    assert_eq!(session.write("and the crow").unwrap().unwrap(), " and the crow");
    let drawn = session.draw().unwrap().unwrap();
    assert_eq!(session.text(), format!("{} and the crow{drawn}", choices[2].text));
    assert_eq!(session.tokens().len(), 5);
    assert!(session.draw().unwrap().is_some() && session.draw().unwrap().is_none(), "six tokens are all");
    assert!(session.choices(5).unwrap().is_empty());
    assert!(session.take(1 << 30).is_err());

    let pattern = Some("(the|a) (fox|crow)".to_string());
    let writer = model.writer(&GenerateConfig { pattern, ..config("\n", 6) }).unwrap();
    let mut session = writer.session().unwrap();
    assert_eq!(session.choices(9).unwrap().len(), 2);
    assert_eq!(session.write("the cheese").unwrap(), None);
    assert_eq!(session.text(), "", "nothing has changed");
    assert_eq!(session.write("the crow").unwrap().unwrap(), "the crow");
    assert_eq!(session.draw().unwrap(), None);
    let (chars, _dir) = fables(Level::Char);
    let writer = chars.writer(&config("", 9)).unwrap();
    assert!(matches!(writer.session().unwrap().write("東"), Err(Error::Unseen { .. })));
}

#[test]
fn copied_passages_are_found() {
    for level in [Level::Char, Level::Word] {
        let corpus = Corpus::fables().unwrap();
        let (model, _dir) = fables(level);
        let parts = corpus.split(&model.config().train.split).unwrap();
        // A passage of whole words, after something that the fables have not.
        let from = parts.train.find(" the ").unwrap() + 1;
        let passage = &parts.train[from..from + parts.train[from..].find('.').unwrap()];
        let text = format!("xxq {passage} qqx");
        let report = model.copies(&[text.as_str(), "qqqq", ""], &corpus).unwrap();
        let found = &report.samples[0];
        assert!(found.passage.to_lowercase().contains(&passage.to_lowercase()), "{found:?}");
        assert!(
            found.copied < found.tokens && found.copied >= model.tokenizer().encode(passage).unwrap().len()
        );
        assert!(report.samples[1].copied <= 1 && report.samples[2].copied == 0 && report.samples.len() == 3);
        assert!(!report.held_out.is_empty() && report.held_out.iter().all(|text| text.copied <= text.tokens));
        let other = Corpus::from_text("other", "something else").unwrap();
        assert!(matches!(model.copies(&[""], &other), Err(Error::Mismatch { .. })));
    }
}
