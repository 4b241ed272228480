//! What a training shows of itself: the page, the metrics and the event files, over interruptions.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::Device;
use gdl_train::report::{Chart, Outline, Picture, ReportOptions, RunLog, Sample, sample_path};
use gdl_train::{OnExisting, RunDir};
use std::path::Path;

fn outline() -> Outline {
    Outline {
        name: "A model".into(),
        unit: "pictures".into(),
        per_step: 4.0,
        charts: vec![Chart::new("Losses", &[("loss", "training"), ("valid_loss", "validation")])],
        columns: vec!["real", "fake"],
    }
}

fn open(run: &RunDir, step: u64) -> RunLog {
    RunLog::open(run, outline(), ReportOptions::default(), &Device::Cpu, step).unwrap()
}

fn new_run(dir: &tempfile::TempDir) -> RunDir {
    RunDir::create(dir.path().join("run"), &serde_json::json!({"seed": 7}), OnExisting::Refuse).unwrap()
}

fn page(run: &RunDir) -> String {
    std::fs::read_to_string(run.page_path()).unwrap()
}

fn take_steps(log: &mut RunLog, steps: std::ops::RangeInclusive<u64>) {
    for step in steps {
        log.append(step, &[("loss", 1.0 / step as f64), ("epoch", 0.0), ("lucky_number", 13.0)]).unwrap();
    }
}

/// The greatest x among the points of the page's first chart, in pixels, and how many they are.
fn first_line(page: &str) -> usize {
    let chart = &page[page.find(">Losses</text>").unwrap()..];
    let chart = &chart[..chart.find("</svg>").unwrap()];
    chart.split(" d=\"").map(|path| path.split('"').next().unwrap().matches('L').count()).max().unwrap() + 1
}

#[test]
fn a_page_tells_of_the_training_while_it_runs_and_when_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let run = new_run(&dir);
    let mut log = open(&run, 0);
    log.start(20);
    take_steps(&mut log, 1..=1);
    let running = page(&run);
    assert!(running.contains("<h1>run: A model</h1>") && running.contains("In training, at step 1 of 20."));
    assert!(running.contains("http-equiv=\"refresh\""));
    take_steps(&mut log, 2..=10);
    log.append(10, &[("valid_loss", 0.5)]).unwrap();
    log.close().unwrap();
    let stopped = page(&run);
    assert!(stopped.contains("Stopped after step 10 of 20") && !stopped.contains("http-equiv=\"refresh\""));
    assert_eq!(first_line(&stopped), 10);
    // A chart of the outline, one of its own for what is not in it, none for epochs; the settings; the throughput.
    for part in
        [">training</text>", ">validation</text>", ">Lucky number</text>", ">Pictures a second</text>"]
    {
        assert!(stopped.contains(part), "{part}");
    }
    assert!(stopped.contains("<tr><th>seed</th><td>7</td></tr>") && !stopped.contains(">epoch<"));
    // The clock is in a file of its own.
    let metrics = std::fs::read_to_string(run.metrics().path()).unwrap();
    assert!(metrics.lines().count() == 11 && !metrics.contains("second"), "{metrics}");
    let speed = std::fs::read_to_string(run.path().join("speed.jsonl")).unwrap();
    assert!(speed.contains("pictures_per_second") && speed.contains("seconds"), "{speed}");
}

#[test]
fn a_training_that_goes_on_keeps_its_curves_and_samples() {
    let dir = tempfile::tempdir().unwrap();
    let run = new_run(&dir);
    let mut log = open(&run, 0);
    log.start(30);
    take_steps(&mut log, 1..=12);
    for step in [5, 10, 12] {
        std::fs::write(sample_path(&run, step, "txt").unwrap(), format!("written at {step}")).unwrap();
    }
    log.close().unwrap();

    // From step 10 on: what was logged behind it was for nothing.
    let mut log = open(&run, 10);
    let load = |path: &Path| Some(Sample::Text(std::fs::read_to_string(path).ok()?));
    log.recall_samples("txt", load).unwrap();
    log.start(30);
    take_steps(&mut log, 11..=15);
    let picture = Picture { bytes: b"\x89PNG".to_vec(), width: 8, height: 8 };
    log.sample(15, Sample::Sheet { newest: picture.clone(), earlier: picture }).unwrap();
    log.write().unwrap();
    let page = page(&run);
    assert_eq!(first_line(&page), 15);
    let places = ["<span>real</span><span>fake</span>", "written at 10", "written at 5"]
        .map(|s| page.find(s).unwrap());
    assert!(places.is_sorted() && !page.contains("written at 12"), "{places:?}");
    let steps: Vec<_> = run.metrics().read().unwrap().iter().map(|r| r.step).collect();
    assert_eq!(steps, (1..=15).collect::<Vec<_>>());

    // Back again, as after a step that went wrong.
    log.truncate_after(13).unwrap();
    take_steps(&mut log, 14..=14);
    log.close().unwrap();
    let page = self::page(&run);
    assert_eq!(first_line(&page), 14);
    assert!(!page.contains("<span>real</span>"));
    assert_eq!(std::fs::read_dir(run.events_path()).unwrap().count(), 2);
}

#[test]
fn what_was_not_asked_for_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let run = new_run(&dir);
    let options = ReportOptions { html: false, tensorboard: false };
    let mut log = RunLog::open(&run, outline(), options, &Device::Cpu, 0).unwrap();
    log.start(3);
    take_steps(&mut log, 1..=3);
    log.sample(3, Sample::Text("a text".into())).unwrap();
    log.close().unwrap();
    let mut files: Vec<_> = std::fs::read_dir(run.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["config.json", "metrics.jsonl"]);
}

#[test]
fn a_new_run_in_the_old_one_s_place_shows_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = new_run(&dir);
    let mut log = open(&run, 0);
    log.start(3);
    take_steps(&mut log, 1..=3);
    std::fs::write(sample_path(&run, 3, "txt").unwrap(), "old").unwrap();
    log.close().unwrap();
    RunDir::create(run.path(), &1, OnExisting::Overwrite).unwrap();
    let left: Vec<_> = std::fs::read_dir(run.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["config.json"]);
}
