//! `gdl cyclegan` on files.

use crate::common::{Dir, assert_same, tamperings};
use candle_core::{Device, Tensor};
use gdl_image_io::{BitDepth, SaveOptions, image_depth, save_image_with};

/// Small enough for a few steps a second.
const SMALL: &str = "--generator resnet6 --ngf 4 --ndf 4 --size 32 --seed 5";

fn trained() -> Dir {
    let dir = Dir::stocked();
    dir.succeeds(&format!("cyclegan train --a a --b b --out run {SMALL} --steps 2 --quiet"));
    dir
}

#[test]
fn pictures_of_any_size_keep_their_name_and_size() {
    let dir = trained();
    for file in ["config.json", "metrics.jsonl", "weights.safetensors", "state", "samples"] {
        assert!(dir.path("run").join(file).exists(), "{file}");
    }
    dir.picture("wide.png", 19, 70);
    let output = dir.succeeds("cyclegan translate run a wide.png --out made/here");
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("3 pictures"), "{}", output.stderr);
    for (name, size) in [("one.png", (41, 37)), ("two.jpg", (52, 33)), ("wide.png", (70, 19))] {
        assert_eq!(dir.size(&format!("made/here/{name}")), size, "{name}");
    }
    assert_eq!(std::fs::read_dir(dir.path("made/here")).unwrap().count(), 3);

    let quiet = dir.succeeds("cyclegan translate run b --out back --direction ba --quiet");
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(dir.size("back/fuenf.bmp"), (21, 64));
    // Each direction has its own network; the same network gives the same picture.
    dir.succeeds("cyclegan translate run b/vier.png --out there --direction ab --quiet");
    assert!(dir.read("back/vier.png") != dir.read("there/vier.png"));
    dir.succeeds("cyclegan translate run b/vier.png --out again --direction ab --quiet");
    assert!(dir.read("again/vier.png") == dir.read("there/vier.png"));
}

#[test]
fn tiles_and_the_whole_give_the_same_picture() {
    let dir = trained();
    dir.picture("wide.png", 75, 131);
    for (out, flags) in [("whole", ""), ("tiles", "--tile 16"), ("few", "--tile 50")] {
        dir.succeeds(&format!("cyclegan translate run wide.png --out {out} --quiet {flags}"));
    }
    let picture = |out: &str| {
        let path = dir.path(out).join("wide.png");
        gdl_image_io::load_image(path, &Default::default())
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    let whole = picture("whole");
    for out in ["tiles", "few"] {
        // What lies between two of the 256 steps may be rounded up or down.
        let off = whole.iter().zip(picture(out)).map(|(a, b)| ((a - b) * 255.0).abs());
        let (worst, count) =
            off.fold((0f32, 0), |(worst, count), d| (worst.max(d), count + usize::from(d > 0.5)));
        assert!(worst < 1.5 && count < whole.len() / 100, "{out}: {worst} steps, {count} values");
    }
    dir.misused("cyclegan translate run wide.png --out small --tile 8", &["--tile", "16"]);
    dir.misused("pix2pix translate run wide.png --out small --tile x", &["--tile"]);
}

#[test]
fn a_generator_is_exported() {
    let dir = trained();
    let said = dir.succeeds("cyclegan export run --out ab.onnx");
    assert!(said.stderr.contains("ab.onnx") && said.stderr.contains("multiples of 4"), "{}", said.stderr);
    dir.succeeds("cyclegan export run --direction ba --out ba.onnx --quiet");
    dir.succeeds("cyclegan convert run theirs --quiet");
    dir.succeeds("cyclegan export theirs/latest_net_G_A.pth --out file.onnx --quiet");
    let [ab, ba, file] = ["ab.onnx", "ba.onnx", "file.onnx"].map(|name| dir.read(name));
    let holds = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    for (bytes, direction) in [(&ab, "ab"), (&ba, "ba")] {
        assert!(holds(bytes, b"ConvTranspose") && holds(bytes, b"translation"));
        assert!(holds(bytes, &[b"\x0a\x09direction\x12\x02", direction.as_bytes()].concat()), "{direction}");
    }
    assert!(!holds(&file, b"direction"));
    // The weights are those of the direction.
    let weights = dir.weights("run");
    for (bytes, net, has) in [(&ab, "net_G_A", true), (&file, "net_G_A", true), (&ba, "net_G_A", false)] {
        let weight = &weights[&format!("{net}.model.1.weight")];
        let values = weight.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(holds(bytes, &raw), has, "{net}");
    }
    dir.misused("cyclegan export run", &["--out"]);
    dir.misused("cyclegan export theirs/latest_net_G_A.pth --direction ab --out x.onnx", &["--direction"]);
    dir.fails("pix2pix export run --out x.onnx", &["run: is a run of `gdl cyclegan train`"]);
    dir.fails("cyclegan export run --out gone/x.onnx", &["gone/x.onnx"]);
    dir.fails("cyclegan export gone --out x.onnx", &["gone"]);
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let dir = Dir::stocked();
    let before = dir.tree();
    for command in [
        format!("cyclegan train --a a --b b {SMALL}"),
        format!("pix2pix train --pairs b {SMALL} --no_dropout"),
    ] {
        let said = dir.succeeds(&format!("{command} --out run --epochs 3 --dry-run --quiet"));
        assert_eq!(said.stderr, "");
        let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let sum: u64 = report["parameters"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert!(sum > 0 && report["total_parameters"] == sum, "{report}");
        assert_eq!(report["steps"], 9);
        assert!(report["seconds_per_step"].as_f64().unwrap() > 0.0, "{report}");
    }
    assert!(dir.tree() == before);
    dir.misused("cyclegan train --out run --resume --dry-run", &["--resume", "--dry-run"]);
}

#[test]
fn sixteen_bits_stay_sixteen() {
    let dir = trained();
    let deep = SaveOptions { depth: BitDepth::Sixteen, ..SaveOptions::default() };
    let ramp = Tensor::arange(0f32, 3.0 * 32.0 * 32.0, &Device::Cpu).unwrap().reshape((3, 32, 32)).unwrap();
    for name in ["deep.png", "deep.tif"] {
        save_image_with(&(&ramp / 3072.0).unwrap(), dir.path(name), &deep).unwrap();
    }
    dir.succeeds("cyclegan translate run deep.png deep.tif a/one.png --out made --quiet");
    for (name, depth) in
        [("deep.png", BitDepth::Sixteen), ("deep.tif", BitDepth::Sixteen), ("one.png", BitDepth::Eight)]
    {
        assert_eq!(image_depth(dir.path("made").join(name)).unwrap(), depth, "{name}");
    }
}

#[test]
fn the_pictures_inside_the_program_do_too() {
    let dir = Dir::new();
    let data = "--a builtin:A --b builtin:B --size 24 --batch 2";
    let train = format!("cyclegan train {data} --out run --generator resnet9 --ngf 4 --ndf 4 --steps 1");
    let output = dir.succeeds(&train);
    assert!(output.stderr.contains("gdl cyclegan translate run"), "{}", output.stderr);
    dir.picture("odd.png", 37, 50);
    dir.succeeds("cyclegan translate run odd.png --out made --quiet");
    assert_eq!(dir.size("made/odd.png"), (50, 37));
}

#[test]
fn a_unet_takes_odd_sizes_too() {
    let dir = Dir::stocked();
    let small = "--generator unet128 --ngf 2 --ndf 2 --size 128 --steps 1 --quiet";
    dir.succeeds(&format!("cyclegan train --a a --b b --out run {small}"));
    dir.succeeds("cyclegan translate run content.png b --out made --quiet");
    assert_eq!(dir.size("made/content.png"), (31, 40));
    assert_eq!(dir.size("made/fuenf.bmp"), (21, 64));
}

#[test]
fn the_same_seed_trains_the_same() {
    let dir = Dir::stocked();
    for run in ["one", "two"] {
        dir.succeeds(&format!("cyclegan train --a a --b b --out {run} {SMALL} --steps 2 --quiet"));
    }
    assert_same(&dir.weights("one"), &dir.weights("two"));
}

#[test]
fn a_killed_training_goes_on_from_its_last_checkpoint() {
    let dir = Dir::stocked();
    let flags = format!("--a a --b b {SMALL} --steps 12 --checkpoint-every 3 --quiet");
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
    let done = dir.succeeds("cyclegan train --out parts --resume");
    assert!(done.stderr.contains("12 steps are done"), "{}", done.stderr);
}

#[test]
fn an_existing_run_is_not_overwritten() {
    let dir = trained();
    let train = |out: &str| format!("cyclegan train --a a --b b --out {out} {SMALL} --steps 1");
    dir.fails(&train("run"), &["run", "already holds a run", "resume"]);
    dir.fails(&train("a"), &["a is not empty"]);
    dir.fails(&train("corpus.txt"), &["corpus.txt"]);
    dir.fails(&train("corpus.txt/run"), &["corpus.txt/run"]);
    dir.misused("cyclegan train --out run --resume --steps 9", &["--resume", "--steps"]);
    dir.fails("cyclegan train --out gone --resume", &["gone", "config.json"]);
    dir.fails("cyclegan train --out b --resume", &["b is not a run", "config.json"]);
}

#[test]
fn data_that_are_none_are_named() {
    let dir = Dir::stocked();
    dir.write("none/readme.txt", "no pictures here");
    dir.picture("text/fine.png", 32, 32);
    dir.write("text/fake.png", "no picture at all");
    let whole = dir.read("content.png");
    dir.write("cut/cut.png", &whole[..whole.len() / 2]);
    for (folder, says) in [
        ("gone", "gone: no such file or directory"),
        ("none", "none: no images"),
        ("content.png", "content.png: is not a directory"),
        ("text", "text/fake.png: not an image"),
        ("cut", "cut/cut.png: the image is truncated"),
    ] {
        dir.fails(&format!("cyclegan train --a {folder} --b b --out runs/run {SMALL} --steps 2"), &[says]);
        dir.fails(&format!("cyclegan train --a a --b {folder} --out runs/run {SMALL} --steps 2"), &[says]);
    }
    let train = "cyclegan train --a a --b b --out run --ngf 4 --ndf 4 --steps 1";
    dir.fails(&format!("{train} --size 33"), &["size", "multiple of 4"]);
    dir.fails(&format!("{train} --size 16"), &["size", "at least 24"]);
    dir.fails(&format!("{train} --size 128 --generator unet256"), &["size", "256"]);
}

#[test]
fn inputs_that_cannot_be_translated_are_named_before_any_is() {
    let dir = trained();
    dir.write("none/readme.txt", "no pictures here");
    dir.write("fake.png", "no picture at all");
    let whole = dir.read("content.png");
    dir.write("cut.png", &whole[..whole.len() / 2]);
    dir.write("photo.raw", &whole);
    for (input, says) in [
        ("gone.png", "gone.png: no such file"),
        ("none", "none: no images"),
        ("fake.png", "fake.png: not an image"),
        ("corpus.txt", "corpus.txt: not an image"),
        ("cut.png", "cut.png: the image is truncated"),
        ("photo.raw", "photo.raw"),
    ] {
        dir.fails(&format!("cyclegan translate run content.png {input} --out made"), &[says]);
    }
    dir.picture("other/one.png", 20, 20);
    dir.fails("cyclegan translate run a other --out made", &["a/one.png", "other/one.png", "same name"]);
    dir.fails("cyclegan translate run a --out a", &["a/one.png", "--out"]);
    dir.fails("cyclegan translate run a --out corpus.txt", &["corpus.txt", "--out"]);
    dir.fails("cyclegan translate run a --out corpus.txt/made", &["corpus.txt/made", "--out"]);
    std::fs::create_dir_all(dir.path("blocked/two.jpg")).unwrap();
    dir.fails("cyclegan translate run a --out blocked", &["blocked/two.jpg", "is a directory"]);
}

#[test]
fn checkpoints_that_do_not_fit_are_refused() {
    let dir = trained();
    let key = dir.weights("run").keys().find(|k| k.starts_with("net_G_A.")).unwrap().clone();
    let short = key.trim_start_matches("net_G_A.");
    for (name, change) in tamperings(&key) {
        dir.copy("run", name);
        dir.tamper(name, change);
        let culprit = if name == "extra" { "stowaway.weight" } else { short };
        let file = format!("{name}/weights.safetensors");
        for command in [
            format!("cyclegan translate {name} a --out made"),
            format!("cyclegan train --out {name} --resume"),
        ] {
            dir.fails(&command, &[&file, culprit]);
        }
    }
    // One that belongs to the other network is none of this one's business, but one too many inside this one is.
    dir.copy("run", "inside");
    dir.tamper("inside", |tensors| {
        let tensor = tensors[&key].clone();
        tensors.insert("net_G_A.model.99.weight".into(), tensor);
    });
    dir.fails("cyclegan translate inside a --out made", &["inside/weights.safetensors", "model.99.weight"]);
}

/// To the reference and back: its files translate as the run does, and a training begins with them.
#[test]
fn networks_go_to_the_reference_and_come_back() {
    let dir = trained();
    let output = dir.succeeds("cyclegan convert run theirs/mine");
    assert!(output.stderr.contains("4 networks"), "{}", output.stderr);
    dir.succeeds("cyclegan convert run theirs/mine --format safetensors --quiet");
    dir.succeeds("cyclegan translate run a --out ours --quiet");
    dir.succeeds("cyclegan translate run a --out ours-back --direction ba --quiet");
    for (file, like) in [
        ("latest_net_G_A.pth", "ours"),
        ("latest_net_G_A.safetensors", "ours"),
        ("latest_net_G_B.pth", "ours-back"),
    ] {
        dir.succeeds(&format!("cyclegan translate theirs/mine/{file} a --out {file}.made --quiet"));
        assert!(dir.read(&format!("{file}.made/one.png")) == dir.read(&format!("{like}/one.png")), "{file}");
    }
    dir.succeeds("cyclegan convert theirs/mine/latest_net_D_B.safetensors D_B.pth --quiet");
    assert!(dir.read("D_B.pth") == dir.read("theirs/mine/latest_net_D_B.pth"));

    // A rate so low that nothing moves shows that the training began with the given weights.
    std::fs::remove_file(dir.path("theirs/mine/latest_net_G_A.safetensors")).unwrap();
    let data = "--a a --b b --size 32 --steps 1 --lr 1e-30 --quiet";
    dir.succeeds(&format!("cyclegan train {data} --out from-files --init-from theirs/mine"));
    dir.succeeds(&format!("cyclegan train {data} --out from-run --init-from run"));
    for run in ["from-files", "from-run"] {
        assert_same(&dir.weights(run), &dir.weights("run"));
    }
    let one = "theirs/mine/latest_net_G_A.pth";
    dir.succeeds(&format!("cyclegan train {data} --out from-one --init-from {one}"));
    let (from, run) = (dir.weights("from-one"), dir.weights("run"));
    let same = |net: &str| {
        let key = format!("{net}.model.1.weight");
        let values = [&from, &run].map(|w| w[&key].flatten_all().unwrap().to_vec1::<f32>().unwrap());
        values[0] == values[1]
    };
    assert!(same("net_G_A") && !same("net_G_B"));
}

#[test]
fn files_of_networks_that_do_not_fit_are_named() {
    let dir = trained();
    dir.succeeds("cyclegan convert run theirs --quiet");
    let g = "theirs/latest_net_G_A.pth";
    let misused = format!("cyclegan translate {g} a --out made --direction ba");
    dir.misused(&misused, &[g, "one network", "--direction"]);
    dir.fails(
        "cyclegan translate theirs/latest_net_D_A.pth a --out made",
        &["latest_net_D_A.pth", "no generator"],
    );
    dir.fails("cyclegan translate run/weights.safetensors a --out made", &["several networks"]);
    dir.fails("cyclegan translate content.png a --out made", &["content.png"]);
    dir.fails(&format!("cyclegan convert {g} net.onnx"), &["net.onnx", ".pth or .safetensors"]);
    dir.fails(&format!("cyclegan convert {g} theirs"), &["theirs", "directory"]);
    dir.fails("cyclegan convert gone out", &["gone", "config.json"]);
    dir.fails("cyclegan convert run corpus.txt", &["corpus.txt"]);
    let train = "cyclegan train --a a --b b --out new --size 32 --steps 1";
    dir.fails(&format!("{train} --init-from a"), &["a: it is neither a run nor holds files"]);
    dir.fails(&format!("{train} --init-from content.png"), &["content.png", "net_G_A"]);
    dir.fails(&format!("{train} --init-from {g} theirs"), &["theirs", "net_G_A once more"]);
    dir.misused(&format!("{train} --init-from theirs --ngf 4"), &["--init-from", "--ngf"]);
    assert!(!dir.path("new").exists());
}

#[test]
fn the_settings_of_the_reference_reach_the_run() {
    let dir = Dir::stocked();
    let networks =
        "--netG resnet_6blocks --ngf 2 --ndf 2 --norm batch --netD pixel --upsampling resize --dropout";
    let losses = "--gan_mode hinge --lambda_A 3 --lambda_B 4 --lambda_identity 0 --pool_size 7 --init_type xavier --init_gain 0.1";
    let course = "--lr_policy step --lr_decay_iters 5 --beta1 0.4 --steps 1 --batch_size 2 \
        --display_freq 3 --save_latest_freq 9 --no_html";
    let data = "--a a --b b --crop_size 32 --load_size 40 --preprocess crop --no_flip";
    dir.succeeds(&format!("cyclegan train {data} {networks} {losses} {course} --out run --quiet"));
    let config: serde_json::Value = serde_json::from_slice(&dir.read("run/config.json")).unwrap();
    for (path, want) in [
        ("/model/generator/norm", "\"batch\""),
        ("/model/generator/upsampling", "\"resize\""),
        ("/model/generator/dropout", "true"),
        ("/model/generator/init", r#"{"xavier":0.1}"#),
        ("/model/discriminator/kind", "\"pixel\""),
        ("/model/discriminator/norm", "\"batch\""),
        ("/model/gan_loss", "\"hinge\""),
        ("/model/lambda_a", "3.0"),
        ("/model/lambda_b", "4.0"),
        ("/model/lambda_identity", "0.0"),
        ("/model/pool_size", "7"),
        ("/model/optimizer/beta1", "0.4"),
        ("/data/size", "32"),
        ("/data/load_size", "40"),
        ("/data/preprocess", "\"crop\""),
        ("/data/flip", "false"),
        ("/lr_policy", "\"step\""),
        ("/lr_decay_iters", "5"),
        ("/batch", "2"),
        ("/sample_every", "3"),
        ("/checkpoint_every", "9"),
        ("/report", r#"{"html":false,"tensorboard":true}"#),
    ] {
        assert_eq!(config.pointer(path).unwrap().to_string(), want, "{path}");
    }
    dir.succeeds("cyclegan translate run a --out made --quiet");
    let orthogonal = "cyclegan train --a a --b b --size 32 --steps 1 --netG resnet6 --ngf 2 --ndf 2";
    dir.succeeds(&format!("{orthogonal} --init_type orthogonal --init_gain 0.3 --out orthogonal --quiet"));
    let config: serde_json::Value = serde_json::from_slice(&dir.read("orthogonal/config.json")).unwrap();
    for net in ["generator", "discriminator"] {
        assert_eq!(config["model"][net]["init"]["orthogonal"], 0.3);
    }
    let book =
        "cyclegan train --a a --b b --size 32 --steps 1 --netG book_unet --netD book_code --ngf 2 --ndf 2";
    dir.succeeds(&format!("{book} --out book --quiet"));
    dir.succeeds("cyclegan translate book a --out book-made --quiet");
    dir.fails(&format!("{book} --out book2 --norm batch"), &["book", "keras norm"]);
}

#[test]
fn broken_runs_are_named() {
    let dir = trained();
    dir.fails("cyclegan translate gone a --out made", &["gone", "config.json"]);
    dir.fails("cyclegan translate corpus.txt a --out made", &["corpus.txt", "safetensors file"]);
    dir.succeeds("text train corpus.txt --out text --hidden 8 --batch 2 --seq 8 --steps 1 --quiet");
    let says = ["text: is a run of `gdl text train`", "name a run of `gdl cyclegan train`"];
    dir.fails("cyclegan translate text a --out made", &says);
    dir.fails("cyclegan train --out text --resume", &says);
    let says = ["run: is a run of `gdl cyclegan train`", "name a run of `gdl text train`"];
    for command in ["generate run", "eval run corpus.txt", "train corpus.txt --out run --resume"] {
        dir.fails(&format!("text {command}"), &says);
    }
    for file in ["config.json", "weights.safetensors"] {
        let run = format!("no-{file}");
        dir.copy("run", &run);
        std::fs::remove_file(dir.path(&run).join(file)).unwrap();
        dir.fails(&format!("cyclegan translate {run} a --out made"), &[&run, file]);
        dir.fails(&format!("cyclegan train --out {run} --resume"), &[&run, file]);
        let whole = dir.read(&format!("run/{file}"));
        let run = format!("half-{file}");
        dir.copy("run", &run);
        dir.write(&format!("{run}/{file}"), &whole[..whole.len() / 2]);
        dir.fails(&format!("cyclegan translate {run} a --out made"), &[&run, file]);
        dir.fails(&format!("cyclegan train --out {run} --resume"), &[&run, file]);
    }
}
