//! `gdl pix2pix` on files.

use crate::common::{Dir, assert_same};

/// Small enough for a few steps a second.
const SMALL: &str = "--netG resnet6 --ngf 2 --ndf 2 --size 32 --seed 5";

/// A folder with pairs, and a run trained on them.
fn trained() -> Dir {
    let dir = Dir::stocked();
    for (name, height, width) in [("one", 40, 80), ("two", 37, 91), ("three", 64, 64)] {
        dir.picture(&format!("pairs/{name}.png"), height, width);
    }
    dir.succeeds(&format!("pix2pix train --pairs pairs --out run {SMALL} --steps 2 --quiet"));
    dir
}

#[test]
fn pairs_train_and_single_pictures_are_translated() {
    let dir = trained();
    for file in ["config.json", "metrics.jsonl", "weights.safetensors", "state", "samples"] {
        assert!(dir.path("run").join(file).exists(), "{file}");
    }
    let output = dir.succeeds("pix2pix translate run a content.png --out made");
    assert!(output.stderr.contains("3 pictures"), "{}", output.stderr);
    assert_eq!(dir.size("made/one.png"), (41, 37));
    assert_eq!(dir.size("made/content.png"), (31, 40));
    dir.succeeds("pix2pix translate run content.png --out tiles --tile 16 --quiet");
    assert_eq!(dir.size("tiles/content.png"), (31, 40));
    dir.succeeds("pix2pix export run --out model.onnx --quiet");
    assert!(dir.read("model.onnx").windows(21).any(|name| name == b"InstanceNormalization"));
    dir.succeeds("pix2pix export run --out running.onnx --eval --quiet");
    assert!(dir.read("running.onnx").windows(18).any(|name| name == b"BatchNormalization"));
    dir.succeeds("pix2pix translate run content.png --out running --eval --quiet");
    assert!(dir.read("running/content.png") != dir.read("made/content.png"));
    let score = dir.succeeds("pix2pix eval run pairs --quiet").stdout;
    let score: serde_json::Value = serde_json::from_str(&score).unwrap();
    assert_eq!(score["count"], 3);
    assert!(score["psnr"].as_f64().unwrap() > 0.0 && score["ssim"].as_f64().unwrap() < 1.0, "{score}");
    let there = dir.succeeds("pix2pix eval run pairs --direction AtoB --quiet").stdout;
    assert_eq!(there, dir.succeeds("pix2pix eval run pairs --quiet").stdout);
    assert!(there != dir.succeeds("pix2pix eval run pairs --direction BtoA --quiet").stdout);
}

#[test]
fn it_resumes_and_the_seed_decides() {
    let dir = trained();
    let flags = format!("--pairs pairs {SMALL} --steps 6 --checkpoint-every 2 --quiet");
    for run in ["whole", "parts"] {
        dir.succeeds(&format!("pix2pix train --out {run} {flags}"));
    }
    assert_same(&dir.weights("whole"), &dir.weights("parts"));
    let done = dir.succeeds("pix2pix train --out parts --resume");
    assert!(done.stderr.contains("6 steps are done"), "{}", done.stderr);
    let built_in = "--pairs builtin:B --direction BtoA --netG resnet6 --ngf 2 --ndf 2 --size 24 --steps 1";
    dir.succeeds(&format!("pix2pix train --out drawn {built_in} --quiet"));
    let config: serde_json::Value = serde_json::from_slice(&dir.read("drawn/config.json")).unwrap();
    for (path, want) in [
        ("/model/generator/norm", "\"batch\""),
        ("/model/generator/dropout", "true"),
        ("/model/discriminator/norm", "\"batch\""),
        ("/model/discriminator/in_channels", "6"),
        ("/model/gan_loss", "\"vanilla\""),
        ("/data/direction", "\"BtoA\""),
    ] {
        assert_eq!(config.pointer(path).unwrap().to_string(), want, "{path}");
    }
}

#[test]
fn networks_go_to_the_reference_and_come_back() {
    let dir = trained();
    dir.succeeds("pix2pix convert run theirs --quiet");
    dir.succeeds("pix2pix translate run a --out ours --quiet");
    dir.succeeds("pix2pix translate theirs/latest_net_G.pth a --out back --quiet");
    assert!(dir.read("ours/one.png") == dir.read("back/one.png"));
    let data = "--pairs pairs --size 32 --steps 1 --lr 1e-30 --quiet";
    dir.succeeds(&format!("pix2pix train {data} --out again --init-from theirs"));
    let [again, run] = ["again", "run"].map(|run| dir.weights(run));
    let parameter = |key: &&String| !key.contains("running_");
    assert!(again.keys().eq(run.keys()));
    for key in again.keys().filter(parameter) {
        let [a, b] = [&again, &run].map(|w| w[key].flatten_all().unwrap().to_vec1::<f32>().unwrap());
        assert!(a == b, "{key}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let dir = trained();
    dir.misused("pix2pix train --out new", &["--pairs"]);
    dir.misused("pix2pix train --out run --resume --no_dropout", &["--resume", "--no_dropout"]);
    dir.misused("pix2pix train --out run --resume --ngf 3", &["--resume", "--ngf"]);
    dir.fails(&format!("pix2pix train --pairs pairs --out run {SMALL} --steps 1"), &["already holds a run"]);
    dir.fails(&format!("pix2pix train --pairs gone --out new {SMALL} --steps 1"), &["gone"]);
    let says = ["run: is a run of `gdl pix2pix train`", "name a run of `gdl cyclegan train`"];
    dir.fails("cyclegan translate run a --out made", &says);
    dir.fails("cyclegan train --out run --resume", &says);
    dir.fails("pix2pix translate gone a --out made", &["gone", "config.json"]);
    dir.picture("thin/thin.png", 20, 1);
    dir.fails("pix2pix eval run thin", &["thin/thin.png", "two side by side"]);
    dir.picture("small/small.png", 10, 40);
    dir.fails("pix2pix eval run small", &["small/small.png", "11x11"]);
    dir.picture("thin-only/thin.png", 20, 1);
    let train = format!("pix2pix train --pairs thin-only --out new {SMALL} --steps 1");
    dir.fails(&train, &["two side by side"]);
    assert!(!dir.path("new").exists());
}
