//! gdl-text: where texts come from, what their documents are, how they are cut into parts, and training on them.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::Device;
use gdl_text::{
    Cell, Corpus, CorpusConfig, Documents, Length, Level, ModelConfig, Preset, RunConfig, Split, SplitBy,
    TextModel, Tokenizer, TokenizerConfig, TrainConfig, Trainer, WordSplit,
};
use gdl_train::{OnExisting, RunDir};
use std::fs;
use std::ops::ControlFlow::Continue;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn files(named: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in named {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let path = dir.path().to_path_buf();
    (dir, path)
}

fn documents(documents: Documents) -> CorpusConfig {
    CorpusConfig { documents, ..CorpusConfig::default() }
}

fn open(path: &Path, config: CorpusConfig) -> Result<Corpus, String> {
    Corpus::open(path, config).map_err(|e| e.to_string())
}

#[test]
fn a_folder_is_its_files_by_name() {
    let (_dir, path) =
        files(&[("b.txt", b"two\n"), ("a/z.txt", "\u{feff}one\n".as_bytes()), (".hidden", b"no")]);
    let corpus = open(&path, CorpusConfig::default()).unwrap();
    assert_eq!((corpus.text().unwrap().as_str(), corpus.documents(), corpus.chars()), ("one\ntwo\n", 2, 8));
    let config = CorpusConfig { before: "<".into(), after: Some(">".into()), ..CorpusConfig::default() };
    assert_eq!(open(&path, config).unwrap().text().unwrap(), "<one\n><two\n>");
    let (_dir, empty) = files(&[]);
    assert!(open(&empty, CorpusConfig::default()).unwrap_err().contains("is empty"));
    let (_dir, path) = files(&[("a.txt", b"text"), ("b.png", b"\x89PNG\r\n\0")]);
    assert!(open(&path, CorpusConfig::default()).unwrap_err().contains("b.png is a binary file"));
}

#[test]
fn what_comes_through_a_pipe_is_a_corpus_like_any_other() {
    let text = "a line\nand another\n";
    let corpus = Corpus::from_reader("-", text.as_bytes(), documents(Documents::Lines)).unwrap();
    assert_eq!((corpus.text().unwrap().as_str(), corpus.documents(), corpus.origin()), (text, 2, "-"));
    assert_eq!(corpus.fnv1a(), Corpus::from_text("the same", text).unwrap().fnv1a());
    assert!(Corpus::from_reader("-", &b""[..], CorpusConfig::default()).is_err());
}

#[test]
fn documents_are_lines_or_what_blank_lines_part() {
    let of = |text: &str, config| Corpus::from_text_with("text", text, config).unwrap();
    let lines = of("one\r\n\ntwo\nthree", documents(Documents::Lines));
    assert_eq!((lines.text().unwrap().as_str(), lines.documents()), ("one\ntwo\nthree\n", 3));

    let stories = "THE FOX\n\n\nA fox.\n  It ran.\n\n\n\n\nTHE CROW\n\n\nA crow.\n";
    let parted = of(stories, documents(Documents::Blank(4)));
    assert_eq!(parted.documents(), 2);
    assert_eq!(parted.text().unwrap(), stories.trim_end().to_string() + "\n\n\n\n\n");
    let book = CorpusConfig { after: Some(String::new()), ..Preset::Book.reading() };
    let pad = "|".repeat(20);
    let want = format!("{pad}THE FOX\n\n\nA fox.\n  It ran.{pad}THE CROW\n\n\nA crow.");
    assert_eq!(of(stories, book).text().unwrap(), want);
    assert_eq!(of(stories, documents(Documents::Blank(2))).documents(), 4);
}

#[test]
fn documents_are_a_column_of_a_table() {
    let table = b"title,body\nFox,\"A fox, red.\nIt ran.\"\nCrow,A crow.\n";
    let (_dir, path) =
        files(&[("t.csv", table), ("t.tsv", b"a\tsay \"x\nb\ty\n"), ("ragged.csv", b"a,b\nc\n")]);
    let csv = open(&path.join("t.csv"), documents(Documents::Csv("body".into()))).unwrap();
    assert_eq!((csv.text().unwrap().as_str(), csv.documents()), ("A fox, red.\nIt ran.\nA crow.\n", 2));
    // By number there is no row of names, and a tab-separated file has no quotes.
    let tsv = open(&path.join("t.tsv"), documents(Documents::Csv("2".into()))).unwrap();
    assert_eq!(tsv.text().unwrap(), "say \"x\ny\n");
    let error = open(&path.join("t.csv"), documents(Documents::Csv("text".into()))).unwrap_err();
    assert!(error.contains("t.csv, line 1") && error.contains("it has title, body"), "{error}");
    let error = open(&path.join("ragged.csv"), documents(Documents::Csv("2".into()))).unwrap_err();
    assert!(error.contains("ragged.csv, line 2") && error.contains("1 columns"), "{error}");
}

#[test]
fn files_of_other_encodings() {
    let (_dir, path) = files(&[
        ("latin.txt", b"caf\xe9 \x80"),
        ("sixteen.txt", &"\u{feff}süß".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
        ("broken.txt", b"\x82"),
    ]);
    let encoding = |encoding: &str| CorpusConfig { encoding: encoding.into(), ..CorpusConfig::default() };
    let latin = path.join("latin.txt");
    assert_eq!(open(&latin, encoding("windows-1252")).unwrap().text().unwrap(), "café €");
    let error = open(&latin, encoding("utf-8")).unwrap_err();
    assert!(error.contains("byte 3 (line 1) is 0xE9") && error.contains("windows-1252"), "{error}");
    // A byte order mark counts more than what is said.
    assert_eq!(open(&path.join("sixteen.txt"), encoding("utf-8")).unwrap().text().unwrap(), "süß");
    let error = open(&path.join("broken.txt"), encoding("shift_jis")).unwrap_err();
    assert!(error.contains("no shift_jis"), "{error}");
    assert!(open(&latin, encoding("latin-9000")).unwrap_err().contains("there is no"));
}

#[test]
fn documents_are_kept_back_whole() {
    let text: String = (0..200).map(|i| format!("document {i}\n")).collect();
    let corpus = Corpus::from_text_with("text", text.as_str(), documents(Documents::Lines)).unwrap();
    let split = Split { valid: 0.1, test: 0.05, by: SplitBy::Documents };
    let parts = corpus.split(&split).unwrap();
    let lines = |part: &str| part.lines().map(str::to_string).collect::<Vec<_>>();
    let (train, valid, test) = (lines(&parts.train), lines(&parts.valid), lines(&parts.test));
    assert_eq!((train.len(), valid.len(), test.len()), (170, 20, 10));
    let mut all = [train, valid.clone(), test].concat();
    all.sort();
    let mut want = lines(&text);
    want.sort();
    assert_eq!(all, want);
    // From all over the corpus, and always the same.
    let numbers: Vec<usize> = valid.iter().map(|line| line[9..].parse().unwrap()).collect();
    assert!(numbers.iter().any(|&n| n < 100) && numbers.iter().any(|&n| n >= 100), "{numbers:?}");
    assert_eq!(corpus.split(&split).unwrap(), parts);
    let one = Corpus::from_text("one", "a document\n").unwrap();
    let error = one.split(&Split { valid: 0.9, ..split }).unwrap_err().to_string();
    assert!(error.contains("nothing of 1 document(s)"), "{error}");
}

#[test]
fn a_run_on_documents_goes_on_exactly_and_validates_on_a_text_of_its_own() {
    let (_dir, path) = files(&[("valid.csv", b"text\nthe ox ate the fox in the bow\n")]);
    let rows: String = (0..40).map(|i| format!("{i},the crow sat in the bow; the fox ate an ox\n")).collect();
    fs::write(path.join("train.csv"), format!("id,text\n{rows}")).unwrap();
    let reading = CorpusConfig {
        documents: Documents::Csv("text".into()),
        before: "|".into(),
        ..CorpusConfig::default()
    };
    let corpus = Corpus::open(path.join("train.csv"), reading.clone()).unwrap();
    let valid = Corpus::open(path.join("valid.csv"), reading.clone()).unwrap();
    let config = |steps| TrainConfig {
        model: ModelConfig::new(Cell::Lstm, 8, 1),
        batch: 4,
        seq: 8,
        length: Length::Steps(steps),
        split: Split { valid: 0.0, test: 0.0, by: SplitBy::Documents },
        ..TrainConfig::default()
    };
    let through = |steps: usize, name: &str| {
        let mut trainer = Trainer::new(&corpus, config(steps), &Device::Cpu).unwrap();
        trainer.validate_with(&valid).unwrap();
        let run = trainer.create_run(path.join(name), OnExisting::Refuse).unwrap();
        trainer.run(Some(&run), |_| Continue(())).unwrap();
        (trainer, run)
    };
    let (whole, _) = through(6, "whole");
    let (_, run) = through(3, "parts");
    let saved = RunConfig::read(&RunDir::open(run.path()).unwrap()).unwrap();
    assert_eq!(saved.reading, reading);
    saved.check_valid(&valid).unwrap();
    assert!(saved.check_valid(&corpus).unwrap_err().to_string().contains("was validated on"));
    let again = Corpus::open(path.join("train.csv"), saved.reading).unwrap();
    let mut resumed = Trainer::resume(&run, &again, Some(Length::Steps(6)), &Device::Cpu).unwrap();
    resumed.validate_with(&valid).unwrap();
    resumed.run(Some(&run), |_| Continue(())).unwrap();
    assert_eq!(resumed.validate().unwrap(), whole.validate().unwrap());
    assert!(resumed.validate().unwrap().is_some());
    // Without a prompt it begins where documents do.
    let model = TextModel::load(run.path(), &Device::Cpu).unwrap();
    assert_eq!(model.read("", None).unwrap().tokens(), model.tokenizer().encode("|").unwrap());
    assert_eq!(model.eval(&valid).unwrap(), resumed.validate().unwrap().unwrap());
}

#[test]
fn words_parted_by_spaces_are_the_treebanks() {
    let text = " aer <unk> N n't u.s. \n aer N rose \n";
    let config = TokenizerConfig::new(Level::Word).lowercase(false).min_count(1).words(WordSplit::Space);
    let tokenizer = Tokenizer::train(text, &config).unwrap();
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(ids.len(), 10);
    assert_eq!(ids.iter().filter(|&&id| Some(id) == tokenizer.unknown()).count(), 1);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "aer <unk> N n't u.s.\naer N rose\n");
    assert!(Preset::Zaremba.config().tokenizer.words == WordSplit::Space);
}
