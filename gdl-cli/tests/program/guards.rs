//! Trainings that fail, networks that cannot paint, and what a training may cost, from outside.

use crate::common::{Dir, assert_same};
use candle_core::Tensor;

const SMALL: &str = "--generator resnet6 --ngf 4 --ndf 4 --size 32 --seed 5";

#[test]
fn a_training_that_fails_says_what_and_leaves_nothing_bad() {
    let dir = Dir::stocked();
    for train in [
        format!("cyclegan train --a a --b b {SMALL}"),
        format!("pix2pix train --pairs b {SMALL} --no_dropout --norm instance"),
    ] {
        let train = format!("{train} --out new --steps 6 --lr 1e36");
        let advice = "lower learning rate";
        dir.fails(
            &format!("{train} --quiet"),
            &["step ", ": the loss", "going back 3 times", "net_", advice],
        );
        dir.fails(&format!("{train} --quiet --on-failure stop"), &["step ", ": the loss", advice]);
        // What has been tried is told, a line each.
        let said = dir.gdl(&train);
        let tried: Vec<_> = said.stderr.lines().filter(|line| line.contains("back to step 0")).collect();
        assert_eq!((said.code, tried.len()), (Some(1), 3), "{}", said.stderr);
        assert!(tried[1].starts_with("step ") && tried[1].ends_with("(2 of 3)"), "{}", tried[1]);
        assert!(!dir.path("new").exists());
    }
    dir.misused(
        &format!("cyclegan train --a a --b b {SMALL} --out new --on-failure pray"),
        &["--on-failure", "pray"],
    );
    dir.misused(
        &format!("cyclegan train --a a --b b {SMALL} --out new --snapshot-every 0"),
        &["--snapshot-every"],
    );
    dir.misused("cyclegan train --out new --resume --accumulate 2", &["--resume", "--accumulate"]);
}

/// A black picture is none.
#[test]
fn weights_and_translations_that_are_not_finite_are_refused() {
    let dir = Dir::stocked();
    dir.succeeds(&format!("cyclegan train --a a --b b --out run {SMALL} --steps 1 --quiet"));
    let (first, last) = ("net_G_A.model.1.weight", "net_G_A.model.10.conv_block.1.weight");
    let fill = |run: &str, key: &str, value: f32| {
        dir.copy("run", run);
        dir.tamper(run, |tensors| {
            let tensor = tensors.get_mut(key).unwrap();
            *tensor = Tensor::full(value, tensor.shape(), tensor.device()).unwrap();
        });
    };
    fill("spoilt", last, f32::NAN);
    let says =
        ["spoilt/weights.safetensors: the weight model.10.conv_block.1.weight holds NaN", "train again"];
    dir.fails("cyclegan translate spoilt a --out made", &says);
    // Finite, and too large for what comes of them.
    fill("huge", first, 3e38);
    let failed = dir.gdl("cyclegan translate huge a/one.png --out made");
    assert_eq!((failed.code, failed.stderr.lines().count()), (Some(1), 1), "{}", failed.stderr);
    assert!(failed.stderr.starts_with("gdl: a/one.png: the translation holds NaN"), "{}", failed.stderr);
    assert!(!dir.path("made/one.png").exists());
    dir.succeeds("cyclegan convert spoilt theirs --quiet");
    dir.fails(
        "cyclegan translate theirs/latest_net_G_A.pth a --out made",
        &["latest_net_G_A.pth", "holds NaN"],
    );
    // The other direction is whole.
    dir.succeeds("cyclegan translate spoilt a --out made --direction ba --quiet");
}

#[test]
fn memory_is_saved_without_a_change() {
    let dir = Dir::stocked();
    let train = format!("cyclegan train --a a --b b {SMALL} --dropout --steps 3 --batch 2 --quiet");
    dir.succeeds(&format!("{train} --out kept"));
    dir.succeeds(&format!("{train} --out again --checkpoint-blocks"));
    assert_same(&dir.weights("again"), &dir.weights("kept"));

    let flags = "--accumulate 2 --checkpoint-blocks --on-failure stop --snapshot-every 7 --collapse-after 9";
    dir.succeeds(&format!("{train} --out all {flags}"));
    let config: serde_json::Value = serde_json::from_slice(&dir.read("all/config.json")).unwrap();
    for (path, want) in [
        ("/accumulate", "2"),
        ("/checkpoint_blocks", "true"),
        ("/guard/on_failure", "\"stop\""),
        ("/guard/snapshot_every", "7"),
        ("/guard/collapse_after", "9"),
    ] {
        assert_eq!(config.pointer(path).unwrap().to_string(), want, "{path}");
    }
    let said =
        dir.succeeds(&format!("cyclegan train --a a --b b {SMALL} --out new --epochs 8 {flags} --dry-run"));
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    // Three pictures eight times, two to a step.
    assert_eq!(report["steps"], 12);
    dir.succeeds(&format!("pix2pix train --pairs b {SMALL} --out pairs --steps 2 {flags} --quiet"));
}
