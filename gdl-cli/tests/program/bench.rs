//! `gdl bench`: its jobs, and what it says of one.

use crate::common::Dir;

#[test]
fn the_jobs_are_those_of_the_pytorch_script() {
    let listed = Dir::new().gdl("bench --list");
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let script = include_str!("../../../tests/peers/bench.py");
    let names: Vec<_> = listed.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in &names {
        assert!(script.contains(&format!("\"{name}\": lambda")), "{name} is not in the script");
    }
    assert_eq!(names.len(), script.matches(": lambda d:").count());
}

#[test]
fn a_job_is_timed_and_reported_under_the_script_s_keys() {
    let dir = Dir::new();
    let run = dir.gdl("bench char-lstm-step-h128x2 --runs 2 --warmup 0 --json");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["job"], "char-lstm-step-h128x2");
    assert_eq!(report["runs"], 2);
    let (median, min) = (report["median_ms"].as_f64().unwrap(), report["min_ms"].as_f64().unwrap());
    assert!(0.0 < min && min <= median, "{report}");
    assert!(!cfg!(unix) || report["peak_rss_mb"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn what_cannot_be_timed_is_said_in_one_line() {
    let dir = Dir::new();
    for (args, said) in [
        ("bench nothing", "there is no job nothing"),
        ("bench", "<JOB>"),
        ("bench char-lstm-step-h128x2 --runs 0", "at least 1"),
    ] {
        let run = dir.gdl(args);
        assert_eq!(run.code, Some(2), "{args}");
        assert!(run.stderr.contains(said), "{args}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{args}: {}", run.stderr);
    }
}
