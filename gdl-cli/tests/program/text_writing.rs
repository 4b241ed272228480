//! `gdl text generate` in all its ways, and `gdl text report`.

use crate::common::Dir;

/// A folder with a character and a word model, each a few steps old.
fn trained() -> Dir {
    let dir = Dir::stocked();
    let small = "--hidden 8 --layers 1 --batch 4 --seq 8 --seed 3 --steps 20 --lr 0.02 --quiet";
    dir.succeeds(&format!("text train corpus.txt --out chars {small}"));
    dir.succeeds(&format!("text train corpus.txt --out words --level word --cell gru {small}"));
    dir
}

fn json(lines: &str) -> Vec<serde_json::Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_sampling_flag_does_something() {
    let dir = trained();
    let write = |flags: &str| dir.succeeds(&format!("text generate chars --length 80 {flags}")).stdout;
    let plain = write("--temperature 1");
    for flags in [
        "--top-k 3",
        "--top-p 0.5",
        "--min-p 0.5",
        "--typical 0.2",
        "--repetition-penalty 5",
        "--frequency-penalty 2",
        "--presence-penalty 3",
        "--presence-penalty 3 --penalty-window 5",
        "--no-repeat-ngram 2",
        "--dry 5",
        "--dry 5 --dry-base 4",
        "--dry 5 --dry-allowed-length 1",
        "--dry 5 --dry-allowed-length 1 --dry-window 3",
        "--dry 5 --dry-allowed-length 1 --dry-breaker a --dry-breaker e",
        "--logit-bias e=20",
        "--ban e --ban a",
        "--stop e",
        "--pattern [a-z]+",
    ] {
        assert_ne!(write(&format!("--temperature 1 {flags}")), plain, "{flags}");
    }
    assert_ne!(
        write("--temperature 1 --dry 5 --dry-allowed-length 1"),
        write("--temperature 1 --dry 5 --dry-allowed-length 1 --dry-window 3")
    );
    assert_eq!(write("--logit-bias e=200"), "e".repeat(80) + "\n");
    assert!(!write("--ban e --ban a").contains(['e', 'a']));
    let unknown = "--logit-bias <unk>=200 --allow-unknown --length 2";
    assert_eq!(dir.succeeds(&format!("text generate words {unknown}")).stdout, "<unk> <unk>\n");
    dir.misused("text generate chars --dry-base 2", &["--dry"]);
    for (flags, says) in [("--top-p 0", "top-p"), ("--min-p 2", "min-p"), ("--logit-bias e", "TOKEN=NUMBER")]
    {
        dir.misused(&format!("text generate chars {flags}"), &[says]);
    }
    dir.fails("text generate chars --ban xyz", &["\"xyz\"", "vocabulary"]);
    dir.fails("text generate chars --pattern (", &["pattern", "unclosed"]);
    dir.fails("text generate chars --pattern [0-9]+", &["no text of this model's tokens"]);
    dir.fails("text generate chars --no-repeat-ngram 1 --length 500 --samples 2", &["none is left"]);
}

#[test]
fn a_stop_text_and_a_pattern_end_what_is_written() {
    let dir = trained();
    for run in ["chars", "words"] {
        let text = dir.succeeds_with(&[
            "text",
            "generate",
            run,
            "--prompt",
            "The fox",
            "--stop",
            "\n",
            "--temperature",
            "1",
        ]);
        assert!(
            text.stdout.starts_with("The fox") && text.stdout.matches('\n').count() == 1,
            "{}",
            text.stdout
        );
        let pattern = " (saw|ate) the (fox|crow|cheese)[,.]";
        let args = ["text", "generate", run, "--prompt", "The crow", "--pattern", pattern];
        let text = dir.succeeds_with(&args).stdout;
        let rest = text.strip_prefix("The crow ").unwrap().trim_end();
        let (verb, object) = rest.split_once(" the ").unwrap();
        assert!(["saw", "ate"].contains(&verb), "{text}");
        assert!(["fox", "crow", "cheese"].contains(&&object[..object.len() - 1]), "{text}");
    }
}

#[test]
fn many_samples_come_as_text_or_as_json() {
    let dir = trained();
    for run in ["chars", "words"] {
        let base = format!("text generate {run} --length 20 --prompt The --temperature 1");
        let lines = json(&dir.succeeds(&format!("{base} --samples 7 --json --batch 3")).stdout);
        assert_eq!(lines.len(), 7);
        let again = json(&dir.succeeds(&format!("{base} --samples 3 --json --batch 50")).stdout);
        for (i, line) in lines.iter().enumerate() {
            assert_eq!(
                (&line["sample"], &line["prompt"], &line["tokens"]),
                (&i.into(), &"The".into(), &20.into())
            );
            assert!(line["log_prob"].as_f64().unwrap() < 0.0);
            assert!(i >= 3 || again[i]["text"] == line["text"]);
        }
        let first = dir.succeeds(&base).stdout;
        assert_eq!(first, format!("The{}\n", lines[0]["text"].as_str().unwrap()));
        let plain = dir.succeeds(&format!("{base} --samples 2")).stdout;
        assert!(plain.starts_with("--- sample 0: 20 tokens, log-probability -"), "{plain}");
        assert!(plain.contains("\n--- sample 1: ") && plain.contains(first.trim_end()), "{plain}");
    }
}

#[test]
fn beams_find_likely_texts() {
    let dir = trained();
    let base = "text generate chars --length 12 --prompt The";
    let greedy = dir.succeeds(&format!("{base} --temperature 0 --json")).stdout;
    let beams = json(&dir.succeeds(&format!("{base} --beams 8 --n-best 3 --json")).stdout);
    assert_eq!(beams.len(), 3);
    let log_prob = |value: &serde_json::Value| value["log_prob"].as_f64().unwrap();
    assert!(log_prob(&beams[0]) >= log_prob(&beams[1]) && log_prob(&beams[1]) >= log_prob(&beams[2]));
    assert!(log_prob(&beams[0]) >= log_prob(&json(&greedy)[0]) - 1e-6);
    let one = dir.succeeds(&format!("{base} --beams 8")).stdout;
    assert_eq!(one, format!("The{}\n", beams[0]["text"].as_str().unwrap()));
    let normed = json(
        &dir.succeeds(&format!("{base} --beams 8 --json --length-penalty 1 --length-form power")).stdout,
    );
    assert!((normed[0]["score"].as_f64().unwrap() - log_prob(&normed[0]) / 12.0).abs() < 1e-9);
    assert!(dir.succeeds(&format!("{base} --beams 3 --n-best 2")).stdout.contains("--- 2: 12 tokens"));
    dir.misused(&format!("{base} --beams 3 --temperature 1"), &["--beams", "--temperature"]);
    dir.misused(&format!("{base} --n-best 3"), &["--beams"]);
    dir.fails(&format!("{base} --beams 3 --n-best 4"), &["n-best", "1..=3"]);
}

#[test]
fn a_prompts_state_is_kept() {
    let dir = trained();
    let base = "text generate chars --length 30 --temperature 1";
    let want = dir.succeeds(&format!("{base} --prompt The")).stdout;
    assert_eq!(dir.succeeds(&format!("{base} --prompt The --state kept")).stdout, want);
    let kept = dir.read("kept");
    assert_eq!(dir.succeeds(&format!("{base} --state kept")).stdout, want);
    let longer = ["text", "generate", "chars", "--length", "30", "--temperature", "1", "--prompt", "The fox"];
    let with_state = dir.succeeds_with(&[&longer[..], &["--state", "kept", "--verbose"]].concat());
    assert_eq!(with_state.stdout, dir.succeeds_with(&longer).stdout);
    assert!(with_state.stderr.contains("3 tokens known, 4 read"), "{}", with_state.stderr);
    assert!(kept == dir.read("kept"), "a state that is there is not written again");
    dir.fails(&format!("{base} --prompt But --state kept"), &["\"The\"", "does not begin"]);
    dir.fails("text generate words --state kept", &["kept", "another model"]);
    dir.fails("text generate chars --state corpus.txt", &["corpus.txt"]);
    dir.fails("text generate chars --state gone/kept --prompt The", &["gone/kept"]);
}

#[test]
fn a_text_is_chosen_at_the_keyboard() {
    let dir = trained();
    let choose = |args: &str, input: &str| {
        let output = dir.fed(args, input);
        assert_eq!(output.code, Some(0));
        (output.stdout, output.stderr)
    };
    let args = "text generate chars --interactive --candidates 4 --prompt The";
    // Text, a number too high, a character never seen, the second candidate, a draw, the end.
    let (text, list) = choose(args, " fox\n9\n\u{df}\n2\n\n:q\nnever read\n");
    let first = list.lines().skip_while(|l| !l.starts_with("   1")).take(4).collect::<Vec<_>>();
    assert!(first.len() == 4 && first.iter().all(|l| l.contains("%  \"")), "{list}");
    assert!(list.contains("no candidate 9") && list.contains("never seen"), "{list}");
    let second = list.split("The fox\n").nth(1).unwrap().lines().nth(1).unwrap();
    let token = second.split('"').nth(1).unwrap();
    assert!(text.starts_with(&format!("The fox{token}")) && text.chars().count() == 10, "{text:?} {second}");
    // The end of the input is an end too, and so is the length.
    assert_eq!(choose(args, " fox").0, "The fox\n");
    assert_eq!(choose(&format!("{args} --length 2"), "=x\n=x\n=x\n").0, "Thexx\n");
    assert_eq!(choose(&format!("{args} --quiet"), "=3").1, "");
    let (text, list) = choose("text generate words --interactive --pattern the(fox|crow)?", "cheese\n1\n");
    assert!(list.contains("no place"), "{list}");
    assert_eq!(text, "the\n");
    dir.misused("text generate chars --interactive --samples 3", &["--interactive", "--samples"]);
}

#[test]
fn what_is_copied_shows() {
    let dir = trained();
    for run in ["chars", "words"] {
        let table = dir.succeeds(&format!("text report {run} --samples 5 --length 20")).stdout;
        assert_eq!(table.lines().count(), 1 + 5 + 2, "{table}");
        assert!(table.contains("copied") && table.contains("held-out text: "), "{table}");
        let lines = json(
            &dir.succeeds(&format!("text report {run} corpus.txt --samples 5 --length 20 --json")).stdout,
        );
        assert_eq!(lines.iter().filter(|line| line["kind"] == "sample").count(), 5);
        for line in &lines {
            assert!(line["copied"].as_u64() <= line["tokens"].as_u64() && line["passage"].is_string());
        }
    }
    // A passage of the corpus behind something else, and samples that were written before.
    dir.write("known.txt", "xxx But the crow, who knew the fox, said nothing xxx");
    let known = json(&dir.succeeds("text report chars --from known.txt --json").stdout);
    assert_eq!(known[0]["passage"], "But the crow, who knew the fox, said nothing ");
    let samples = dir.succeeds("text generate chars --samples 3 --length 30 --json").stdout;
    dir.write("samples.jsonl", &samples);
    let reports = |args: &str| dir.succeeds(&format!("text report chars {args} --json")).stdout;
    assert_eq!(reports("--from samples.jsonl"), reports("--samples 3 --length 30"));

    dir.write("broken.jsonl", "{\"text\": \"a\"}\n{}\n");
    dir.fails("text report chars --from broken.jsonl", &["broken.jsonl", "line 2"]);
    dir.fails("text report chars --from gone.txt", &["gone.txt"]);
    dir.fails("text report chars known.txt", &["known.txt", "corpus.txt"]);
    dir.misused("text report chars --from known.txt --samples 2", &["--from", "--samples"]);
}
