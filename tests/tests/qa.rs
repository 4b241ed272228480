//! Questions about passages: parity of the book's network with PyTorch, tables and vectors, training, asking, scores.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init, missing_docs)]

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_seq2seq::{LossConfig, Sources, Targets};
use gdl_tests::{Fixture, assert_bitwise, assert_close};
use gdl_text::drawn::{DrawnPart, stories, write_newsqa};
use gdl_text::qa::{
    AskConfig, Asked, Model, Network, Question, Questions, RunConfig, TrainConfig, Trainer, Vectors,
    VectorsConfig,
};
use gdl_text::seq2seq::{Search, TeacherForcing, WriteConfig, Written};
use gdl_text::{BeamConfig, Error, Length, SamplingConfig, Tokenizer, TokenizerConfig};
use gdl_train::{OnExisting, RunDir, save_tensors};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow::{Break, Continue};

const DEV: Device = Device::Cpu;

/// The network of tests/fixtures/qa.py, for its 11 words.
fn book() -> TrainConfig {
    let mut config = TrainConfig::book();
    config.tagger = 3;
    let model = &mut config.training.model;
    (model.embedding, model.hidden, model.source_vocab, model.target_vocab) = (4, 5, 11, 11);
    (model.pad, model.bos, model.eos, model.unk) = (0, 1, 2, 3);
    config
}

const PASSAGES: [&[u32]; 3] = [&[4, 5, 6, 7, 8, 4], &[9, 10, 3], &[5, 5, 8, 6]];
const QUESTIONS: [&[u32]; 3] = [&[7, 4, 9], &[3], &[10, 6, 5, 4]];

fn tags() -> Vec<Vec<bool>> {
    let row = |text: &str| text.chars().map(|c| c == 'x').collect();
    ["..xxx.", ".x.", "x..x"].map(row).to_vec()
}

#[test]
fn the_books_network_agrees_with_pytorch() {
    let (fixture, config, tags) = (Fixture::load("qa"), book(), tags());
    let model = &config.training.model;
    // f64: both sides round some hundred operations at 1e-16 each. f32 against it: the same at 6e-8.
    for (dtype, tol) in [(DType::F64, 1e-12), (DType::F32, 5e-5)] {
        let vars: HashMap<String, Var> = fixture
            .vars("model")
            .into_iter()
            .map(|(k, v)| (k, Var::from_tensor(&v.to_dtype(dtype).unwrap()).unwrap()))
            .collect();
        let tensors = vars.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
        let network = Network::new(&config, VarBuilder::from_tensors(tensors, dtype, &DEV)).unwrap();
        let passages = Sources::new(&PASSAGES, model, &DEV).unwrap();
        let questions = Targets::new(&QUESTIONS, model, &DEV).unwrap();
        let forward = network.forward_t(&passages, &tags, &questions, true).unwrap();
        let check = |key: &str, got: &Tensor| assert_close(got, &fixture.get(key), tol, tol, key);
        let (of_tags, of_questions) =
            (network.tag_logits(&forward).unwrap(), network.question_logits(&forward).unwrap());
        for n in 0..3 {
            let rows = |x: &Tensor, len: usize| x.get(n).unwrap().narrow(0, 0, len).unwrap();
            check(&format!("tags.{n}"), &rows(&of_tags, PASSAGES[n].len()));
            check(&format!("questions.{n}"), &rows(&of_questions, QUESTIONS[n].len() + 1));
        }
        let losses = network.losses(&forward, &passages, &tags, &questions, &LossConfig::default()).unwrap();
        check("tag_loss", &losses.tags);
        check("question_loss", &losses.questions);
        let grads = losses.sum().unwrap().backward().unwrap();
        for (key, var) in &vars {
            check(&format!("grad.{key}"), grads.get(var).unwrap_or_else(|| panic!("no gradient of {key}")));
        }
        let p = network.tag(&passages).unwrap();
        assert_eq!(p.iter().map(Vec::len).collect::<Vec<_>>(), [6, 3, 4]);
        let want = candle_nn::ops::softmax(&fixture.get("tags.1"), 1).unwrap().get_on_dim(1, 1).unwrap();
        assert_close(&Tensor::new(p[1].as_slice(), &DEV).unwrap(), &want, 5e-5, 0.0, "probabilities");
    }
}

#[test]
fn the_books_network_writes_what_pytorch_writes() {
    let fixture = Fixture::load("qa");
    let dir = tempfile::tempdir().unwrap();
    let mut config = book();
    config.training.tokenizer = config.training.tokenizer.min_count(1);
    let names: Vec<String> = (4..11).map(|id| format!("w{id}")).collect();
    let tokenizer = Tokenizer::from_tokens(&names, &config.training.tokenizer).unwrap();
    // Word 3 is the unknown one.
    let text = |ids: &[u32]| ids.iter().map(|id| format!("w{id}")).collect::<Vec<_>>().join(" ");
    let ranges = [vec![2..5], vec![1..2], vec![0..1, 3..4]];
    let rows = PASSAGES.iter().zip(QUESTIONS).zip(ranges).map(|((p, q), ranges)| (text(p), text(q), ranges));
    let questions = Questions::from_rows("fixture", rows).unwrap();
    assert_eq!(questions.rows().iter().map(Question::tags).collect::<Vec<_>>(), tags());
    let run_config = RunConfig {
        kind: "question-answer".into(),
        qa: config,
        questions: questions.mark(),
        valid: None,
        longest_passage: 6,
    };
    let run = RunDir::create(dir.path().join("run"), &run_config, OnExisting::Refuse).unwrap();
    tokenizer.save(run.path().join("tokenizer.json")).unwrap();
    let weights: BTreeMap<_, _> = fixture
        .vars("model")
        .into_iter()
        .map(|(k, v)| (k, v.as_tensor().to_dtype(DType::F32).unwrap()))
        .collect();
    save_tensors(run.weights_path(), &weights, &BTreeMap::new()).unwrap();
    let model = Model::load(run.path(), false, &DEV).unwrap();
    let config = WriteConfig { max_length: 6, ..WriteConfig::default() };
    let written = model.ask_for(questions.rows(), &config).unwrap();
    for (n, written) in written.iter().enumerate() {
        let want = fixture.get(&format!("greedy.{n}")).to_vec1::<i64>().unwrap();
        let want = text(&want[1..].iter().map(|&id| id as u32).collect::<Vec<_>>());
        assert_eq!(written[0].text, want);
    }
    // One alone, and all by beams of one.
    let alone = model.ask_for(&questions.rows()[2..], &config).unwrap();
    assert_eq!(alone[0][0].text, written[2][0].text);
    let search = Search::Beam(BeamConfig { beams: 1, ..BeamConfig::default() });
    let beam = model.ask_for(questions.rows(), &WriteConfig { search, ..config }).unwrap();
    assert_eq!(beam[0][0].text, written[0][0].text);
}

/// Rows in which one invented person sees another; no name comes twice.
fn seen(from: usize, rows: usize) -> Vec<(String, String, Vec<std::ops::Range<usize>>)> {
    let name = |n: usize| {
        let syllables = ["Ba", "le", "mo", "ri", "tu", "ka", "ne", "so"];
        format!("{}{}{}{}", syllables[n % 8], syllables[n / 8 % 8], syllables[n / 64 % 8], n / 512)
    };
    let verbs = ["saw", "met"];
    (from..from + rows)
        .map(|n| {
            let (a, b, verb) = (name(2 * n), name(2 * n + 1), verbs[n % 2]);
            (format!("today {a} {verb} {b} ."), format!("who {verb} {b} ?"), vec![1..2])
        })
        .collect()
}

fn small(mut config: TrainConfig, steps: usize) -> TrainConfig {
    config.tagger = 12;
    let training = &mut config.training;
    (training.model.embedding, training.model.hidden, training.model.dropout) = (12, 24, 0.0);
    (training.length, training.batch, training.learning_rate) = (Length::Steps(steps), 16, 0.01);
    config
}

fn trained(questions: &Questions, config: TrainConfig) -> Trainer {
    let mut trainer = Trainer::new(questions, None, config, &DEV).unwrap();
    while trainer.steps_left() > 0 {
        trainer.step().unwrap();
    }
    trainer
}

#[test]
fn a_pointer_network_learns_to_ask_about_names_that_it_has_never_seen() {
    let questions = Questions::from_rows("seen", seen(0, 300)).unwrap();
    let config = small(TrainConfig::pointer(), 250);
    let model = trained(&questions, config).model();
    let test = Questions::from_rows("test", seen(1000, 40)).unwrap();
    let passages: Vec<&str> = test.rows().iter().map(Question::passage).collect();
    let asked = model.ask(&passages, &AskConfig::default()).unwrap();
    let is_right = |(asked, row): (&Vec<Asked>, &Question)| match asked.as_slice() {
        [one] => one.answer == row.answer_text() && one.questions[0].text == row.question(),
        _ => false,
    };
    let right = asked.iter().zip(test.rows()).filter(|pair| is_right(*pair)).count();
    assert!(right >= 36, "{right} of 40: {:?}", &asked[..3]);

    let config = AskConfig::default();
    let scores = model.evaluate(&test, &config).unwrap();
    assert!(scores.tags.f1 > 0.9 && scores.given.bleu.score > 90.0 && scores.found.bleu.score > 90.0);
    assert!(scores.perplexity < 1.5 && (scores.perplexity - scores.loss.exp()).abs() < 1e-12, "{scores:?}");
    assert_eq!((scores.questions, scores.question_words, scores.unknown), (40, 200, 0));
    // Several questions for an answer, the best first; samples.
    let search = Search::Beam(BeamConfig { beams: 3, n_best: 2, ..BeamConfig::default() });
    let write = WriteConfig { search, ..WriteConfig::default() };
    let beams = model.ask(&passages[..2], &AskConfig { write, ..config.clone() }).unwrap();
    assert!(
        beams[0][0].questions.len() == 2 && beams[0][0].questions[0].score >= beams[0][0].questions[1].score
    );
    let write = WriteConfig { search: Search::Sample(3), ..WriteConfig::default() };
    let drawn = AskConfig { write, ..config };
    let samples = model.ask(&passages[..2], &drawn).unwrap();
    assert_eq!(samples[1][0].questions.len(), 3);
    assert_eq!(samples, model.ask(&passages[..2], &drawn).unwrap());
    assert!(matches!(model.evaluate(&test, &drawn), Err(Error::Setting { key: "sample", .. })));
}

#[test]
fn the_books_network_learns_too() {
    let rows = ["fox slept", "crow ate", "wolf ran", "goat sang"].map(|fact| {
        let (who, did) = fact.split_once(' ').unwrap();
        (format!("The {who} {did} ."), format!("Who {did} ?"), vec![1..2])
    });
    let rows = rows.iter().cycle().take(40).cloned();
    let questions = Questions::from_rows("facts", rows).unwrap();
    let model = trained(&questions, small(TrainConfig::book(), 150)).model();
    // In lower case, but the answer as it stands; nothing to read is nothing to ask.
    let asked = model.ask(&["THE CROW ATE .", "", "  The  goat sang ."], &AskConfig::default()).unwrap();
    let found: Vec<Vec<(&str, &str)>> = asked
        .iter()
        .map(|all| all.iter().map(|a| (a.answer.as_str(), a.questions[0].text.as_str())).collect())
        .collect();
    assert_eq!(found, [vec![("CROW", "who ate ?")], vec![], vec![("goat", "who sang ?")]]);
    let scores = model.evaluate(&questions, &AskConfig::default()).unwrap();
    assert!(scores.given.exact_match == 1.0 && scores.tags.f1 == 1.0, "{scores:?}");
}

#[test]
fn what_is_written_has_the_probability_that_a_whole_pass_gives_it() {
    let questions = Questions::from_stories("stories", &stories(DrawnPart::Train, 60, 3)).unwrap();
    for config in [TrainConfig::book(), TrainConfig::pointer()] {
        let model = trained(&questions, small(config, 100)).model();
        let sampling = SamplingConfig { min_length: 1, ..SamplingConfig::new(1.0) };
        let write = WriteConfig { max_length: 40, sampling, ..WriteConfig::default() };
        let written = model.ask_for(questions.rows(), &write).unwrap();
        // Those that have ended: their words and the end are as likely as they were.
        let ended = |(_, w): &(&Question, &Vec<Written>)| w[0].tokens.len() < 40;
        let ended: Vec<_> = questions.rows().iter().zip(&written).filter(ended).collect();
        assert!(ended.len() > 5, "{} of {}", ended.len(), written.len());
        let sum: f64 = ended.iter().map(|(_, w)| w[0].log_prob).sum();
        let again = ended.iter().map(|(row, w)| (row.passage(), &w[0].text, row.answer().to_vec()));
        let again = Questions::from_rows("again", again).unwrap();
        let scores = model.evaluate(&again, &AskConfig { write, ..AskConfig::default() }).unwrap();
        let whole = -scores.loss * scores.question_words as f64;
        assert_eq!(scores.given.exact_match, 1.0);
        assert!((sum - whole).abs() < 1e-3 * whole.abs(), "{sum}, not {whole}");
    }
}

fn settings(mut config: TrainConfig) -> TrainConfig {
    config = small(config, 9);
    (config.training.model.dropout, config.training.eval_every, config.training.batch) = (0.3, 4, 8);
    config
}

#[test]
fn stopped_and_resumed_is_bit_for_bit_the_same() {
    let questions = Questions::from_stories("stories", &stories(DrawnPart::Train, 40, 1)).unwrap();
    let valid = Questions::from_stories("valid", &stories(DrawnPart::Valid, 10, 1)).unwrap();
    for config in [TrainConfig::book(), TrainConfig::pointer()] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = settings(config);
        if config.training.model.copy {
            config.training.teacher_forcing = TeacherForcing::Linear(0.5);
        }
        let run = |name: &str, stop: usize| {
            let mut trainer = Trainer::new(&questions, Some(&valid), config.clone(), &DEV).unwrap();
            let run = trainer.create_run(dir.path().join(name), OnExisting::Refuse).unwrap();
            trainer.sample_every(3);
            let flow = |event: &gdl_text::Event| match event {
                gdl_text::Event::Step { report, .. } if report.step == stop => Break(()),
                _ => Continue(()),
            };
            trainer.run(Some(&run), flow).unwrap();
            (trainer, run)
        };
        let (whole, whole_run) = run("whole", 99);
        let (_, stopped) = run("stopped", 5);
        let mut resumed = Trainer::resume(&stopped, &questions, Some(&valid), None, &DEV).unwrap();
        assert_eq!((resumed.steps_done(), resumed.steps_left()), (5, 4));
        let summary = resumed.run(Some(&stopped), |_| Continue(())).unwrap();
        assert_eq!((summary.steps, summary.stopped), (9, false));
        let (a, b) = (whole.store().tensors(), resumed.store().tensors());
        assert_eq!(a.len(), b.len());
        a.iter().for_each(|(name, tensor)| assert_bitwise(&b[name], tensor, name));

        // What a run keeps, and what it is loaded with.
        for file in ["config.json", "tokenizer.json", "weights.safetensors", "best.safetensors", "index.html"]
        {
            assert!(stopped.path().join(file).is_file(), "{file}");
        }
        let sample = std::fs::read_to_string(whole_run.path().join("samples/step-3.txt"));
        let sample = sample.or_else(|_| {
            let first = std::fs::read_dir(whole_run.path().join("samples")).unwrap().next().unwrap().unwrap();
            std::fs::read_to_string(first.path())
        });
        assert!(sample.unwrap().contains("passage   "));
        let model = Model::load(stopped.path(), true, &DEV).unwrap();
        let passages = [valid.rows()[0].passage()];
        assert_eq!(model.tags(&passages).unwrap(), resumed.model().tags(&passages).unwrap());

        // Other questions, and validation on others or none.
        let refused = |questions: &Questions, valid: Option<&Questions>| {
            let error = Trainer::resume(&stopped, questions, valid, None, &DEV).unwrap_err();
            assert!(matches!(error, Error::Mismatch { .. }), "{error}");
        };
        refused(&valid, Some(&valid));
        refused(&questions, Some(&questions));
        refused(&questions, None);
        assert!(gdl_text::seq2seq::Model::load(stopped.path(), false, &DEV).is_err());
    }
}

#[test]
fn tables_are_read_by_the_names_of_their_columns() {
    let drawn = stories(DrawnPart::Test, 20, 1);
    let mut table = Vec::new();
    write_newsqa(&drawn, &mut table).unwrap();
    let read = Questions::from_reader("table", table.as_slice()).unwrap();
    assert_eq!(read.rows(), Questions::from_stories("drawn", &drawn).unwrap().rows());
    assert_eq!(read.rows()[3].answer_text(), drawn[3].answer_text());

    let text = "\u{feff}id,answer_token_ranges,question,x,story_text\r\n\
                7,\"0:1, 3:5\",what  now ?,,\"a  b\nc d e\"\r\n7,1:2,and then ?,,a b c d e\r\n";
    let read = Questions::from_reader("table", text.as_bytes()).unwrap();
    assert_eq!((read.rows()[0].passage(), read.rows()[0].question()), ("a b c d e", "what now ?"));
    assert_eq!((read.rows()[0].answer_text(), read.rows()[1].answer_text()), ("a d e".into(), "b".into()));
    assert_ne!(
        read.mark(),
        Questions::from_reader("table", text.replace("1:2", "1:3").as_bytes()).unwrap().mark()
    );
}

#[test]
fn broken_tables_are_named_with_the_line() {
    let head = "story_text,question,answer_token_ranges\n";
    for (rows, line, says) in [
        ("a b,c,0:1\na b,c,0:3\n", 3, "the answer 0:3 goes beyond the 2 words"),
        ("a b,c,1:1\n", 2, "1:1 has no words"),
        ("a b,c,2:1\n", 2, "2:1 has no words"),
        ("a b,c,\n", 2, "expected an answer like 3:5"),
        ("a b,c,one\n", 2, "found \"one\""),
        ("a b,c,-1:1\n", 2, "found \"-1:1\""),
        ("a b,c,\"0:1,\"\n", 2, "found \"0:1,\""),
        ("a b,c,0:99999999999999999999999\n", 2, "expected an answer"),
        (" ,c,0:1\n", 2, "the passage is empty"),
        ("a b, ,0:1\n", 2, "the question is empty"),
        ("a b,c\n", 2, "2 fields"),
    ] {
        let error = Questions::from_reader("t.csv", format!("{head}{rows}").as_bytes()).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("t.csv, line {line}: ")) && text.contains(says), "{text}");
    }
    let error = Questions::from_reader("t.csv", "story_text,answer_token_ranges\n".as_bytes()).unwrap_err();
    let says =
        "t.csv, line 1: the first row names no column \"question\"; it has story_text, answer_token_ranges";
    assert_eq!(error.to_string(), says);
    for empty in ["", head] {
        assert!(matches!(Questions::from_reader("t.csv", empty.as_bytes()), Err(Error::Empty { .. })));
    }
    let bytes = [head.as_bytes(), b"a \xff,c,0:1\n"].concat();
    let error = Questions::from_reader("t.csv", bytes.as_slice()).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("UTF-8"), "{error}");
    let error = Questions::open("nowhere.csv").unwrap_err().to_string();
    assert!(error.contains("nowhere.csv"), "{error}");
    assert!(matches!(Questions::from_rows("rows", [("a", "b", vec![])]), Err(Error::Table { line: 1, .. })));
}

#[test]
fn vectors_are_where_training_begins() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("vectors.txt");
    // The first line is that of word2vec; the second "the" is not taken.
    std::fs::write(&file, "4 3\nthe 1 2 3\nwho -0.5 0.25 1e-2\nrare 7 7 7\nthe 9 9 9\n").unwrap();
    let rows =
        seen(0, 20).into_iter().map(|(p, q, r)| (p.replace("today", "The"), q.replace("who", "Who"), r));
    let questions = Questions::from_rows("seen", rows).unwrap();
    for (config, freeze, tables) in [
        (TrainConfig::book(), false, &["tagger.embedding.weight"][..]),
        (
            TrainConfig::pointer(),
            true,
            &[
                "tagger.embedding.weight",
                "writer.encoder.embedding.weight",
                "writer.decoder.embedding.weight",
            ][..],
        ),
    ] {
        let mut config = small(config, 2);
        config.vectors = Some(VectorsConfig { path: file.clone(), freeze });
        let mut trainer = Trainer::new(&questions, None, config.clone(), &DEV).unwrap();
        assert_eq!(trainer.config().training.model.embedding, 3);
        let known = trainer.known_words().unwrap();
        assert_eq!(known.0, 2, "the pointer's \"The\" and \"Who\" take those in lower case");
        let before: Vec<Tensor> =
            tables.iter().map(|table| trainer.store().vars()[*table].as_tensor().copy().unwrap()).collect();
        for table in &before {
            let rows = table.to_vec2::<f32>().unwrap();
            assert!(rows.contains(&vec![1.0, 2.0, 3.0]) && rows.contains(&vec![-0.5, 0.25, 0.01]));
            assert!(!rows.contains(&vec![7.0; 3]) && !rows.contains(&vec![9.0; 3]));
        }
        let run = trainer.create_run(dir.path().join(format!("run-{freeze}")), OnExisting::Refuse).unwrap();
        trainer.run(Some(&run), |_| Continue(())).unwrap();
        for (name, before) in tables.iter().zip(&before) {
            let moved = gdl_tests::max_abs_diff(trainer.store().vars()[*name].as_tensor(), before) > 0.0;
            assert_eq!(moved, !freeze, "{name}");
        }
        // Going on takes the vectors from the checkpoint.
        std::fs::rename(&file, dir.path().join("away")).unwrap();
        let resumed = Trainer::resume(&run, &questions, None, Some(Length::Steps(3)), &DEV).unwrap();
        assert_eq!(resumed.steps_left(), 1);
        std::fs::rename(dir.path().join("away"), &file).unwrap();
    }
    let none = Questions::from_rows(
        "others",
        ["x y", "y x", "x y", "y x"].map(|passage| (passage, "x", vec![0..1])),
    )
    .unwrap();
    let mut config = small(TrainConfig::book(), 2);
    config.vectors = Some(VectorsConfig { path: file, freeze: false });
    let error = Trainer::new(&none, None, config, &DEV).unwrap_err().to_string();
    assert!(error.contains("vectors.txt: has none of the words"), "{error}");
}

#[test]
fn broken_vectors_are_named_with_the_line() {
    let wanted = HashSet::from(["b".to_string()]);
    for (text, line, says) in [
        ("a 1 2\nb 1\n", 2, "expected a word and 2 numbers, as before, found 1 behind \"b\""),
        ("a 1 2\nc 1 2 3\n", 2, "found 3 behind \"c\""),
        ("a 1 2\nb 1 x\n", 2, "found \"x\""),
        ("a 1 2\nb 1 nan\n", 2, "found \"nan\""),
        ("a 1 2\n\nb 1 2\n", 2, "expected a word and numbers"),
        ("a\n", 1, "expected a word and numbers"),
    ] {
        let error = Vectors::from_reader("v.txt", text.as_bytes(), &wanted).unwrap_err().to_string();
        assert!(error.starts_with(&format!("v.txt, line {line}: ")) && error.contains(says), "{error}");
    }
    assert!(matches!(Vectors::from_reader("v.txt", "".as_bytes(), &wanted), Err(Error::Empty { .. })));
    assert!(
        Vectors::from_reader("v.txt", &b"a 1\n\xff 2\n"[..], &wanted)
            .unwrap_err()
            .to_string()
            .contains("line 2")
    );
    assert!(Vectors::open("nowhere.txt", &wanted).unwrap_err().to_string().contains("nowhere.txt"));
    assert!(Vectors::from_reader("v.txt", "a 1 2\n".as_bytes(), &wanted).unwrap().is_empty());
}

#[test]
fn settings_outside_their_range_are_named() {
    let questions = Questions::from_rows("seen", seen(0, 20)).unwrap();
    let refused = |change: &dyn Fn(&mut TrainConfig), key: &str| {
        for (kind, config) in [("book", TrainConfig::book()), ("pointer", TrainConfig::pointer())] {
            let mut config = small(config, 2);
            change(&mut config);
            let error = Trainer::new(&questions, None, config, &DEV).unwrap_err().to_string();
            assert!(error.starts_with(key), "{kind}: {error}");
        }
    };
    refused(&|c| c.tagger = 0, "tagger: ");
    refused(&|c| c.training.batch = 0, "batch: ");
    refused(&|c| c.training.shared = false, "shared: ");
    refused(&|c| c.training.valid_rows = Some(20), "valid rows: ");
    refused(&|c| c.training.max_source = Some(1), "max source, max target: ");
    refused(&|c| c.training.tokenizer = TokenizerConfig::new(gdl_text::Level::Word), "tokenizer: ");
    let mut config = small(TrainConfig::book(), 2);
    config.training.teacher_forcing = TeacherForcing::Linear(0.5);
    assert!(
        Trainer::new(&questions, None, config, &DEV).unwrap_err().to_string().contains("teacher forcing")
    );
    let mut config = small(TrainConfig::book(), 2);
    config.training.model.layers = 2;
    assert!(Trainer::new(&questions, None, config, &DEV).unwrap_err().to_string().contains("one GRU layer"));

    let mut config = small(TrainConfig::book(), 2);
    config.training.max_source = Some(4);
    let rows = ["a b c d", "a b c d e"].repeat(2).into_iter().map(|passage| (passage, "a ?", vec![0..1]));
    let trainer = Trainer::new(&Questions::from_rows("two", rows).unwrap(), None, config, &DEV).unwrap();
    assert_eq!(trainer.counts(), (2, 1, 1));
    let ask = |config: AskConfig| trainer.model().ask(&["a b"], &config).unwrap_err().to_string();
    assert!(ask(AskConfig { threshold: 1.5, ..AskConfig::default() }).starts_with("threshold: "));
    let write = WriteConfig { attention: true, ..WriteConfig::default() };
    assert!(ask(AskConfig { write, ..AskConfig::default() }).contains("this model has no attention"));
}
