//! `gdl seq2seq`: pairs in, a run, texts and scores out.

use crate::common::Dir;

const TRAIN: &str = "seq2seq train pairs.tsv --level char --hidden 32 --embedding 8 --layers 1 --dropout 0 --torch-init --batch 8";

/// A folder with pairs of words and the same in upper case.
fn stocked() -> Dir {
    let dir = Dir::new();
    let words = ["go", "stop", "run", "sit", "eat", "spring", "note", "on"];
    let pair = |n: usize| format!("{}\t{}\n", words[n % 8], words[n % 8].to_uppercase());
    dir.write("pairs.tsv", (0..80).map(pair).collect::<String>());
    dir.write("sources.txt", "go\nrun\n\nspot\n");
    dir
}

#[test]
fn a_run_writes_scores_and_shows_where_it_looked() {
    let dir = stocked();
    let said =
        dir.succeeds(&format!("{TRAIN} --out new/run --steps 300 --lr 0.02 --sample-every 100")).stderr;
    assert!(said.contains("best validation loss") && said.contains("gdl seq2seq run new/run"), "{said}");
    for file in [
        "config.json",
        "weights.safetensors",
        "best.safetensors",
        "tokenizer.json",
        "index.html",
        "metrics.jsonl",
    ] {
        assert!(dir.path("new/run").join(file).is_file(), "{file}");
    }
    let sample = String::from_utf8(dir.read("new/run/samples/step-00000100.txt")).unwrap();
    assert!(sample.starts_with("source   eat\nwritten  ") && sample.contains("\ntarget   EAT\n"), "{sample}");

    let said = dir.succeeds("seq2seq run new/run sources.txt");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!((lines.len(), &lines[..3]), (4, &["GO", "RUN", ""][..]));
    assert!(said.stderr.contains("1 source(s) are empty"), "{}", said.stderr);
    // From the standard input, with beams, as JSON.
    let said = dir.fed("seq2seq run new/run - --beam 3 --n-best 2 --json", "stop\nzzzzzzzzzz\n");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let json: Vec<serde_json::Value> =
        said.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        (json.len(), json[0]["source"].as_str(), json[0]["written"]["text"].as_str()),
        (4, Some("stop"), Some("STOP"))
    );
    assert!(json[0]["written"]["log_prob"].as_f64() >= json[1]["written"]["log_prob"].as_f64());
    for part in ["1 source(s) have more than the 6 tokens", "1 source(s) have no token that the model knows"]
    {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let drawn = |seed| {
        dir.succeeds(&format!("seq2seq run new/run sources.txt --sample 5 --temperature 3 --seed {seed}"))
            .stdout
    };
    assert!(drawn(1) == drawn(1) && drawn(1) != drawn(2) && drawn(1).lines().count() == 16);

    let table = dir.succeeds("seq2seq eval new/run pairs.tsv --write written.txt").stdout;
    for part in ["pairs           80\n", "exact           100.00%", "BLEU", "unknown tokens  0 of"] {
        assert!(table.contains(part), "{table}");
    }
    assert!(String::from_utf8(dir.read("written.txt")).unwrap().starts_with("GO\nSTOP\n"));
    let json: serde_json::Value =
        serde_json::from_str(&dir.succeeds("seq2seq eval new/run pairs.tsv --beam 2 --json").stdout).unwrap();
    assert_eq!((json["exact_match"].as_f64(), json["chrf"].as_f64()), (Some(1.0), Some(100.0)));

    dir.succeeds("seq2seq run new/run sources.txt --attention-map maps.html --quiet");
    let page = String::from_utf8(dir.read("maps.html")).unwrap();
    assert!(page.to_lowercase().starts_with("<!doctype html>") && page.contains("</html>"));
    dir.succeeds("seq2seq run new/run sources.txt --attention-map maps.png --quiet");
    let (width, height) = dir.size("maps.png");
    assert!(
        width > 50 && height > 50 && dir.path("maps-3.png").is_file() && !dir.path("maps-4.png").exists()
    );
}

#[test]
fn a_run_goes_on_with_what_it_was_begun_with() {
    let dir = stocked();
    dir.succeeds(&format!("{TRAIN} --out run --steps 4 --schedule constant --quiet"));
    dir.succeeds("seq2seq train pairs.tsv --out run --resume --steps 9 --quiet");
    dir.succeeds(&format!("{TRAIN} --out whole --steps 9 --schedule constant --quiet"));
    crate::common::assert_same(&dir.weights("run"), &dir.weights("whole"));
    let said = dir.succeeds("seq2seq train pairs.tsv --out run --resume").stderr;
    assert!(said.contains("all 9 steps are done"), "{said}");
    dir.write("other.tsv", "a\tb\nc\td\n");
    dir.fails(
        "seq2seq train other.tsv --out run --resume --steps 20",
        &["other.tsv", "does not fit this run"],
    );
    dir.misused("seq2seq train pairs.tsv --out run --resume --hidden 8", &["--resume", "--hidden"]);
    dir.fails(&format!("{TRAIN} --out run --steps 2"), &["run"]);
}

#[test]
fn drawn_tasks_stand_for_themselves() {
    let dir = Dir::new();
    let drawn = dir.succeeds("seq2seq draw reverse --rows 5").stdout;
    assert_eq!(drawn.lines().count(), 5);
    assert!(drawn.lines().all(|line| {
        line.split_once('\t').unwrap().0.chars().rev().eq(line.split_once('\t').unwrap().1.chars())
    }));
    assert_eq!(dir.succeeds("seq2seq draw reverse --rows 5 --part train --seed 1").stdout, drawn);
    assert_ne!(dir.succeeds("seq2seq draw reverse --rows 5 --part test").stdout, drawn);
    let names =
        "seq2seq train builtin:names --copy --hidden 8 --embedding 8 --layers 1 --steps 1 --out run --quiet";
    dir.succeeds(names);
    dir.succeeds("seq2seq train builtin:names --out run --resume --steps 2 --quiet");
    // Its tokens are those that it is meant for.
    let config = String::from_utf8(dir.read("run/config.json")).unwrap();
    assert!(config.contains("\"word\"") && config.contains("\"space\""), "{config}");
    dir.misused("seq2seq train builtin:nothing --out other", &["builtin:nothing", "builtin:reverse"]);
    dir.misused("seq2seq draw nothing", &["nothing", "inflection"]);
}

#[test]
fn what_is_wrong_is_said_in_a_line_and_leaves_nothing() {
    let dir = stocked();
    dir.write("tabs.tsv", "a\tb\nc\td\te\n");
    dir.write("one.tsv", "a\tb\nc\n");
    dir.write("blank.tsv", "a\tb\n\td\n");
    dir.write("nothing.tsv", "");
    dir.write("latin1.tsv", b"a\tb\n\xe9t\xe9\tsummer\n");
    for (file, parts) in [
        ("tabs.tsv", &["tabs.tsv, line 2", "found 3 column(s)", "tab inside"][..]),
        ("one.tsv", &["one.tsv, line 2", "found 1 column(s)"]),
        ("blank.tsv", &["blank.tsv, line 2", "the source is empty"]),
        ("nothing.tsv", &["nothing.tsv", "empty"]),
        ("latin1.tsv", &["latin1.tsv, line 2", "not UTF-8"]),
        ("missing.tsv", &["missing.tsv"]),
    ] {
        dir.fails(&format!("seq2seq train {file} --out new/run"), parts);
        assert!(!dir.path("new").exists());
    }
    dir.fails(&format!("{TRAIN} --out new/run --attention none --copy"), &["copy needs attention"]);
    dir.fails(&format!("{TRAIN} --out new/run --max-source 1"), &["short enough"]);
    dir.fails("seq2seq train pairs.tsv --out new/run --hidden 7", &["odd 7"]);
    assert!(!dir.path("new").exists());

    dir.succeeds(&format!("{TRAIN} --out run --steps 2 --attention none --quiet"));
    dir.fails("seq2seq run run sources.txt --attention-map map.html", &["no attention"]);
    dir.misused("seq2seq run run sources.txt --attention-map map.txt", &[".html or .png"]);
    dir.misused("seq2seq run run sources.txt --n-best 2", &["--beam"]);
    dir.misused("seq2seq run run sources.txt --temperature 2", &["--sample"]);
    dir.misused("seq2seq run run sources.txt --beam 2 --top-k 2", &["--beam", "--top-k"]);
    dir.misused("seq2seq run run sources.txt --beam 2 --sample 2", &["--beam", "--sample"]);
    dir.fails("seq2seq run run sources.txt --beam 4 --n-best 5", &["n-best", "4"]);
    dir.fails("seq2seq run run sources.txt --beam 4 --groups 3", &["groups: must divide the 4 beams"]);
    dir.fails("seq2seq run run missing.txt", &["missing.txt"]);
    dir.fails("seq2seq eval run tabs.tsv", &["tabs.tsv, line 2"]);
    dir.fails("text generate run", &["gdl seq2seq", "gdl text"]);
    dir.succeeds("text train builtin:fables --out words --hidden 8 --steps 1 --quiet");
    dir.fails("seq2seq run words sources.txt", &["gdl text", "gdl seq2seq"]);
    // A beam wider than the vocabulary is no mistake.
    dir.succeeds("seq2seq run run sources.txt --beam 500 --max-length 2");
    assert!(!dir.path("map.html").exists());
}
