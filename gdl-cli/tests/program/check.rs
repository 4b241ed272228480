//! `gdl check` and `gdl info`; devices and precisions that are not there.

use crate::common::Dir;

#[test]
fn every_operator_has_a_line() {
    let dir = Dir::new();
    let run = dir.gdl("check");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let lines: Vec<_> = run.stdout.lines().collect();
    let (head, last) = (lines[0], lines[lines.len() - 1]);
    assert!(head.starts_with("operator") && head.ends_with("f32"), "{head}");
    assert_eq!(last, format!("{0} of {0} comparisons within their bounds", lines.len() - 2));
    for operator in ["conv2d 3x3 ", "instance_norm affine ", "lstm_sequence ragged, reverse ", "adam "] {
        assert!(lines.iter().any(|line| line.starts_with(operator)), "{operator}");
    }
}

#[test]
fn types_and_operators_are_chosen() {
    let dir = Dir::new();
    let run = dir.gdl("check --only pool2d --dtype f64,f16");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.lines().next().unwrap().ends_with("f64          f16"), "{}", run.stdout);
    assert!(run.stdout.contains("max_pool2d overlapping") && !run.stdout.contains("gram_matrix"));
    // A pooled convolution jumps with the rounding of half precision.
    let pooled = dir.gdl("check --only conv2d_pooled --dtype f16");
    assert!(pooled.stdout.ends_with("0 of 0 comparisons within their bounds\n"), "{}", pooled.stdout);
}

#[test]
fn the_bench_gives_the_ratio_to_a_peer() {
    let dir = Dir::new();
    dir.write("peer.py", "import sys\nassert sys.argv[2] == '--runs'\nprint('{\"median_ms\": 10.0}')\n");
    // No time for any job: the table is there, and says so.
    let run = dir.gdl("check --only softplus --bench --peer peer.py --within 0");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout.matches("not begun: the time was up").count(), 6, "{}", run.stdout);
}

#[test]
fn info_says_what_was_built_in() {
    let dir = Dir::new();
    let said = dir.gdl("info").stdout;
    assert!(said.starts_with(&format!("gdl {} for ", env!("CARGO_PKG_VERSION"))), "{said}");
    assert_eq!(said.contains("cuda: not built in"), !cfg!(feature = "cuda"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&dir.gdl("info --json").stdout).unwrap();
    assert!(json["threads"].as_u64().unwrap() > 0 && json["features"].is_array(), "{json}");
    // It answers where the device does not.
    assert_eq!(dir.gdl("info --device cuda:9").code, Some(0));
}

#[test]
fn what_cannot_be_had_is_said_in_one_line() {
    let dir = Dir::new();
    for (args, code, said) in [
        ("check --only nothing", 2, "no operator is called nothing"),
        ("check --dtype i8", 2, "--dtype"),
        ("check --peer x.py", 2, "--bench"),
        ("check --compile nine", 2, "two numbers, as 9.0"),
        ("check --precision bf16", 1, "it needs --device cuda"),
        ("nst a.png b.png -o c.png --precision f16", 2, "train in bf16"),
        ("check --precision half", 2, "--precision"),
    ] {
        let run = dir.gdl(args);
        assert_eq!(run.code, Some(code), "{args}: {}", run.stderr);
        assert!(run.stderr.contains(said) && run.stderr.lines().count() == 1, "{args}: {}", run.stderr);
    }
    if cfg!(not(feature = "cuda")) {
        let run = dir.gdl("check --compile 9.0");
        assert!(run.code == Some(1) && run.stderr.contains("built without CUDA"), "{}", run.stderr);
    }
}
