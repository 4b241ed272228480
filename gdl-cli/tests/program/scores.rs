//! `gdl cyclegan eval`, `gdl pix2pix eval`, and the best weights that a training keeps.

use crate::common::{Dir, assert_same};
use candle_core::Device;
use gdl_cyclegan::builtin::{Domain, Split, builtin_set, builtin_truth};
use gdl_cyclegan::{Direction, RunWeights, Translator, eval};
use gdl_train::load_tensors;
use serde_json::Value;

/// Small enough for a few steps a second.
const SMALL: &str = "--netG resnet6 --ngf 2 --ndf 2 --seed 5 --quiet";
const DRAWN: &str = "--a builtin:A --b builtin:B --size 24";

fn json(line: &str) -> Value {
    assert_eq!(line.lines().count(), 1, "{line}");
    serde_json::from_str(line).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A distance with an interval around it.
fn assert_estimate(value: &Value) {
    let (low, high) = (number(&value["interval"][0]), number(&value["interval"][1]));
    let value = number(&value["value"]);
    assert!(low <= value && value <= high && low < high, "{low} {value} {high}");
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_cyclegan_is_scored_in_both_directions() {
    let dir = Dir::stocked();
    dir.picture("a/three.png", 40, 40);
    dir.picture("a/four.png", 30, 44);
    dir.picture("b/sechs.png", 33, 33);
    dir.succeeds(&format!("cyclegan train --a a --b b --size 32 --out run {SMALL} --steps 1"));
    let eval = "cyclegan eval run --a a --b b --weights random";
    let output = dir.succeeds(eval);
    assert!(output.stderr.contains("4 pictures and 512 features"), "{}", output.stderr);
    let report = json(&output.stdout);
    assert_eq!(keys(&report), ["ab", "ba", "count", "features", "nothing", "size", "tap", "weights"]);
    let says = |report: &Value, what: Value| {
        for (key, want) in what.as_object().unwrap() {
            assert_eq!(report[key], *want, "{key}");
        }
    };
    let network = serde_json::json!({ "tap": "relu4_1", "weights": "the random network", "features": 512 });
    says(&report, network);
    says(&report, serde_json::json!({ "count": { "a": 4, "b": 4 }, "size": 32 }));
    for part in ["ab", "ba", "nothing"] {
        assert_eq!(keys(&report[part]), ["fid", "kid"], "{part}");
        assert_estimate(&report[part]["kid"]);
        assert_estimate(&report[part]["fid"]);
    }
    // The same seed resamples the same; another moves the intervals alone.
    assert_eq!(json(&dir.succeeds(&format!("{eval} --quiet")).stdout), report);
    let other = json(&dir.succeeds(&format!("{eval} --seed 1 --quiet")).stdout);
    assert_eq!(other["ab"]["fid"]["value"], report["ab"]["fid"]["value"]);
    assert_ne!(other["ab"]["fid"]["interval"], report["ab"]["fid"]["interval"]);

    let back = json(&dir.succeeds(&format!("{eval} --direction ba --quiet")).stdout);
    assert!(back.get("ab").is_none() && back["ba"] == report["ba"]);
    dir.succeeds("cyclegan convert run theirs --quiet");
    let file = "cyclegan eval theirs/latest_net_G_A.pth --a a --b b --weights random --quiet";
    let of_file = json(&dir.succeeds(&format!("{file} --size 32")).stdout);
    assert!(of_file.get("ba").is_none() && of_file["ab"] == report["ab"]);
    let fewer = json(&dir.succeeds(&format!("{file} --size 40 --count 3 --tap relu2_2")).stdout);
    says(
        &fewer,
        serde_json::json!({ "count": { "a": 3, "b": 3 }, "size": 40, "features": 128, "tap": "relu2_2" }),
    );

    let refused = |rest: &str, code: i32, says: &[&str]| {
        let command = format!("cyclegan eval run {rest}");
        dir.refused(code, &command.split_whitespace().collect::<Vec<_>>(), says);
    };
    refused("--a a --b content.png --weights random", 1, &["content.png"]);
    refused("--a a --b b --weights gone.safetensors", 1, &["gone.safetensors", "--weights"]);
    refused("--a a --b b --weights random --tap relu5_1", 1, &["relu5_1", "relu4_1"]);
    refused("--a a --b b --weights random --count 1", 1, &["at least 2 pictures"]);
    refused("--a a --b b --weights random --best", 1, &["run/best.safetensors", "keep_best"]);
    refused("--a a --b b --tap relu9_9", 2, &["--tap", "relu1_1"]);
    refused("--a a", 2, &["--b"]);
    dir.misused(&format!("{file} --best"), &["one network", "--best"]);
    dir.fails("cyclegan eval gone --a a --b b --weights random", &["gone", "config.json"]);
    let says = ["run: is a run of `gdl cyclegan train`"];
    dir.fails("pix2pix eval run builtin:A", &says);
}

/// What the built-in domains are scored with, computed here: (PSNR, that of doing nothing).
fn truth(dir: &Dir, run: &str, weights: RunWeights, direction: Direction) -> (f64, f64) {
    let domain = if direction == Direction::AtoB { Domain::A } else { Domain::B };
    let inputs = builtin_set(domain, Split::Test, 3, 24, 5).unwrap();
    let truths = builtin_truth(domain, Split::Test, 3, 24, 5).unwrap();
    let translator = Translator::load_with(dir.path(run), weights, direction, &Device::Cpu).unwrap();
    let made: Vec<_> = inputs.iter().map(|x| translator.translate(x).unwrap()).collect();
    let score = eval::score(&inputs, &made, &truths).unwrap();
    (score.psnr, score.nothing)
}

#[test]
fn built_in_domains_are_scored_against_their_truths_too() {
    let dir = Dir::new();
    dir.succeeds(&format!("cyclegan train {DRAWN} --out run {SMALL} --steps 1"));
    let eval = "cyclegan eval run --a builtin:A --b builtin:B --weights random --count 3 --quiet";
    let report = json(&dir.succeeds(eval).stdout);
    for (part, direction) in [("ab", Direction::AtoB), ("ba", Direction::BtoA)] {
        assert_eq!(keys(&report[part]), ["fid", "kid", "psnr", "psnr_nothing", "ssim", "ssim_nothing"]);
        let (psnr, nothing) = truth(&dir, "run", RunWeights::Last, direction);
        assert!((number(&report[part]["psnr"]) - psnr).abs() < 1e-9, "{report}");
        assert!((number(&report[part]["psnr_nothing"]) - nothing).abs() < 1e-9, "{report}");
    }
    dir.misused("cyclegan eval run --a builtin:C --b builtin:B", &["built-in domain", "'C'"]);
}

#[test]
fn pairs_are_scored_as_sets_when_there_are_weights() {
    let dir = Dir::stocked();
    for (name, height, width) in [("one", 40, 80), ("two", 37, 91), ("three", 64, 64), ("four", 32, 50)] {
        dir.picture(&format!("pairs/{name}.png"), height, width);
    }
    dir.succeeds(&format!("pix2pix train --pairs pairs --size 32 --out run {SMALL} --steps 1"));
    let plain = json(&dir.succeeds("pix2pix eval run pairs --quiet").stdout);
    assert_eq!(keys(&plain), ["count", "psnr", "psnr_nothing", "ssim", "ssim_nothing"]);
    let sets = json(&dir.succeeds("pix2pix eval run pairs --weights random --quiet").stdout);
    for (key, value) in plain.as_object().unwrap() {
        assert_eq!(&sets[key], value, "{key}");
    }
    for distances in [&sets, &sets["nothing"]] {
        assert_estimate(&distances["kid"]);
        assert_estimate(&distances["fid"]);
    }
    assert_eq!(sets["features"], 512);
    let drawn = json(&dir.succeeds("pix2pix eval run builtin:A --count 3 --quiet").stdout);
    assert_eq!(drawn["count"], 3);
    assert!(number(&drawn["psnr_nothing"]) > 0.0 && drawn["psnr"] != drawn["psnr_nothing"], "{drawn}");
    dir.misused("pix2pix eval run builtin:A pairs", &["builtin:A", "alone"]);
    dir.fails("pix2pix eval run pairs --best", &["run/best.safetensors"]);
}

/// The lines of a run's log that hold a value of that name: (step, value).
fn logged(dir: &Dir, run: &str, name: &str) -> Vec<(u64, f64)> {
    let text = String::from_utf8(dir.read(&format!("{run}/metrics.jsonl"))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| Some((line["step"].as_u64()?, line.get(name)?.as_f64()?))).collect()
}

/// What the best weights say about themselves: metric, score and step.
fn best(dir: &Dir, run: &str) -> (String, f64, u64) {
    let (_, about) = load_tensors(dir.path(run).join("best.safetensors"), &Device::Cpu).unwrap();
    (about["metric"].clone(), about["score"].parse().unwrap(), about["step"].parse().unwrap())
}

#[test]
fn the_best_weights_are_kept_and_used() {
    let dir = Dir::stocked();
    let keep = "--keep-best psnr --keep-best-every 2 --val-count 3";
    // A rate that spoils the networks after the first steps, so that the last are not the best.
    let train = format!("cyclegan train {DRAWN} {SMALL} --out run --steps 7 --lr 0.3 {keep}");
    let output = dir.succeeds(&train.replace("--quiet", ""));
    assert!(output.stderr.contains("psnr") && output.stderr.contains("the best so far"), "{}", output.stderr);
    let scores = logged(&dir, "run", "val_psnr");
    assert_eq!(scores.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [2, 4, 6, 7]);
    let (metric, score, step) = best(&dir, "run");
    let highest = scores.iter().map(|(_, score)| *score).fold(f64::MIN, f64::max);
    assert_eq!((metric.as_str(), score), ("psnr", highest));
    assert!(scores.contains(&(step, score)));
    let mean = |weights| {
        let of = |direction| truth(&dir, "run", weights, direction).0;
        (of(Direction::AtoB) + of(Direction::BtoA)) / 2.0
    };
    assert!((mean(RunWeights::Best) - score).abs() < 1e-9);
    assert!((mean(RunWeights::Last) - scores[3].1).abs() < 1e-9);
    assert!(step < 7, "the test wants a training that spoils its weights: {scores:?}");

    for (flag, out) in [("", "last"), ("--best", "best")] {
        dir.succeeds(&format!("cyclegan translate run a --out {out} --quiet {flag}"));
        dir.succeeds(&format!("cyclegan convert run theirs-{out} --quiet {flag}"));
        dir.succeeds(&format!("cyclegan export run --out {out}.onnx --quiet {flag}"));
        let file = format!("theirs-{out}/latest_net_G_A.pth");
        dir.succeeds(&format!("cyclegan translate {file} a --out again-{out} --quiet"));
        assert!(dir.read(&format!("{out}/one.png")) == dir.read(&format!("again-{out}/one.png")));
    }
    assert!(dir.read("last/one.png") != dir.read("best/one.png"));
    assert!(dir.read("last.onnx") != dir.read("best.onnx"));
    let eval = "cyclegan eval run --a builtin:A --b builtin:B --weights random --count 3 --quiet --best";
    let report = json(&dir.succeeds(eval).stdout);
    assert!((number(&report["ab"]["psnr"]) + number(&report["ba"]["psnr"]) - 2.0 * score).abs() < 1e-9);
    dir.misused("cyclegan convert theirs-best/latest_net_G_A.pth x.pth --best", &["--best"]);
    dir.misused("cyclegan translate theirs-best/latest_net_G_A.pth a --out made --best", &["--best"]);
}

#[test]
fn what_the_score_has_no_use_for_is_refused() {
    let dir = Dir::stocked();
    for (flags, named) in [
        ("--keep-best loss --val-a a", "--val-a"),
        ("--keep-best loss --val-count 3", "--val-count"),
        ("--keep-best psnr --val-weights random", "--val-weights"),
        ("--keep-best ssim --val-tap relu1_1", "--val-tap"),
    ] {
        dir.misused(
            &format!("cyclegan train --a a --b b --out run {SMALL} {flags}"),
            &[named, "leave it out"],
        );
    }
    dir.misused("pix2pix train --pairs a --out run --keep-best loss --val-pairs a", &["--val-pairs"]);
}

#[test]
fn a_killed_training_keeps_its_best() {
    let dir = Dir::stocked();
    // Scores between the checkpoints: the losses since the last one have to be kept too.
    let keep = "--keep-best loss --keep-best-every 4";
    let flags = format!("--a a --b b --size 32 {SMALL} --steps 12 --checkpoint-every 3 {keep}");
    dir.succeeds(&format!("cyclegan train --out whole {flags}"));
    let mut child = dir.start(&format!("cyclegan train --out parts {flags}"));
    while !dir.path("parts/weights.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended without a checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    dir.succeeds("cyclegan train --out parts --resume --quiet");
    assert_same(&dir.weights("parts"), &dir.weights("whole"));
    assert_eq!(logged(&dir, "whole", "val_loss").len(), 3);
    assert_eq!(logged(&dir, "parts", "val_loss"), logged(&dir, "whole", "val_loss"));
    assert_eq!(best(&dir, "parts"), best(&dir, "whole"));
    let tensors = |run: &str| load_tensors(dir.path(run).join("best.safetensors"), &Device::Cpu).unwrap().0;
    assert_same(&tensors("parts"), &tensors("whole"));
    // What is known of a better score is not forgotten: no later one replaces these weights.
    let path = dir.path("whole/best.safetensors");
    let (tensors, mut about) = load_tensors(&path, &Device::Cpu).unwrap();
    about.insert("score".into(), "-1".into());
    dir.copy("whole", "unbeaten");
    gdl_train::save_tensors(dir.path("unbeaten/best.safetensors"), &tensors, &about).unwrap();
    let config = String::from_utf8(dir.read("unbeaten/config.json")).unwrap();
    dir.write("unbeaten/config.json", config.replace("\"steps\": 12", "\"steps\": 16"));
    dir.succeeds("cyclegan train --out unbeaten --resume --quiet");
    assert_eq!(logged(&dir, "unbeaten", "val_loss").len(), 4);
    assert_eq!(best(&dir, "unbeaten").1, -1.0);
    about.remove("step");
    dir.copy("unbeaten", "silent");
    gdl_train::save_tensors(dir.path("silent/best.safetensors"), &tensors, &about).unwrap();
    dir.fails("cyclegan train --out silent --resume", &["silent/best.safetensors", "which step"]);
}

#[test]
fn sets_and_pairs_choose_the_best_too() {
    let dir = Dir::stocked();
    for (name, height, width) in [("one", 40, 80), ("two", 37, 91)] {
        dir.picture(&format!("pairs/{name}.png"), height, width);
    }
    for metric in ["kid", "fid"] {
        let keep = format!("--keep-best {metric} --keep-best-every 1 --val-weights random --val-tap relu2_1");
        let train = format!("cyclegan train --a a --b b --size 32 {SMALL} --steps 2 --out {metric}");
        dir.succeeds(&format!("{train} {keep} --val-a a --val-b b"));
        let scores = logged(&dir, metric, &format!("val_{metric}"));
        let lowest = scores.iter().map(|(_, score)| *score).fold(f64::MAX, f64::min);
        assert_eq!((scores.len(), best(&dir, metric).1), (2, lowest));
    }
    let train = format!("pix2pix train --pairs pairs --size 32 {SMALL} --steps 1 --out pairs-run");
    dir.succeeds(&format!("{train} --keep-best ssim --val-pairs pairs"));
    let (metric, score, step) = best(&dir, "pairs-run");
    assert_eq!((metric.as_str(), step), ("ssim", 1));
    let report = json(&dir.succeeds("pix2pix eval pairs-run pairs --size 32 --best --quiet").stdout);
    assert!((number(&report["ssim"]) - score).abs() < 1e-9);
    let config: Value = serde_json::from_slice(&dir.read("pairs-run/config.json")).unwrap();
    assert_eq!(
        (config["keep_best"]["metric"].as_str(), config["keep_best"]["every"].as_u64()),
        (Some("ssim"), Some(500))
    );
    let pairs = config["data"]["val_pairs"].as_str().unwrap();
    assert!(std::path::Path::new(pairs).is_absolute(), "{pairs}");
    dir.succeeds("pix2pix translate pairs-run a --out made --best --quiet");
    let drawn = format!("pix2pix train --pairs builtin:A --size 24 {SMALL} --steps 1 --out drawn");
    dir.succeeds(&format!("{drawn} --keep-best psnr --val-count 2"));
    assert_eq!(best(&dir, "drawn").0, "psnr");
}

#[test]
fn scores_that_cannot_be_computed_are_refused() {
    let dir = Dir::stocked();
    dir.picture("one/alone.png", 32, 32);
    let train = format!("cyclegan train --a a --b b --size 32 {SMALL} --steps 1 --out new");
    let pairs = format!("pix2pix train --pairs a --size 32 {SMALL} --steps 1 --out new");
    let random = "--val-weights random";
    for (command, says) in [
        (format!("{train} --keep-best psnr --val-a a --val-b b"), ["psnr", "true counterpart"]),
        (format!("{train} --keep-best ssim"), ["needs validation pictures", "val_a and val_b"]),
        (format!("{train} --keep-best kid {random} --val-a a"), ["needs validation pictures", "val_b"]),
        (format!("{train} --keep-best kid {random} --val-a a --val-b one"), ["kid", "at least 2"]),
        (format!("{train} --keep-best kid {random} --val-a a --val-b gone"), ["gone", "no such file"]),
        (format!("{train} --keep-best fid --val-weights gone.pth --val-a a --val-b b"), ["gone.pth", ""]),
        (format!("{train} --keep-best fid --val-a a --val-b b"), ["HF_HUB_OFFLINE", "timm/vgg19"]),
        (format!("{pairs} --keep-best psnr"), ["needs validation pictures", "val_pairs"]),
    ] {
        dir.fails(&command, &says);
    }
    dir.misused(&format!("{train} --keep-best best"), &["--keep-best", "psnr, ssim, kid, fid, loss"]);
    dir.misused(&format!("{train} --keep-best-every 3"), &["--keep-best"]);
    dir.misused(&format!("{train} --val-a a"), &["--keep-best"]);
    dir.misused(&format!("{pairs} --val-pairs a"), &["--keep-best"]);
    dir.misused("cyclegan train --out run --resume --keep-best loss", &["--resume", "--keep-best"]);
}
