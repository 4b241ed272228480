//! gdl-text: models of PyTorch read from their state dicts, and written back; `tests/fixtures/exchange.py` makes them.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_tests::{Fixture, assert_bitwise, assert_close};
use gdl_text::{
    Cell, Corpus, GenerateConfig, Import, ImportConfig, Length, Level, ModelConfig, Names, TextModel,
    TokenizerConfig, TrainConfig, Trainer, WordSplit,
};
use gdl_train::{OnExisting, Tensors, load_pth, load_tensors, save_pth, save_tensors};
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow::Continue;
use std::path::{Path, PathBuf};

const CPU: Device = Device::Cpu;
/// Without the unknown token, and with it in the middle.
const TOKENS: [[&str; 9]; 2] =
    [["\n", " ", "a", "b", "c", "d", "e", "f", "g"], ["a", "b", "c", "d", "<unk>", "\n", "e", "f", "g"]];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("exchange-{name}.pth"))
}

/// A folder with the two vocabularies.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (i, tokens) in TOKENS.iter().enumerate() {
        fs::write(dir.path().join(format!("{i}.json")), serde_json::to_string(tokens).unwrap()).unwrap();
    }
    dir
}

fn read(dir: &Path, weights: &Path, vocabulary: usize) -> gdl_text::Result<Import> {
    Import::read(weights, Some(&dir.join(format!("{vocabulary}.json"))), &ImportConfig::default())
}

fn imported(dir: &Path, weights: &Path, vocabulary: usize) -> TextModel {
    let run = dir.join(format!("run-{}", fs::read_dir(dir).unwrap().count()));
    read(dir, weights, vocabulary).unwrap().create_run(&run, OnExisting::Refuse).unwrap();
    TextModel::load(&run, &CPU).unwrap()
}

#[test]
fn imported_models_give_pytorchs_logits_and_loss() {
    let (dir, expected) = (folder(), Fixture::load("exchange"));
    for (name, vocabulary, config) in [
        ("lstm", 0, ModelConfig::new(Cell::Lstm, 6, 2).embedding(5)),
        ("gru", 0, ModelConfig::new(Cell::Gru, 5, 2)),
        ("tied", 1, ModelConfig::new(Cell::Lstm, 5, 1).tied(true)),
        ("awd", 1, ModelConfig::new(Cell::Lstm, 6, 3).embedding(5).tied(true)),
        ("bare", 1, ModelConfig::new(Cell::Lstm, 6, 1).embedding(5)),
    ] {
        let model = imported(dir.path(), &fixture(name), vocabulary);
        assert_eq!(*model.model().config(), config, "{name}");
        let tokenizer = model.tokenizer();
        assert_eq!((tokenizer.token(0).unwrap().as_str(), tokenizer.config().level), ("<unk>", Level::Char));
        let ours: Vec<u32> = TOKENS[vocabulary].iter().map(|token| tokenizer.id(token).unwrap()).collect();
        let ids: Vec<Vec<i32>> = expected.get(&format!("{name}.ids")).to_vec2().unwrap();
        let ids: Vec<Vec<u32>> =
            ids.iter().map(|row| row.iter().map(|&id| ours[id as usize]).collect()).collect();
        let (logits, _) = model.model().forward(&Tensor::new(ids.clone(), &CPU).unwrap(), None).unwrap();
        let logits = logits.index_select(&Tensor::new(&ours[..], &CPU).unwrap(), 2).unwrap();
        // Sums of a few products in f32; for gru of halves, which f32 holds exactly.
        assert_close(&logits, &expected.get(&format!("{name}.logits")), 1e-5, 1e-5, name);

        // What the vocabulary does not have stands for the unknown token.
        let spelled = |id: &u32| if *id == 0 { "?".to_string() } else { tokenizer.token(*id).unwrap() };
        let text = Corpus::from_text(name, ids[0].iter().map(spelled).collect::<String>()).unwrap();
        let (report, loss) = (model.eval(&text).unwrap(), expected.get(&format!("{name}.loss")));
        let loss = f64::from(loss.to_vec1::<f32>().unwrap()[0]);
        assert!((report.loss - loss).abs() < 1e-5, "{name}: {} is not {loss}", report.loss);
        let config = GenerateConfig { length: 50, ..GenerateConfig::default() };
        assert!(!model.generate(&config.temperature(3.0), |_| Continue(())).unwrap().contains("<unk>"));
    }
}

#[test]
fn an_added_unknown_token_changes_no_loss_and_is_never_drawn() {
    let dir = folder();
    let import = read(dir.path(), &fixture("lstm"), 0).unwrap();
    assert!(import.notes()[0].contains("<unk>"), "{:?}", import.notes());
    assert!(import.to_string().starts_with("LSTM of 2 x 6, vectors of 5, 10 tokens"), "{import}");
    let model = imported(dir.path(), &fixture("lstm"), 0);
    let config = GenerateConfig { length: 300, ..GenerateConfig::default() };
    let mut config = config.temperature(50.0);
    config.sampling.ban_unknown = false;
    assert!(!model.generate(&config, |_| Continue(())).unwrap().contains("<unk>"));
    assert!(read(dir.path(), &fixture("awd"), 1).unwrap().notes().is_empty());
    assert!(read(dir.path(), &fixture("bare"), 1).unwrap().notes()[0].contains("biases"));
}

fn same(a: &Tensors, b: &Tensors) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    a.iter().for_each(|(name, tensor)| assert_bitwise(tensor, &b[name], name));
}

#[test]
fn what_is_exported_and_read_again_is_the_same_bit_for_bit() {
    let dir = folder();
    for (name, vocabulary) in [("lstm", 0), ("gru", 0), ("tied", 1), ("awd", 1)] {
        let model = imported(dir.path(), &fixture(name), vocabulary);
        let weights = |model: &TextModel| {
            model.export(dir.path().join("compare.safetensors"), Names::Gdl).unwrap();
            load_tensors(dir.path().join("compare.safetensors"), &CPU).unwrap().0
        };
        model.tokenizer().save_vocabulary(dir.path().join("7.json")).unwrap();
        for (names, file) in
            [(Names::PytorchExamples, "a.pth"), (Names::Gdl, "a.safetensors"), (Names::Gdl, "a.pt")]
        {
            let file = dir.path().join(file);
            match model.export(&file, names) {
                Err(error) => {
                    assert!(name == "awd" && error.to_string().contains("of two"), "{error}");
                    continue;
                }
                Ok(()) => assert!(name != "awd" || names == Names::Gdl),
            }
            let again = imported(dir.path(), &file, 7);
            assert_eq!(again.model().config(), model.model().config());
            assert_eq!(again.tokenizer().to_json().unwrap(), model.tokenizer().to_json().unwrap());
            same(&weights(&again), &weights(&model));
        }
    }
}

#[test]
fn an_exported_file_has_pytorchs_names_and_values() {
    let dir = folder();
    let original = load_pth(fixture("tied"), |_| true).unwrap();
    // The unknown token first, so that the rows stay where they are.
    fs::write(dir.path().join("2.json"), r#"["<unk>", "\n", "a", "b", "c", "d", "e", "f", "g"]"#).unwrap();
    let model = imported(dir.path(), &fixture("tied"), 2);
    model.export(dir.path().join("model.pth"), Names::default()).unwrap();
    same(&load_pth(dir.path().join("model.pth"), |_| true).unwrap(), &original);
    let error = model.export(dir.path().join("model.onnx"), Names::default()).unwrap_err().to_string();
    assert!(error.contains("model.onnx") && error.contains(".pth"), "{error}");
}

#[test]
fn words_are_read_as_pytorchs_example_numbers_them() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = ["the", "fox", "<eos>", "saw", "<unk>", "\"", ",", "crow", "."];
    let vocabulary = dir.path().join("words.txt");
    fs::write(&vocabulary, tokens.join("\n")).unwrap();
    let read = |config: ImportConfig| Import::read(fixture("bare"), Some(&vocabulary), &config);
    let import = read(ImportConfig::default()).unwrap();
    let tokenizer = import.tokenizer();
    assert_eq!((tokenizer.config().level, tokenizer.config().lowercase), (Level::Word, true));
    assert_eq!(tokenizer.config().words, WordSplit::Space);
    assert_eq!(tokenizer.encode("The fox \" saw , rook .\n").unwrap(), [1, 2, 5, 4, 6, 0, 8, 3]);
    assert_eq!(tokenizer.encode("the crow.").unwrap(), [1, 0]);
    assert_eq!(tokenizer.decode(&[1, 2, 3, 4, 1, 7]).unwrap(), "the fox\nsaw the crow");
    let kept = read(ImportConfig { lowercase: Some(false), ..ImportConfig::default() }).unwrap();
    assert_eq!(kept.tokenizer().encode("The fox").unwrap(), [0, 2]);
    let parted =
        read(ImportConfig { words: Some(WordSplit::Punctuation), ..ImportConfig::default() }).unwrap();
    assert_eq!(parted.tokenizer().encode("The crow, saw.").unwrap(), [1, 7, 6, 4, 8]);
    let error = read(ImportConfig { level: Some(Level::Char), ..ImportConfig::default() }).unwrap_err();
    assert!(error.to_string().contains("\"the\" is not one character"), "{error}");
}

#[test]
fn tokens_of_every_kind_come_back_with_the_weights() {
    let corpus = Corpus::from_text("text", "\"Fox,\" said the crow. \"I know, fox!\"\n".repeat(60)).unwrap();
    let text = Corpus::from_text("other", "The fox said: \"crow\", caf\u{e9}.\n".repeat(9)).unwrap();
    for tokens in [
        TokenizerConfig::new(Level::Bpe).max_vocab(Some(280)),
        TokenizerConfig::new(Level::Char).byte_fallback(true),
        TokenizerConfig::new(Level::Word).lowercase(false).min_count(1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig {
            tokenizer: tokens.clone(),
            model: ModelConfig::new(Cell::Gru, 6, 1),
            batch: 2,
            seq: 8,
            ..TrainConfig::default()
        };
        let trainer = Trainer::new(&corpus, config, &CPU).unwrap();
        let run = trainer.create_run(dir.path().join("run"), OnExisting::Refuse).unwrap();
        trainer.save(&run).unwrap();
        let model = TextModel::load(run.path(), &CPU).unwrap();
        let (weights, vocabulary) = (dir.path().join("a.pth"), dir.path().join("v.json"));
        model.export(&weights, Names::default()).unwrap();
        model.tokenizer().save_vocabulary(&vocabulary).unwrap();
        let import = Import::read(&weights, Some(&vocabulary), &ImportConfig::default()).unwrap();
        assert!(import.notes().is_empty(), "{:?}", import.notes());
        import.create_run(dir.path().join("again"), OnExisting::Refuse).unwrap();
        let again = TextModel::load(dir.path().join("again"), &CPU).unwrap();
        assert_eq!(again.eval(&text).unwrap(), model.eval(&text).unwrap(), "{tokens:?}");
        assert_eq!(again.model().vocab_size(), model.model().vocab_size());
        let write = |model: &TextModel| model.generate(&GenerateConfig::default(), |_| Continue(())).unwrap();
        assert_eq!(write(&again), write(&model), "{tokens:?}");
        let level = ImportConfig { level: Some(Level::Word), ..ImportConfig::default() };
        if tokens.level == Level::Bpe {
            let error = Import::read(&weights, Some(&vocabulary), &level).unwrap_err().to_string();
            assert!(error.contains("v.json") && error.contains("tokenizer.json"), "{error}");
        }
    }
}

#[test]
fn training_begins_from_an_imported_model() {
    let dir = folder();
    let model = imported(dir.path(), &fixture("lstm"), 0);
    let corpus = Corpus::from_text("text", "bad cafe\nfed a bee\n".repeat(20)).unwrap();
    let config = TrainConfig {
        model: ModelConfig::new(Cell::Gru, 30, 1).dropout(0.1),
        batch: 2,
        seq: 8,
        length: Length::Steps(30),
        learning_rate: 0.02,
        ..TrainConfig::default()
    };
    let mut trainer = Trainer::begin_from(&corpus, &model, config).unwrap();
    let valid = |trainer: &Trainer| trainer.validate().unwrap().unwrap().loss;
    let before = valid(&trainer);
    let parts = corpus.split(&trainer.config().split).unwrap();
    let part = Corpus::from_text("part", parts.valid).unwrap();
    assert_eq!(before, model.eval(&part).unwrap().loss);
    let layers = &trainer.config().model;
    assert_eq!((layers.cell, layers.hidden, layers.layers, layers.dropout), (Cell::Lstm, 6, 2, 0.1));
    while trainer.steps_left() > 0 {
        trainer.step().unwrap();
    }
    assert!(valid(&trainer) < 0.8 * before);
    // What was imported has no training of its own to go on with, and fits any text.
    let run = gdl_train::RunDir::open(dir.path().join("run-2")).unwrap();
    let error = Trainer::resume(&run, &corpus, None, &CPU).unwrap_err().to_string();
    assert!(error.contains("run-2") && error.contains("imported"), "{error}");
    assert_eq!(model.copies(&["a bee"], &corpus).unwrap().samples[0].copied, 5);
}

/// The error of importing tensors under these names with the first vocabulary.
fn refused(dir: &Path, tensors: &Tensors) -> String {
    save_pth(dir.join("bad.pth"), tensors).unwrap();
    let error = read(dir, &dir.join("bad.pth"), 0).unwrap_err().to_string();
    assert!(error.contains("bad.pth") && !error.contains('\n'), "{error}");
    error
}

#[test]
fn what_is_no_such_model_is_refused_by_one_line() {
    let (dir, fixtures) = (folder(), Fixture::load("exchange"));
    let dir = dir.path();
    for (name, says) in
        [("bidirectional", "both directions"), ("projection", "proj_size"), ("plain", "nn.RNN")]
    {
        let of = |key: &String| Some((key.strip_prefix(&format!("{name}."))?.to_string(), fixtures.get(key)));
        let tensors: Tensors = fixtures.names().iter().filter_map(of).collect();
        let error = refused(dir, &tensors);
        assert!(error.contains(says) && error.contains("rnn"), "{error}");
    }

    let good = load_pth(fixture("lstm"), |_| true).unwrap();
    let good: Tensors = good.into_iter().map(|(k, t)| (k.replace("module.", ""), t)).collect();
    type Change<'a> = (&'a [&'a str], &'a dyn Fn(&mut Tensors));
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &CPU).unwrap();
    let rename = |t: &mut Tensors, a: &str, b: &str| {
        let tensor = t.remove(a).unwrap();
        t.insert(b.into(), tensor);
    };
    let changes: &[Change<'_>] = &[
        (&["bn.weight", "no part"], &|t| drop(t.insert("bn.weight".into(), zeros(&[6])))),
        (&["bias_ih and bias_hh", "layer 1"], &|t| drop(t.remove("rnn.bias_ih_l1"))),
        (&["weight_hh is missing", "layer 0"], &|t| drop(t.remove("rnn.weight_hh_l0"))),
        (&["rnn", "layer 0 is missing"], &|t| t.retain(|name, _| !name.ends_with("l0"))),
        (&["no recurrent layers"], &|t| t.retain(|name, _| !name.starts_with("rnn"))),
        (&["(V, 5)", "read the tokens"], &|t| drop(t.remove("encoder.weight"))),
        (&["(9, 6)", "score the tokens"], &|t| t.retain(|name, _| !name.starts_with("decoder"))),
        (&["several recurrent networks, other, rnn"], &|t| {
            drop(t.insert("other.weight_ih_l0".into(), zeros(&[24, 5])))
        }),
        (&["layer 2 is missing"], &|t| rename(t, "rnn.weight_ih_l0", "rnn.weight_ih_l7")),
        (&["layer 1 reads 7"], &|t| drop(t.insert("rnn.weight_ih_l1".into(), zeros(&[24, 7])))),
        (&["weight_hh is of shape [25, 6]"], &|t| drop(t.insert("rnn.weight_hh_l1".into(), zeros(&[25, 6])))),
        (&["a bias is of shape [7]"], &|t| drop(t.insert("rnn.bias_ih_l0".into(), zeros(&[7])))),
        (&["scored by 7 features", "give 6"], &|t| drop(t.insert("decoder.weight".into(), zeros(&[9, 7])))),
        (&["a.weight and b.weight", "cannot be told"], &|t| {
            rename(t, "encoder.weight", "a.weight");
            t.insert("b.weight".into(), zeros(&[9, 5]));
        }),
        (&["encoder.weight holds NaN"], &|t| {
            drop(t.insert("encoder.weight".into(), (zeros(&[9, 5]) / 0.0).unwrap()))
        }),
        (&["encoder.weight and module.encoder.weight"], &|t| {
            drop(t.insert("module.encoder.weight".into(), zeros(&[9, 5])))
        }),
        (&["i64"], &|t| drop(t.insert("count".into(), Tensor::new(&[1i64], &CPU).unwrap()))),
    ];
    for (says, change) in changes {
        let mut tensors = good.clone();
        change(&mut tensors);
        let error = refused(dir, &tensors);
        assert!(says.iter().all(|part| error.contains(part)), "{says:?} is not in: {error}");
    }

    fs::write(dir.join("3.json"), r#"["a", "b"]"#).unwrap();
    let error = read(dir, &fixture("lstm"), 3).unwrap_err().to_string();
    assert!(error.contains("3.json") && error.contains("2 tokens") && error.contains("is for 9"), "{error}");
    fs::write(dir.join("text.pth"), "no state dict").unwrap();
    for file in ["text.pth", "not-there.pth"] {
        let error = read(dir, &dir.join(file), 0).unwrap_err().to_string();
        assert!(error.contains(file), "{error}");
    }
    save_tensors(dir.join("half.safetensors"), &good, &BTreeMap::new()).unwrap();
    assert!(read(dir, &dir.join("half.safetensors"), 0).is_ok());
}

// ---- textgenrnn -------------------------------------------------------------------------------------------------------

fn textgenrnn(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("textgenrnn-{name}.safetensors"))
}

fn read_textgenrnn(dir: &Path, weights: &Path) -> TextModel {
    let import = Import::read(weights, None, &ImportConfig::default()).unwrap();
    assert!(import.to_string().ends_with("7 tokens (char), attention over the last 5"), "{import}");
    let run = dir.join(format!("run-{}", fs::read_dir(dir).unwrap().count()));
    import.create_run(&run, OnExisting::Refuse).unwrap();
    TextModel::load(&run, &CPU).unwrap()
}

#[test]
fn models_of_textgenrnn_compute_what_keras_computes() {
    let (dir, expected) = (tempfile::tempdir().unwrap(), Fixture::load("textgenrnn"));
    let ids = expected.get("texts").to_dtype(candle_core::DType::U32).unwrap();
    for name in ["plain", "hard", "single"] {
        let model = read_textgenrnn(dir.path(), &textgenrnn(name));
        let (logits, _) = model.model().forward(&ids, None).unwrap();
        // Sums of some ten products in f32, gates between them.
        assert_close(&logits, &expected.get(&format!("{name}.logits")), 1e-5, 1e-5, name);
        // Read in pieces, the state carried on.
        let (a, state) = model.model().forward(&ids.narrow(1, 0, 7).unwrap(), None).unwrap();
        let (b, _) = model.model().forward(&ids.narrow(1, 7, 5).unwrap(), Some(&state)).unwrap();
        assert_close(&Tensor::cat(&[a, b], 1).unwrap(), &logits, 1e-6, 1e-6, name);
        if name == "single" {
            assert_eq!(model.tokenizer().token(6).unwrap(), "<s>");
            continue;
        }
        let first: Vec<u32> = ids.get(0).unwrap().to_vec1().unwrap();
        let text = model.tokenizer().decode(&first).unwrap();
        assert_eq!(text, "\nfox fox\neo ");
        let report = model.eval(&Corpus::from_text(name, text).unwrap()).unwrap();
        let loss = f64::from(expected.get(&format!("{name}.loss")).to_vec1::<f32>().unwrap()[0]);
        assert!((report.loss - loss).abs() < 1e-5, "{name}: {} is not {loss}", report.loss);
    }
}

#[test]
fn models_of_textgenrnn_write_as_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let model = read_textgenrnn(dir.path(), &textgenrnn("plain"));
    let config = GenerateConfig { prompt: "fox ".into(), length: 12, ..GenerateConfig::default() };
    let likeliest = model.generate(&config.clone().temperature(0.0), |_| Continue(())).unwrap();
    let mut ids = model.tokenizer().encode("fox ").unwrap();
    for c in likeliest.chars() {
        let (logits, _) =
            model.model().forward(&Tensor::new(&ids[..], &CPU).unwrap().unsqueeze(0).unwrap(), None).unwrap();
        let last: Vec<f32> = logits.get(0).unwrap().get(ids.len() - 1).unwrap().to_vec1().unwrap();
        let best = (1..7).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap() as u32;
        assert_eq!(model.tokenizer().token(best).unwrap(), c.to_string());
        ids.push(best);
    }
    // Side by side as alone, and on from a saved prompt.
    let config = config.temperature(1.0);
    let alone = model.generate(&config, |_| Continue(())).unwrap();
    let mut samples = Vec::new();
    let writer = model.writer(&config).unwrap();
    writer
        .samples(0..5, 3, |sample| {
            samples.push(sample.text);
            Continue(())
        })
        .unwrap();
    assert_eq!((samples.len(), &samples[0]), (5, &alone));
    let path = dir.path().join("prompt");
    model.save_prompt(&model.read("fox ", None).unwrap(), &path).unwrap();
    let prompt = model.load_prompt(&path).unwrap();
    assert_eq!(model.writer_after(prompt, &config).unwrap().generate(|_| Continue(())).unwrap(), alone);
    // What a text begins with is what an empty prompt is read as.
    let empty = model.read("", None).unwrap();
    assert_eq!(empty.tokens(), [6]);
    assert_eq!(read_textgenrnn(dir.path(), &textgenrnn("single")).read("", None).unwrap().tokens(), [0]);
}

#[test]
fn what_does_not_go_with_models_of_textgenrnn_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let model = read_textgenrnn(dir.path(), &textgenrnn("hard"));
    let corpus = Corpus::from_text("text", "fox fox\n".repeat(100)).unwrap();
    let error = Trainer::begin_from(&corpus, &model, TrainConfig::default()).unwrap_err().to_string();
    assert!(error.contains("not trained here"), "{error}");
    let error = model.export(dir.path().join("a.pth"), Names::Gdl).unwrap_err().to_string();
    assert!(error.contains("textgenrnn"), "{error}");
    let vocabulary = dir.path().join("v.json");
    fs::write(&vocabulary, r#"["a", "b"]"#).unwrap();
    let error = Import::read(textgenrnn("hard"), Some(&vocabulary), &ImportConfig::default()).unwrap_err();
    assert!(error.to_string().contains("v.json") && error.to_string().contains("inside"), "{error}");

    let (tensors, metadata) = load_tensors(textgenrnn("plain"), &CPU).unwrap();
    let file = dir.path().join("bad.safetensors");
    let refused = |tensors: &Tensors, metadata: &BTreeMap<String, String>| {
        save_tensors(&file, tensors, metadata).unwrap();
        let error = Import::read(&file, None, &ImportConfig::default()).unwrap_err().to_string();
        assert!(error.contains("bad.safetensors") && !error.contains('\n'), "{error}");
        error
    };
    for (key, value) in [
        ("max_length", "0"),
        ("max_length", "many"),
        ("recurrent_activation", "relu"),
        ("single_text", "no"),
        ("vocabulary", "[]"),
        ("vocabulary", r#"["a", "<s>"]"#),
        ("vocabulary", r#"["<unk>", "a", "b", "c", "d", "e", "f"]"#),
    ] {
        let mut metadata = metadata.clone();
        metadata.insert(key.into(), value.into());
        let error = refused(&tensors, &metadata);
        assert!(error.contains(key) && error.contains("convert it anew"), "{error}");
    }
    let mut less = tensors.clone();
    less.remove("attention.weight");
    assert!(refused(&less, &metadata).contains("attention.weight is missing"));
    assert!(refused(&tensors, &BTreeMap::new()).contains("no vocabulary inside"));
    let mut fewer = metadata.clone();
    fewer.insert("vocabulary".into(), r#"["<unk>", "<s>", "a"]"#.into());
    assert!(refused(&tensors, &fewer).contains("3 tokens"), "{}", refused(&tensors, &fewer));
}
