//! `gdl text` on all that a text can be: folders, pipes, tables, other encodings; and with all kinds of tokens.

use crate::common::{CORPUS, Dir, assert_same};

/// Small enough to train in a blink.
const SMALL: &str = "--hidden 8 --layers 1 --batch 4 --seq 8 --seed 3 --quiet";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_pipe_is_trained_on_resumed_and_scored() {
    let dir = Dir::stocked();
    let run = |args: &str| {
        let output = dir.fed(args, CORPUS);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        output.stdout
    };
    run(&format!("text train - --out whole {SMALL} --steps 8"));
    run(&format!("text train - --out parts {SMALL} --steps 5"));
    run("text train - --out parts --resume --steps 8 --quiet");
    assert_same(&dir.weights("parts"), &dir.weights("whole"));
    let piped = run("text eval whole - --json");
    dir.write("the-same.txt", CORPUS);
    assert_eq!(json(&piped), json(&dir.succeeds("text eval whole the-same.txt --json").stdout));
    let other = dir.fed("text train - --out parts --resume --steps 9", "something else");
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("does not fit this run"), "{}", other.stderr);
}

#[test]
fn documents_of_a_table_are_split_whole_and_padded() {
    let dir = Dir::stocked();
    let rows: String = (0..30).map(|i| format!("{i},\"The fox, number {i}, saw the crow.\"\n")).collect();
    dir.write("table.csv", format!("id,story\n{rows}"));
    dir.succeeds(&format!(
        "text train table.csv --documents csv:story --before-each | --split-by documents --out run {SMALL} --steps 3 --level word"
    ));
    let config = json(&String::from_utf8(dir.read("run/config.json")).unwrap());
    assert_eq!(config["reading"]["documents"]["csv"], "story");
    assert_eq!(config["train"]["split"]["by"], "documents");
    // Scored as it was read, and resumed without a word about it.
    let tokens = json(&dir.succeeds("text eval run table.csv --json").stdout)["tokens"].as_u64().unwrap();
    let whole = json(&dir.succeeds("text eval run table.csv --json --documents files").stdout);
    assert_ne!(whole["tokens"].as_u64().unwrap(), tokens);
    dir.succeeds("text train table.csv --out run --resume --steps 5 --quiet");
    dir.succeeds("text generate run --length 5 --quiet");
    dir.write("ragged.csv", "id,story\n1,a\n2\n");
    for (flags, says) in [
        ("ragged.csv --documents csv:story", ["ragged.csv", "line 3"]),
        ("table.csv --documents csv:text", ["table.csv", "id, story"]),
        ("table.csv --encoding klingon", ["encoding", "klingon"]),
    ] {
        dir.fails(&format!("text train {flags} --out new {SMALL} --steps 1"), &says);
    }
    dir.misused("text train table.csv --documents pages --out new", &["--documents", "blank:N"]);
    dir.misused("text train table.csv --before-each \\x --out new", &["--before-each"]);
    dir.misused("text train table.csv --out run --resume --documents lines", &["--resume", "--documents"]);
}

#[test]
fn folders_and_old_encodings_are_read() {
    let dir = Dir::stocked();
    std::fs::create_dir(dir.path("texts")).unwrap();
    dir.write("texts/a.txt", b"caf\xe9 ".repeat(40));
    dir.write("texts/b.txt", b"na\xefve ".repeat(40));
    dir.fails(&format!("text train texts --out run {SMALL} --steps 1"), &["a.txt", "0xE9", "windows-1252"]);
    dir.succeeds(&format!("text train texts --encoding windows-1252 --out run {SMALL} --steps 2"));
    let vocabulary = String::from_utf8(dir.read("run/tokenizer.json")).unwrap();
    assert!(vocabulary.contains('é') && vocabulary.contains('ï') && !vocabulary.contains('\u{fffd}'));
    dir.succeeds("text eval run texts");
}

#[test]
fn tokens_of_every_kind() {
    let dir = Dir::stocked();
    for (name, flags) in [
        ("bpe", "--level bpe --max-vocab 270"),
        ("unigram", "--level unigram --max-vocab 270"),
        ("spaces", "--level word --words space --max-vocab 9"),
        ("bytes", "--byte-fallback"),
        ("custom", "--tokenizer bpe/tokenizer.json"),
    ] {
        dir.succeeds(&format!("text train corpus.txt --out {name} {flags} {SMALL} --steps 3"));
        let report = json(&dir.succeeds(&format!("text eval {name} corpus.txt --json")).stdout);
        assert_eq!(report["unknown"].as_u64().unwrap() > 0, name == "spaces", "{name}: {report}");
        dir.succeeds(&format!("text generate {name} --length 9 --temperature 2 --quiet"));
        dir.succeeds(&format!("text train corpus.txt --out {name} --resume --steps 4 --quiet"));
    }
    // Any character is a prompt.
    for run in ["bpe", "unigram", "bytes", "custom"] {
        let output = dir.succeeds_with(&["text", "generate", run, "--prompt", "Zebra 東京", "--length", "3"]);
        assert!(output.stdout.starts_with("Zebra 東京"));
    }
    // A tokenizer that is not that of the weights.
    dir.write("bpe/tokenizer.json", dir.read("spaces/tokenizer.json"));
    dir.fails("text generate bpe", &["bpe/tokenizer.json", "does not fit this run"]);
    dir.write("custom/tokenizer.json", dir.read("unigram/tokenizer.json"));
    dir.write("unigram/tokenizer.json", dir.read("bytes/tokenizer.json"));
    dir.fails("text generate unigram", &["unigram/tokenizer.json", "does not fit this run"]);
    let train = |flags: &str| format!("text train corpus.txt --out new {flags} {SMALL} --steps 1");
    dir.fails(&train("--level bpe --max-vocab 100"), &["max vocab", "257"]);
    dir.fails(&train("--level bpe --words space"), &["words", "bpe"]);
    dir.fails(&train("--level word --byte-fallback"), &["byte fallback", "characters"]);
    dir.fails(&train("--tokenizer corpus.txt"), &["corpus.txt", "tokenizer"]);
    dir.misused(&train("--tokenizer bytes/tokenizer.json --level bpe"), &["--tokenizer", "--level"]);
}

#[test]
fn a_text_of_its_own_to_validate_on() {
    let dir = Dir::stocked();
    dir.write("valid.txt", "The crow saw the crow. ".repeat(20));
    let log = |run: &str| String::from_utf8(dir.read(&format!("{run}/metrics.jsonl"))).unwrap();
    dir.succeeds(&format!(
        "text train corpus.txt --valid valid.txt --out run {SMALL} --steps 6 --eval-every 2"
    ));
    let last = log("run").lines().rev().find_map(|line| json(line)["valid_loss"].as_f64()).unwrap();
    let scored =
        json(&dir.succeeds("text eval run valid.txt --last --json").stdout)["loss"].as_f64().unwrap();
    assert_eq!(last, scored);
    dir.succeeds("text train corpus.txt --out run --resume --steps 8 --quiet");
    assert!(log("run").lines().last().unwrap().contains("valid_loss"));
    dir.write("valid.txt", "changed");
    dir.fails("text train corpus.txt --out run --resume --steps 9", &["valid.txt", "validated on"]);
    dir.succeeds(&format!("text train corpus.txt --out plain {SMALL} --steps 2"));
    dir.misused("text train corpus.txt --valid corpus.txt --out plain --resume --steps 3", &["--valid"]);
    dir.misused("text train corpus.txt --valid v --valid-fraction 0.1 --out new", &["--valid-fraction"]);
    dir.fails(&format!("text train corpus.txt --valid gone.txt --out new {SMALL} --steps 1"), &["gone.txt"]);
}
