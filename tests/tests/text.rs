//! gdl-text: tokenizers, the layout of the data, training against PyTorch, resumption, generation, bad input.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_tests::{Fixture, assert_bitwise, assert_close};
use gdl_text::{
    Cell, Corpus, Error, Event, GenerateConfig, Length, Level, ModelConfig, SamplingConfig, Split, Stemming,
    Streams, TextModel, Tokenizer, TokenizerConfig, TrainConfig, Trainer,
};
use gdl_train::{OnExisting, RunDir, Schedule};
use std::ops::ControlFlow::{Break, Continue};

const CPU: Device = Device::Cpu;

fn config(level: Level) -> TokenizerConfig {
    TokenizerConfig::new(level)
}

// ---- tokenizers -----------------------------------------------------------------------------------------------------

#[test]
fn characters_come_back_exactly() {
    let long = "x y".repeat(40_000); // longer than what is encoded in one piece
    for text in
        ["plain", "tabs\tand\r\nline  ends\n\n", "naïve 東京 🦊🏳️‍🌈 é", "<unk> \u{0} \u{feff}a", long.as_str()]
    {
        let tokenizer = Tokenizer::train(text, &config(Level::Char)).unwrap();
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(ids.len(), text.chars().count());
        assert!(!ids.contains(&tokenizer.unknown().unwrap()));
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn unseen_characters_become_the_unknown_token() {
    let tokenizer = Tokenizer::train("abc", &config(Level::Char)).unwrap();
    assert_eq!(tokenizer.vocab_size(), 4);
    assert_eq!(tokenizer.encode("aéèc").unwrap(), [1, 0, 0, 3]);
    assert_eq!(tokenizer.unseen_chars("aéèeé"), ['é', 'è', 'e']);
}

#[test]
fn words_get_their_spaces_back() {
    let text = "\"Where is the well-known fox (or Fox)?\" asked the dogs' friend; she didn't know.\n\
                It cost $1,000.50 -- ah... 'Tis so!\n\nThe end.";
    let tokenizer = Tokenizer::train(text, &config(Level::Word).lowercase(false).min_count(1)).unwrap();
    let ids = tokenizer.encode(text).unwrap();
    // What no rule can know: that this dash had spaces.
    let want = text.replace(" -- ", "--");
    assert_eq!(tokenizer.decode(&ids).unwrap(), want);
    let lower = Tokenizer::train(text, &config(Level::Word).min_count(1)).unwrap();
    assert_eq!(lower.decode(&lower.encode(text).unwrap()).unwrap(), want.to_lowercase());
}

#[test]
fn rare_words_become_unknown_and_frequent_ones_come_first() {
    let tokenizer = Tokenizer::train("b b b a a c <unk>", &config(Level::Word)).unwrap();
    assert_eq!(tokenizer.vocab_size(), 3);
    assert_eq!(tokenizer.encode("a b c <unk>").unwrap(), [2, 1, 0, 0]);
    assert_eq!(tokenizer.token(0).unwrap(), "<unk>");
}

#[test]
fn words_are_stemmed_if_asked() {
    let stem = config(Level::Word).min_count(1).stemming(Some(Stemming::English));
    let tokenizer = Tokenizer::train("She walks, they walked.\nWalking walk!", &stem).unwrap();
    let ids = tokenizer.encode("walks walking").unwrap();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(
        tokenizer.decode(&tokenizer.encode("They walk.\nShe walked!").unwrap()).unwrap(),
        "they walk.\nshe walk!"
    );
    assert_eq!("english".parse::<Stemming>().unwrap(), Stemming::English);
    assert!(Tokenizer::train("a b", &stem.clone().lowercase(false)).is_err());
}

#[test]
fn a_saved_tokenizer_is_the_same_and_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    for level in [Level::Char, Level::Word] {
        let path = dir.path().join("tokenizer.json");
        let text = "One fox. One crow!\nOne fox said: \"crow\".";
        let tokenizer = Tokenizer::train(text, &config(level).lowercase(true)).unwrap();
        tokenizer.save(&path).unwrap();
        let back = Tokenizer::load(&path, &config(level).lowercase(true)).unwrap();
        assert_eq!(back.vocab_size(), tokenizer.vocab_size());
        assert_eq!(back.encode("ONE fox\nrook").unwrap(), tokenizer.encode("one FOX\nrook").unwrap());

        let other = if level == Level::Char { Level::Word } else { Level::Char };
        let error = Tokenizer::load(&path, &config(other)).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json") && error.contains("level"), "{error}");
        std::fs::write(&path, "{").unwrap();
        let error = Tokenizer::load(&path, &config(level)).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json"), "{error}");
    }
}

#[test]
fn streamed_pieces_join_to_the_whole() {
    for (level, text) in
        [(Level::Char, "süß 東京 🦊 ok"), (Level::Word, "\"ja,\" sagte Füchsin 🦊 (süß).\nso!")]
    {
        let tokenizer = Tokenizer::train(text, &config(level).min_count(1)).unwrap();
        let ids = tokenizer.encode(text).unwrap();
        let mut stream = tokenizer.stream();
        let pieces: Vec<String> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
        assert_eq!(pieces.concat(), tokenizer.decode(&ids).unwrap());
        assert!(pieces.iter().all(|p| !p.is_empty() && !p.contains('\u{fffd}')));
    }
    let tokenizer = Tokenizer::train("ab", &config(Level::Char)).unwrap();
    assert!(tokenizer.decode(&[3]).is_err());
}

// ---- corpora and layout ---------------------------------------------------------------------------------------------

#[test]
fn corpora_are_cut_by_characters() {
    let corpus = Corpus::from_text("é", "é".repeat(99) + "!").unwrap();
    let parts = corpus.split(&Split::default()).unwrap();
    let lengths = [&parts.train, &parts.valid, &parts.test].map(|p| p.chars().count());
    assert_eq!(lengths, [90, 5, 5]);
    assert!(parts.test.ends_with('!'));
    for split in [
        Split { valid: 0.5, test: 0.5, ..Split::default() },
        Split { valid: -0.1, test: 0.0, ..Split::default() },
    ] {
        assert!(matches!(corpus.split(&split), Err(Error::Setting { .. })));
    }
}

#[test]
fn files_that_are_no_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let file = |bytes: &[u8]| {
        let path = dir.path().join("corpus.txt");
        std::fs::write(&path, bytes).unwrap();
        Corpus::read(&path).map_err(|e| e.to_string())
    };
    assert_eq!(file("\u{feff}ok".as_bytes()).unwrap().text().unwrap(), "ok");
    assert!(file(b"").unwrap_err().contains("corpus.txt is empty"));
    assert!(file(b" \n").unwrap_err().contains("corpus.txt is empty"));
    let error = file(b"ab\nc\xffd").unwrap_err();
    assert!(error.contains("corpus.txt") && error.contains("byte 4 (line 2) is 0xFF"), "{error}");
    assert!(file(b"GIF89a\0\x01").unwrap_err().contains("corpus.txt is a binary file: byte 6 is 0"));
    let error = Corpus::read(dir.path().join("none.txt")).unwrap_err().to_string();
    assert!(error.contains("none.txt"), "{error}");
}

#[test]
fn streams_go_on_where_they_stopped() {
    let streams = Streams::new(Vec::from_iter(0..100), 3, 7, "numbers", "it has").unwrap();
    assert_eq!(streams.steps(), 4); // 33 tokens a stream, 4 x 7 of them used
    for step in 0..4 {
        let (x, y) = streams.get(step, &CPU).unwrap();
        let x = x.to_vec2::<u32>().unwrap();
        for (b, row) in x.iter().enumerate() {
            assert_eq!(row[0] as usize, 33 * b + 7 * step);
        }
        let next: Vec<Vec<u32>> = x.iter().map(|r| r.iter().map(|id| id + 1).collect()).collect();
        assert_eq!(y.to_vec2::<u32>().unwrap(), next);
    }
    assert!(streams.get(4, &CPU).is_err());
    let error = Streams::new(Vec::from_iter(0..21), 3, 7, "numbers", "it has").unwrap_err().to_string();
    assert!(
        error.contains("21 tokens") && error.contains("batch 3 x seq 7") && error.contains("22"),
        "{error}"
    );
}

// ---- training -------------------------------------------------------------------------------------------------------

/// The settings of tests/fixtures/text.py.
fn fixture_config(cell: Cell) -> TrainConfig {
    TrainConfig {
        model: ModelConfig::new(cell, 6, 2).embedding(5),
        batch: 3,
        seq: 4,
        length: Length::Steps(20),
        learning_rate: 0.02,
        clip: 0.38,
        split: Split { valid: 0.2, test: 0.0, ..Split::default() },
        ..Default::default()
    }
}

#[test]
fn twenty_steps_are_those_of_pytorch() {
    let fixture = Fixture::load("text");
    let text = String::from_utf8(fixture.get("text").to_vec1().unwrap()).unwrap();
    let corpus = Corpus::from_text("fixture", text).unwrap();
    for cell in [Cell::Lstm, Cell::Gru] {
        let mut trainer = Trainer::new(&corpus, fixture_config(cell), &CPU).unwrap();
        let ids = trainer.tokenizer().encode(&corpus.text().unwrap()).unwrap();
        let want: Vec<u8> = fixture.get("ids").to_vec1().unwrap();
        assert_eq!(ids, want.iter().map(|&id| u32::from(id)).collect::<Vec<_>>());

        let tensors = |prefix: &str| {
            let vars = fixture.vars(&format!("{cell}.{prefix}"));
            vars.into_iter().map(|(name, var)| (name, var.as_tensor().clone())).collect()
        };
        trainer.store().load_tensors("the fixture", &tensors("initial")).unwrap();
        let reports: Vec<_> = (0..20).map(|_| trainer.step().unwrap()).collect();
        let column = |f: &dyn Fn(&gdl_text::StepReport) -> f64| {
            Tensor::from_iter(reports.iter().map(|r| f(r) as f32), &CPU).unwrap()
        };
        // f32 on both sides, summed in another order; 20 steps of Adam magnify that a little.
        let want = |name: &str| fixture.get(&format!("{cell}.{name}"));
        assert_close(&column(&|r| r.loss), &want("losses"), 1e-5, 1e-5, &format!("{cell} losses"));
        assert_close(&column(&|r| r.grad_norm), &want("norms"), 1e-5, 1e-4, &format!("{cell} norms"));
        let valid = trainer.validate().unwrap().unwrap();
        let valid = Tensor::new(&[valid.loss as f32], &CPU).unwrap();
        assert_close(&valid, &want("valid"), 1e-5, 1e-5, &format!("{cell} validation"));
        for (name, var) in trainer.store().vars() {
            let want = want(&format!("final.{name}"));
            assert_close(&var, &want, 1e-4, 1e-4, &format!("{cell} {name} after 20 steps"));
        }
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let corpus = Corpus::fables().unwrap();
    let base = TrainConfig::default;
    let model = |change: fn(&mut ModelConfig)| {
        let mut config = base();
        change(&mut config.model);
        config
    };
    for (key, config) in [
        ("batch", TrainConfig { batch: 0, ..base() }),
        ("seq", TrainConfig { seq: 0, ..base() }),
        ("steps", TrainConfig { length: Length::Steps(0), ..base() }),
        ("epochs", TrainConfig { length: Length::Epochs(0), ..base() }),
        ("learning rate", TrainConfig { learning_rate: 0.0, ..base() }),
        ("clip", TrainConfig { clip: f64::NAN, ..base() }),
        ("hidden", model(|m| m.hidden = 0)),
        ("layers", model(|m| m.layers = 0)),
        ("embedding", model(|m| m.embedding = 0)),
        ("dropout", model(|m| m.dropout = 1.0)),
        ("min count", TrainConfig { tokenizer: config(Level::Char).min_count(0), ..base() }),
        (
            "valid fraction",
            TrainConfig { split: Split { valid: 1.0, test: 0.0, ..Split::default() }, ..base() },
        ),
    ] {
        let error = Trainer::new(&corpus, config, &CPU).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{key}: ")), "{key}: {error}");
    }
    let short = Corpus::from_text("short.txt", "too short for that").unwrap();
    let error = Trainer::new(&short, base(), &CPU).unwrap_err().to_string();
    assert!(
        error.contains("short.txt") && error.contains("2501") && error.contains("lower batch"),
        "{error}"
    );
    let same = Corpus::from_text("same.txt", "a".repeat(5000)).unwrap();
    let error = Trainer::new(&same, base(), &CPU).unwrap_err().to_string();
    assert!(error.contains("same.txt has 1 different token"), "{error}");
}

#[test]
fn a_loss_that_explodes_is_an_error_and_not_a_panic() {
    let corpus = Corpus::fables().unwrap();
    let config = TrainConfig { learning_rate: 1e38, clip: 1e38, batch: 2, seq: 5, ..small() };
    let mut trainer = Trainer::new(&corpus, config, &CPU).unwrap();
    let error = (0..20).find_map(|_| trainer.step().err()).unwrap().to_string();
    assert!(error.contains("lower the learning rate"), "{error}");
}

// ---- runs -----------------------------------------------------------------------------------------------------------

/// Dropout, two cells, a schedule, and a length that crosses the end of the text.
fn resumable(cell: Cell, steps: usize) -> TrainConfig {
    TrainConfig {
        model: ModelConfig::new(cell, 12, 2).embedding(8).dropout(0.3),
        schedule: Schedule::Exponential { gamma: 0.98 },
        length: Length::Steps(steps),
        ..small()
    }
}

fn rhyme() -> Corpus {
    Corpus::from_text("rhyme", "the crow sat in the bow; the fox ate an ox.\n".repeat(20)).unwrap()
}

#[test]
fn stopped_and_resumed_is_bit_for_bit_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = rhyme();
    for cell in [Cell::Lstm, Cell::Gru] {
        let mut whole = Trainer::new(&corpus, resumable(cell, 30), &CPU).unwrap();
        assert!(whole.steps_per_epoch() < 30 && 30 % whole.steps_per_epoch() != 0);
        let want = whole.run(None, |_| Continue(())).unwrap();
        assert!(!want.stopped && want.steps == 30);

        let path = dir.path().join(cell.to_string());
        let mut first = Trainer::new(&corpus, resumable(cell, 11), &CPU).unwrap();
        let run = first.create_run(&path, OnExisting::Refuse).unwrap();
        first.run(Some(&run), |_| Continue(())).unwrap();
        let run = RunDir::open(&path).unwrap();
        // Once more, stopped by the observer; and a log that is ahead of its checkpoint.
        let mut second = Trainer::resume(&run, &corpus, Some(Length::Steps(30)), &CPU).unwrap();
        assert_eq!((second.steps_done(), second.steps_left()), (11, 19));
        let stop_at = |at: usize| {
            move |event: &Event| match event {
                Event::Step { report, .. } if report.step == at => Break(()),
                _ => Continue(()),
            }
        };
        let summary = second.run(Some(&run), stop_at(17)).unwrap();
        assert!(summary.stopped && summary.steps == 17);
        assert_eq!(summary.validation, None, "it is not scored out of turn");
        run.metrics().append(18, &[("loss", 0.0)]).unwrap();

        let mut third = Trainer::resume(&run, &corpus, None, &CPU).unwrap();
        let summary = third.run(Some(&run), |_| Continue(())).unwrap();
        assert_eq!((summary.last, &summary.validation), (want.last, &want.validation));
        for (name, var) in whole.store().vars() {
            assert_bitwise(&third.store().vars()[&name], &var, &format!("{cell} {name}"));
        }
        let log = run.metrics().read().unwrap();
        let steps: Vec<u64> = log.iter().filter(|r| r.values.contains_key("loss")).map(|r| r.step).collect();
        assert_eq!(steps, (1..=30).collect::<Vec<_>>());
        assert!(log.iter().all(|r| r.values.get("loss") != Some(&0.0)));

        // What was saved is what was trained.
        let model = TextModel::load(&path, &CPU).unwrap();
        let config = GenerateConfig { prompt: "the ".into(), length: 30, ..Default::default() };
        let written = |text: gdl_text::Result<String>| text.unwrap();
        assert_eq!(
            written(model.generate(&config, |_| Continue(()))),
            written(whole.generate(&config, |_| Continue(())))
        );
        let valid = Corpus::from_text("valid", corpus.split(&Split::default()).unwrap().valid).unwrap();
        assert_eq!(Some(model.eval(&valid).unwrap()), summary.validation);
    }
}

#[test]
fn samples_change_nothing() {
    let mut plain = Trainer::new(&rhyme(), resumable(Cell::Gru, 8), &CPU).unwrap();
    let want = plain.run(None, |_| Continue(())).unwrap();
    let mut sampled = Trainer::new(&rhyme(), resumable(Cell::Gru, 8), &CPU).unwrap();
    let config = GenerateConfig { prompt: "the".into(), length: 5, ..Default::default() };
    sampled.sample_every(3, config);
    let mut at = Vec::new();
    let got = sampled
        .run(None, |event| {
            if let Event::Sample { step, text } = event {
                assert!(text.starts_with("the") && text.len() == 8);
                at.push(*step);
            }
            Continue(())
        })
        .unwrap();
    assert_eq!((got.last, at), (want.last, vec![3, 6, 8]));
}

#[test]
fn a_text_is_scored_with_its_state_carried_on() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = Corpus::fables().unwrap();
    let trainer = Trainer::new(&corpus, small(), &CPU).unwrap();
    let run = trainer.create_run(dir.path().join("run"), OnExisting::Refuse).unwrap();
    trainer.save(&run).unwrap();
    let model = TextModel::load(run.path(), &CPU).unwrap();

    // Step by step, by hand.
    let text = &corpus.text().unwrap()[..200];
    let ids = model.tokenizer().encode(text).unwrap();
    let (mut total, mut state) = (0.0, None);
    for pair in ids.windows(2) {
        let input = Tensor::new(&[[pair[0]]], &CPU).unwrap();
        let (logits, next) = model.model().forward(&input, state.as_ref()).unwrap();
        let logits: Vec<f32> = logits.flatten_all().unwrap().to_vec1().unwrap();
        let sum: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        total += sum.ln() - f64::from(logits[pair[1] as usize]);
        state = Some(next);
    }
    let report = model.eval(&Corpus::from_text("head", text).unwrap()).unwrap();
    let want = total / (ids.len() - 1) as f64;
    assert_eq!((report.tokens, report.unknown), (ids.len() - 1, 0));
    // f32 against f64.
    assert!((report.loss - want).abs() < 1e-5, "{} and {want}", report.loss);
    assert!((report.perplexity.ln() - report.loss).abs() < 1e-12);
    assert!((report.bits_per_char * std::f64::consts::LN_2 - report.loss).abs() < 1e-12);

    // As several streams: nearly every token, and nearly the same.
    let all = model.eval(&corpus).unwrap();
    let chars = corpus.chars() as usize;
    assert!(all.tokens < chars && all.tokens + 17 > chars);
    let error = model.eval(&Corpus::from_text("one.txt", "a").unwrap()).unwrap_err().to_string();
    assert!(error.contains("one.txt") && error.contains("at least 2"), "{error}");
    let foreign = model.eval(&Corpus::from_text("foreign", "東京 east").unwrap()).unwrap();
    assert_eq!((foreign.tokens, foreign.unknown), (6, 2));
}

#[test]
fn broken_runs_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = rhyme();
    let trainer = Trainer::new(&corpus, resumable(Cell::Lstm, 5), &CPU).unwrap();
    let fresh = |name: &str| {
        let run = trainer.create_run(dir.path().join(name), OnExisting::Refuse).unwrap();
        trainer.save(&run).unwrap();
        run
    };
    let load = |run: &RunDir| TextModel::load(run.path(), &CPU).unwrap_err().to_string();
    let edit = |path: std::path::PathBuf, from: &str, to: &str| {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(path, text.replace(from, to)).unwrap();
    };

    let error = TextModel::load(dir.path().join("nowhere"), &CPU).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    let run = fresh("again");
    let error = trainer.create_run(run.path(), OnExisting::Refuse).unwrap_err().to_string();
    assert!(error.contains("already holds a run"), "{error}");

    let run = fresh("other-text");
    let other = Corpus::from_text("other.txt", "the ox ate the crow. ".repeat(50)).unwrap();
    let error = Trainer::resume(&run, &other, None, &CPU).unwrap_err().to_string();
    assert!(error.contains("other.txt") && error.contains("trained on rhyme"), "{error}");

    let run = fresh("wider");
    edit(run.config_path(), "\"hidden\": 12", "\"hidden\": 13");
    let error = load(&run);
    assert!(
        error.contains("weights.safetensors")
            && error.contains("head.weight (expected [19, 13], found [19, 12])"),
        "{error}"
    );

    let run = fresh("deeper");
    edit(run.config_path(), "\"layers\": 2", "\"layers\": 3");
    let error = load(&run);
    assert!(error.contains("missing") && error.contains("rnn.weight_ih_l2"), "{error}");
    let run = fresh("shallower");
    edit(run.config_path(), "\"layers\": 2", "\"layers\": 1");
    let error = load(&run);
    assert!(error.contains("not in the model") && error.contains("rnn.weight_ih_l1"), "{error}");

    let run = fresh("zero");
    edit(run.config_path(), "\"layers\": 2", "\"layers\": 0");
    assert!(load(&run).contains("layers: must be at least 1"));
    let run = fresh("kind");
    edit(run.config_path(), "language-model", "cyclegan");
    let error = load(&run);
    assert!(error.contains("config.json") && error.contains("\"cyclegan\""), "{error}");

    let run = fresh("tokenizer");
    let small = Tokenizer::train("abc", &config(Level::Char)).unwrap();
    small.save(run.path().join("tokenizer.json")).unwrap();
    let error = load(&run);
    assert!(error.contains("tokenizer.json") && error.contains("it has 4"), "{error}");
    std::fs::remove_file(run.path().join("tokenizer.json")).unwrap();
    assert!(load(&run).contains("tokenizer.json"));

    let run = fresh("cut");
    let bytes = std::fs::read(run.weights_path()).unwrap();
    std::fs::write(run.weights_path(), &bytes[..bytes.len() / 2]).unwrap();
    assert!(load(&run).contains("weights.safetensors"));
}

// ---- generation -----------------------------------------------------------------------------------------------------

fn small() -> TrainConfig {
    TrainConfig {
        model: ModelConfig::new(Cell::Lstm, 12, 2).embedding(8),
        batch: 4,
        seq: 10,
        length: Length::Steps(10),
        eval_every: 0,
        ..Default::default()
    }
}

#[test]
fn the_same_seed_writes_the_same() {
    let corpus = Corpus::fables().unwrap();
    for level in [Level::Char, Level::Word] {
        let config = TrainConfig { tokenizer: config(level), ..small() };
        let mut trainer = Trainer::new(&corpus, config, &CPU).unwrap();
        for _ in 0..10 {
            trainer.step().unwrap();
        }
        let write = |temperature: f64, seed: u64, top_k: Option<usize>| {
            let prompt = "The fox".to_string();
            let sampling = SamplingConfig { top_k, ..SamplingConfig::new(temperature) };
            let config = GenerateConfig { prompt, length: 40, sampling, seed, ..GenerateConfig::default() };
            let mut pieces = String::new();
            let text = trainer
                .generate(&config, |piece| {
                    pieces.push_str(piece);
                    Continue(())
                })
                .unwrap();
            assert_eq!(pieces, text);
            assert!(!text.contains("<unk>"));
            text
        };
        assert_eq!(write(0.0, 1, None), write(0.0, 2, None));
        assert_eq!(write(0.0, 1, None), write(1.0, 2, Some(1)));
        assert_eq!(write(0.9, 1, None), write(0.9, 1, None));
        assert_ne!(write(0.9, 1, None), write(0.9, 2, None));
        if level == Level::Char {
            assert_eq!(write(0.9, 1, None).chars().count(), 40);
        }
    }
}

#[test]
fn writing_can_be_stopped() {
    let trainer = Trainer::new(&Corpus::fables().unwrap(), small(), &CPU).unwrap();
    let mut calls = 0;
    let stopped = trainer.generate(&GenerateConfig::default(), |_| {
        calls += 1;
        if calls == 3 { Break(()) } else { Continue(()) }
    });
    assert_eq!((stopped.unwrap().chars().count(), calls), (3, 3));
}

#[test]
fn bad_prompts_and_settings() {
    let trainer = Trainer::new(&Corpus::fables().unwrap(), small(), &CPU).unwrap();
    let error = |config: GenerateConfig| {
        trainer.generate(&config, |_| panic!("nothing may be written")).unwrap_err().to_string()
    };
    let unseen = error(GenerateConfig { prompt: "The fox 東 é 東".into(), ..Default::default() });
    assert!(unseen.contains("'東' 'é';") && unseen.contains(" a b c "), "{unseen}");
    let base = GenerateConfig::default;
    assert!(error(base().temperature(-0.1)).contains("temperature"));
    assert!(error(base().temperature(f64::NAN)).contains("temperature"));
    assert!(error(GenerateConfig { length: 0, ..base() }).contains("length"));
    assert!(
        error(GenerateConfig {
            sampling: SamplingConfig { top_k: Some(0), ..SamplingConfig::default() },
            ..base()
        })
        .contains("top-k")
    );
}

#[test]
fn unseen_words_in_a_prompt_are_read_as_unknown() {
    let config = TrainConfig { tokenizer: config(Level::Word), ..small() };
    let trainer = Trainer::new(&Corpus::fables().unwrap(), config, &CPU).unwrap();
    let config = GenerateConfig { prompt: "xyzzy ".into(), length: 5, ..Default::default() };
    let text = trainer.generate(&config, |_| Continue(())).unwrap();
    assert!(!text.starts_with(' '), "the prompt ends in a space already: {text:?}");
}
