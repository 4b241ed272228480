//! `gdl text` on files.

use crate::common::{CORPUS, Dir, assert_same, tamperings};
use std::io::Read;

/// Small enough to train in a blink.
const SMALL: &str = "--hidden 8 --layers 2 --batch 4 --seq 8 --seed 3";

/// A folder with a character and a word model, each a few steps old.
fn trained() -> Dir {
    let dir = Dir::stocked();
    dir.succeeds(&format!("text train corpus.txt --out chars {SMALL} --steps 6 --quiet"));
    dir.succeeds(&format!(
        "text train corpus.txt --out words --level word --cell gru {SMALL} --steps 6 --quiet"
    ));
    dir
}

#[test]
fn a_run_is_a_folder_with_all_that_goes_on_from_it() {
    let dir = Dir::stocked();
    let output = dir.succeeds(&format!("text train corpus.txt --out new/run {SMALL} --epochs 1"));
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("gdl text generate new/run"), "{}", output.stderr);
    for file in ["config.json", "tokenizer.json", "metrics.jsonl", "weights.safetensors", "state"] {
        assert!(dir.path("new/run").join(file).exists(), "{file}");
    }
    let metrics = String::from_utf8(dir.read("new/run/metrics.jsonl")).unwrap();
    for line in metrics.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["step"].is_u64(), "{line}");
    }
    assert!(metrics.contains("\"loss\"") && metrics.contains("\"valid_loss\""), "{metrics}");
    assert!(!dir.tree().keys().any(|p| p.to_string_lossy().contains("tmp-")), "nothing temporary is left");
}

#[test]
fn eval_gives_figures_and_json() {
    let dir = trained();
    dir.write("other.txt", "The crow ate the cheese.\nThe fox saw it.\n".repeat(3));
    for run in ["chars", "words"] {
        let table = dir.succeeds(&format!("text eval {run} other.txt")).stdout;
        for figure in ["tokens", "loss", "perplexity", "bits per char"] {
            assert!(table.contains(figure), "{table}");
        }
        let json = dir.succeeds(&format!("text eval {run} other.txt --json"));
        assert_eq!(json.stdout.lines().count(), 1);
        let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        let number = |key: &str| json[key].as_f64().unwrap_or_else(|| panic!("no {key} in {json}"));
        assert!(number("tokens") > 10.0 && number("unknown") >= 0.0);
        assert!((number("perplexity").ln() - number("loss")).abs() < 1e-6);
        assert!(number("bits_per_char") > 0.0);
    }
    let chars = dir.succeeds("text eval chars builtin:fables --json --quiet");
    assert_eq!(chars.stderr, "");
}

#[test]
fn the_same_seed_writes_the_same() {
    let dir = trained();
    for run in ["chars", "words"] {
        let write = |more: &str| {
            let output = dir.succeeds(&format!("text generate {run} --length 60 {more}"));
            assert_eq!(output.stderr, "");
            output.stdout
        };
        let first = write("--seed 1 --temperature 1");
        assert_eq!(first, write("--seed 1 --temperature 1"));
        assert_ne!(first, write("--seed 2 --temperature 1"));
        let likeliest = write("--seed 1 --temperature 0");
        assert_eq!(likeliest, write("--seed 2 --temperature 0"), "the likeliest token needs no seed");
        assert!(write("--prompt The --temperature 0").starts_with("The"));
    }
}

#[test]
fn characters_of_several_bytes_come_out_whole() {
    let dir = Dir::new();
    dir.write("corpus.txt", "\u{f6}\u{e4}\u{20ac}\u{1f98a}\u{1f426}\u{4e2d}\u{6587}e\u{301}\n".repeat(60));
    dir.succeeds(&format!("text train corpus.txt --out run {SMALL} --steps 4 --quiet"));
    // Hot enough that every character comes up; `Output` checks the UTF-8.
    let text = dir.succeeds("text generate run --length 300 --temperature 5").stdout;
    for character in ["\u{f6}", "\u{20ac}", "\u{1f98a}", "\u{6587}"] {
        assert!(text.contains(character), "{text}");
    }
    let prompted =
        dir.succeeds_with(&["text", "generate", "run", "--prompt", "\u{1f98a}\u{f6}", "--length", "5"]);
    assert!(prompted.stdout.starts_with("\u{1f98a}\u{f6}"));
    // Two of the prompt, five drawn, and the line end behind the text.
    assert_eq!(prompted.stdout.chars().count(), 8);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let dir = trained();
    for args in
        ["text generate chars --length 200000", "text generate words --length 200000", "text generate --help"]
    {
        let mut child = dir
            .command(args.split(' '))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdout.take().unwrap();
        pipe.read_exact(&mut [0; 8]).unwrap();
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args}");
    }
    // Closed before a word was said.
    for args in ["text eval chars corpus.txt", "text eval chars corpus.txt --json", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output =
            dir.output(dir.command(args.split(' ')).stdout(writer).stderr(std::process::Stdio::piped()));
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{args}");
    }
}

#[test]
fn a_resumed_training_is_the_same_training() {
    let dir = Dir::stocked();
    for (name, flags) in [("lstm", "--cell lstm --dropout 0.3"), ("gru", "--cell gru --level word")] {
        let train = |out: &str, more: &str| {
            dir.succeeds(&format!("text train corpus.txt --out {name}-{out} --quiet {more}"));
        };
        train("whole", &format!("{SMALL} {flags} --steps 6"));
        train("parts", &format!("{SMALL} {flags} --steps 3"));
        train("parts", "--resume --steps 6");
        assert_same(&dir.weights(&format!("{name}-parts")), &dir.weights(&format!("{name}-whole")));
        // All is done: nothing happens.
        let before = dir.tree();
        let output = dir.succeeds(&format!("text train corpus.txt --out {name}-parts --resume"));
        assert!(output.stderr.contains("6 steps are done"), "{}", output.stderr);
        assert!(before == dir.tree());
    }
}

#[test]
fn a_killed_training_goes_on_from_its_last_checkpoint() {
    let dir = Dir::stocked();
    let flags = format!("{SMALL} --steps 400 --eval-every 2 --quiet");
    dir.succeeds(&format!("text train corpus.txt --out whole {flags}"));
    let mut child = dir.start(&format!("text train corpus.txt --out parts {flags}"));
    while !dir.path("parts/weights.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended without a checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    dir.succeeds("text train corpus.txt --out parts --resume --quiet");
    assert_same(&dir.weights("parts"), &dir.weights("whole"));
    let steps = |run: &str| {
        let metrics = String::from_utf8(dir.read(&format!("{run}/metrics.jsonl"))).unwrap();
        metrics
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["step"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(steps("parts"), steps("whole"), "each step is logged once");
}

#[test]
fn an_existing_run_is_not_overwritten() {
    let dir = trained();
    dir.fails(
        &format!("text train corpus.txt --out chars {SMALL} --steps 1"),
        &["chars", "already holds a run", "resume"],
    );
    dir.write("full/thesis.txt", "years of work");
    dir.fails(&format!("text train corpus.txt --out full {SMALL} --steps 1"), &["full", "not empty"]);
    dir.misused("text train corpus.txt --out chars --resume --hidden 9", &["--resume", "--hidden"]);
    dir.fails("text train corpus.txt --out full --resume", &["full", "config.json"]);
    dir.fails("text train corpus.txt --out gone --resume", &["gone", "config.json"]);
    dir.write("changed.txt", CORPUS.repeat(13));
    dir.fails("text train changed.txt --out chars --resume --steps 9", &["changed.txt", "corpus.txt"]);
}

#[test]
fn texts_that_are_none_are_named() {
    let dir = trained();
    dir.write("empty.txt", "");
    dir.write("blank.txt", " \n\n\t ");
    dir.write("latin1.txt", b"one line\na caf\xe9\n");
    dir.write("short.txt", "ab");
    dir.write("same.txt", "a".repeat(5000));
    for (file, says) in [
        ("gone.txt", "cannot read"),
        ("empty.txt", "is empty"),
        ("blank.txt", "is empty"),
        ("latin1.txt", "windows-1252"),
        ("content.png", "binary file"),
        ("a", "binary file"),
    ] {
        dir.fails(&format!("text train {file} --out run {SMALL} --steps 1"), &[file, says]);
        dir.fails(&format!("text eval chars {file}"), &[file, says]);
    }
    dir.fails(&format!("text train short.txt --out run {SMALL} --steps 1"), &["short.txt", "batch"]);
    dir.fails(&format!("text train same.txt --out run {SMALL} --steps 1"), &["same.txt", "different"]);
    let words = format!("text train short.txt --out run --level word {SMALL} --steps 1");
    dir.fails(&words, &["short.txt"]);
    let part = format!("text train corpus.txt --out run {SMALL} --valid-fraction 0.6 --test-fraction 0.5");
    dir.fails(&part, &["valid", "train"]);
    dir.misused(
        &format!("text train builtin:novels --out run {SMALL}"),
        &["builtin:novels", "builtin:fables"],
    );
    dir.misused("text eval chars builtin:novels", &["builtin:novels", "builtin:fables"]);
}

#[test]
fn a_prompt_with_unseen_characters_is_refused() {
    let dir = trained();
    let prompt = ["text", "generate", "chars", "--prompt", "Zebra \u{df}"];
    dir.refused(1, &prompt, &["prompt", "'\u{df}'", "'Z'", "never seen"]);
    // To a word model it is an unknown word.
    let prompt = ["text", "generate", "words", "--prompt", "Zebra \u{df}", "--length", "5"];
    assert!(dir.succeeds_with(&prompt).stdout.starts_with("Zebra \u{df}"));
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let dir = Dir::stocked();
    for out in ["corpus.txt", "corpus.txt/run", "corpus.txt/deep/run"] {
        dir.fails(&format!("text train corpus.txt --out {out} {SMALL} --steps 1"), &[out]);
    }
}

#[test]
fn a_training_that_fails_leaves_no_run() {
    let dir = Dir::stocked();
    std::fs::create_dir(dir.path("there")).unwrap();
    for out in ["new/run", "there"] {
        // Steps of this length lead out of all numbers.
        let args = format!("text train corpus.txt --out {out} {SMALL} --steps 50 --lr 1e300 --eval-every 0");
        dir.fails(&args, &["lower the learning rate"]);
    }
}

#[test]
fn checkpoints_that_do_not_fit_are_refused() {
    let dir = trained();
    let key = dir.weights("chars").keys().next().unwrap().clone();
    for (name, change) in tamperings(&key) {
        dir.copy("chars", name);
        dir.tamper(name, change);
        let culprit = if name == "extra" { "stowaway.weight" } else { &key };
        let file = format!("{name}/weights.safetensors");
        for command in [
            format!("text generate {name} --last"),
            format!("text eval {name} corpus.txt --last"),
            format!("text train corpus.txt --out {name} --resume --steps 9"),
        ] {
            dir.fails(&command, &[&file, culprit]);
        }
    }
}

#[test]
fn broken_runs_are_named() {
    let dir = trained();
    dir.fails("text generate gone", &["gone", "config.json"]);
    dir.fails("text generate corpus.txt", &["corpus.txt", "config.json"]);
    dir.fails("text eval a corpus.txt", &["a is not a run", "config.json"]);
    for file in ["config.json", "tokenizer.json", "weights.safetensors"] {
        let run = format!("no-{file}");
        dir.copy("chars", &run);
        std::fs::remove_file(dir.path(&run).join(file)).unwrap();
        dir.fails(&format!("text generate {run} --last"), &[&run, file]);
        let whole = dir.read(&format!("chars/{file}"));
        let run = format!("half-{file}");
        dir.copy("chars", &run);
        dir.write(&format!("{run}/{file}"), &whole[..whole.len() / 2]);
        dir.fails(&format!("text generate {run} --last"), &[&run, file]);
        dir.fails(&format!("text train corpus.txt --out {run} --resume --steps 9"), &[&run, file]);
    }
    let best = dir.read("chars/best.safetensors");
    dir.write("chars/best.safetensors", &best[..best.len() / 2]);
    dir.fails("text generate chars", &["chars/best.safetensors"]);
    dir.succeeds("text generate chars --length 5 --last");
}

#[test]
fn a_preset_brings_settings_that_flags_change() {
    let dir = Dir::stocked();
    let small = "--hidden 12 --layers 2 --embedding 8 --batch 3 --seq 20 --steps 8 --eval-every 2";
    dir.succeeds(&format!(
        "text train corpus.txt --out awd --preset awd --level char --lr 5 {small} --quiet"
    ));
    let config = || serde_json::from_slice::<serde_json::Value>(&dir.read("awd/config.json")).unwrap();
    let train = &config()["train"];
    assert_eq!(
        (&train["optimizer"], &train["seq"], &train["batch"]),
        (&"nt_asgd".into(), &20.into(), &3.into())
    );
    let model = &train["model"];
    assert_eq!(
        (&model["tied"], &model["weight_drop"], &model["hidden"]),
        (&true.into(), &0.5.into(), &12.into())
    );
    // The best weights are those that are scored and written with.
    assert!(dir.path("awd/best.safetensors").exists());
    let loss = |flags: &str| {
        let report = dir.succeeds(&format!("text eval awd corpus.txt --json {flags}")).stdout;
        serde_json::from_str::<serde_json::Value>(&report).unwrap()["loss"].as_f64().unwrap()
    };
    assert!(loss("").is_finite() && loss("--last").is_finite());
    assert_ne!(loss("--cache 100 --cache-lambda 0.4"), loss(""));
    dir.succeeds("text generate awd --length 20 --last --quiet");
    dir.misused("text train corpus.txt --out run --bidirectional", &["--bidirectional", "predict"]);
    dir.misused("text train corpus.txt --out run --preset awful", &["awful", "torch-rnn"]);
    dir.misused("text train corpus.txt --out run --lr-decay-after 3", &["--lr-decay"]);
    dir.misused("text train corpus.txt --out awd --resume --preset book", &["--resume", "--preset"]);
}

#[test]
fn patience_ends_a_training_that_gets_no_better() {
    let dir = Dir::stocked();
    let flags = format!("--out run {SMALL} --lr 1 --steps 200 --eval-every 2 --patience 3");
    let output = dir.succeeds(&format!("text train corpus.txt {flags}"));
    assert!(output.stderr.contains("no better since then"), "{}", output.stderr);
    assert!(output.stderr.contains("best validation loss"), "{}", output.stderr);
}
