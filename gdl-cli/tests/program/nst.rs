//! `gdl nst` on files.

use crate::common::Dir;

/// With a network of a few channels, which [`Dir::with_network`] puts there.
/// The recipe is left out, so that files are the same where pictures are.
const SMALL: &str = "--weights small.safetensors --size 32 --steps 3 --no-recipe";

#[test]
fn a_picture_is_painted_and_painted_the_same_again() {
    let dir = Dir::with_network();
    let paint = |out: &str, more: &str| {
        dir.succeeds(&format!("nst content.png style.png -o {out} {SMALL} --quiet {more}"));
        dir.read(out)
    };
    let first = paint("first.png", "");
    assert_eq!(dir.size("first.png"), (25, 32), "31x40 with 32 pixels on the longer side");
    assert!(first == paint("again.png", ""), "the same seed paints the same");
    assert!(first != paint("weights.png", "--content-weight 5 --style-weight 1 --tv-weight 0"));
    let lbfgs = paint("lbfgs.png", "--optimizer lbfgs");
    assert!(lbfgs != first);
    // An existing picture is replaced.
    assert!(lbfgs == paint("first.png", "--optimizer lbfgs"));
}

#[test]
fn a_random_network_is_that_of_its_seed() {
    let dir = Dir::with_network();
    let paint = |out: &str, seed: u32| {
        let flags = format!("--weights random --seed {seed} --size 16 --steps 2 --quiet --no-recipe");
        dir.succeeds(&format!("nst content.png style.png -o {out} {flags}"));
        dir.read(out)
    };
    let first = paint("first.png", 1);
    assert!(first == paint("again.png", 1));
    assert!(first != paint("other.png", 2));
}

#[test]
fn styles_come_from_files_folders_and_the_program() {
    let dir = Dir::with_network();
    let output = dir.succeeds(&format!("nst content.png style.png b -o several.jpg {SMALL}"));
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("several.jpg"), "{}", output.stderr);
    assert_eq!(dir.size("several.jpg"), (25, 32));
    assert!(dir.read("several.jpg").starts_with(&[0xff, 0xd8]), "a JPEG");
    let output = dir
        .succeeds(&format!("nst builtin:harbor builtin:swirl builtin:glass -o drawn.webp {SMALL} --verbose"));
    // The taps are those that the file reaches.
    assert!(output.stderr.contains("relu3_1") && !output.stderr.contains("relu4_1"), "{}", output.stderr);
    assert_eq!(dir.size("drawn.webp").0.max(dir.size("drawn.webp").1), 32);
    dir.misused(&format!("nst builtin:tower style.png -o x.png {SMALL}"), &["builtin:tower", "harbor"]);
    dir.misused(&format!("nst content.png builtin:foam -o x.png {SMALL}"), &["builtin:foam", "swirl"]);
}

#[test]
fn every_option_changes_the_picture() {
    let dir = Dir::with_network();
    dir.write("mask.png", dir.read("style.png"));
    let paint_at = |base: &str, more: &str| {
        let weights = "--weights small.safetensors --size 32 --quiet --no-recipe";
        dir.succeeds(&format!("nst content.png style.png -o out.png {weights} {base} {more}"));
        dir.read("out.png")
    };
    let plain = paint_at("--steps 3 --min-scale 16", "");
    // One flag of the base's own in place of what it says.
    assert!(paint_at("--steps 3", "--min-scale 32") != plain, "--min-scale");
    assert!(paint_at("--min-scale 16", "--steps 6 --optimizer lbfgs") != plain, "--optimizer");
    let even = paint_at("--min-scale 16", "--iterations 2");
    assert!(even != plain, "--iterations");
    assert!(
        paint_at("--min-scale 16", "--iterations 2 --initial-iterations 4") != even,
        "--initial-iterations"
    );
    // At one scale, so that there is something to average, and a history.
    let averaged = paint_at("--min-scale 32 --steps 5", "");
    assert!(paint_at("--min-scale 32 --steps 5", "--avg-decay 0.3") != averaged, "--avg-decay");
    let lbfgs = paint_at("--min-scale 32", "--steps 8 --optimizer lbfgs");
    for flags in ["--lbfgs-history 1", "--no-clamp"] {
        let changed = paint_at("--min-scale 32", &format!("--steps 8 --optimizer lbfgs {flags}"));
        assert!(changed != lbfgs, "{flags}");
    }
    let paint = |more: &str| paint_at("--steps 3 --min-scale 16", more);
    for flags in [
        "--style-loss gram",
        "--style-loss covariance",
        "--style-loss mean-std",
        "--histogram-weight 5",
        "--histogram-weight 5 --histogram-layers relu2_1",
        "--tv l1",
        "--tv nine-point --tv-weight 50",
        "--content-layers relu2_1,relu1_1:3",
        "--style-layers relu2_2:0.5,relu1_1",
        "--style-levels 2",
        "--normalize-gradients",
        "--pooling average",
        "--pooling l2",
        "--preprocess caffe",
        "--style-scale 0.5",
        "--style-size 16",
        "--mask mask.png",
        "--mask mask.png --mask-feather 0.2",
        "--keep-color luma",
        "--keep-color match",
        "--init gray",
        "--init noise",
        "--init style-stats",
        "--init recoloured",
        "--init style.png",
        "--scale-factor 1.9",
        "--step-size 0.1",
    ] {
        assert!(paint(flags) != plain, "{flags}");
    }
    // Two styles, weighted and sized apart, one of them in its place.
    let two = |more: &str| {
        let flags = format!("{SMALL} --quiet {more}");
        dir.succeeds(&format!("nst content.png style.png builtin:swirl -o out.png {flags}"));
        dir.read("out.png")
    };
    let even = two("");
    for flags in
        ["--style-weights 1,3", "--style-scale 1,0.5", "--mask none --mask mask.png", "--mask mask.png"]
    {
        assert!(two(flags) != even, "{flags}");
    }
    assert!(two("--style-weights 2,2 --style-scale 1 --mask none") == even);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let dir = Dir::with_network();
    for (flags, says) in [
        ("--style-weights 1,2", "2 numbers for 1 styles"),
        ("--style-weights 0", "above 0"),
        ("--style-scale 1,2", "2 numbers"),
        ("--mask style.png --mask style.png", "2 masks for 1 styles"),
        ("--normalize-gradients --optimizer lbfgs", "normalize_gradients"),
        ("--scale-factor 1", "scale_factor"),
        ("--initial-iterations 3", "--iterations"),
        ("--iterations 3 --steps 9", "--steps"),
        ("--style-layers relu9_1", "relu9_1"),
        ("--style-layers relu1_1:0", "above 0"),
        ("--style-loss grams", "wasserstein"),
        ("--avg-decay 1", "less than 1"),
        ("--keep-color all", "luma"),
        ("--preprocess tf", "caffe"),
    ] {
        let weights = "--weights small.safetensors --size 32";
        dir.misused(&format!("nst content.png style.png -o out.png {weights} {flags}"), &[says]);
    }
    let beyond = format!("nst content.png style.png -o out.png {SMALL} --content-layers relu4_2");
    dir.fails(&beyond, &["small.safetensors", "relu4_2", "ends at relu3_1"]);
    dir.fails(&format!("nst content.png style.png -o out.png {SMALL} --init gone.png"), &["gone.png"]);
    dir.fails(&format!("nst content.png style.png -o out.png {SMALL} --mask gone.png"), &["gone.png"]);
}

#[test]
fn quiet_is_quiet() {
    let dir = Dir::with_network();
    let output = dir.succeeds(&format!("nst content.png style.png -o out.png {SMALL} --quiet"));
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

#[test]
fn inputs_that_are_no_pictures_are_named() {
    let dir = Dir::with_network();
    dir.write("text.png", "no picture at all");
    dir.write("empty.png", "");
    let whole = dir.read("content.png");
    dir.write("cut.png", &whole[..whole.len() / 2]);
    dir.write("folder/readme.txt", "no pictures here");
    for (file, says) in [
        ("gone.png", "no such file"),
        ("text.png", "not an image"),
        ("corpus.txt", "not an image"),
        ("empty.png", "empty"),
        ("cut.png", "truncated"),
    ] {
        dir.fails(&format!("nst {file} style.png -o out.png {SMALL}"), &[file, says]);
        dir.fails(&format!("nst content.png style.png {file} -o out.png {SMALL}"), &[file, says]);
    }
    dir.misused(&format!("nst a style.png -o out.png {SMALL}"), &["out.png", "a is more than one picture"]);
    dir.fails(&format!("nst content.png folder -o out.png {SMALL}"), &["folder", "no images"]);
    dir.fails(&format!("nst content.png gone -o out.png {SMALL}"), &["gone", "no such file or directory"]);
}

#[test]
fn outputs_that_cannot_be_written_are_named() {
    let dir = Dir::with_network();
    for (out, says) in [
        ("content.png/out.png", "not a folder"),
        ("gone/out.png", "does not exist"),
        ("a", "extension"),
        ("out", "extension"),
        ("out.gif", ".png"),
    ] {
        dir.fails(&format!("nst content.png style.png -o {out} {SMALL}"), &[out, says]);
    }
    std::fs::create_dir(dir.path("dir.png")).unwrap();
    dir.fails(&format!("nst content.png style.png -o dir.png {SMALL}"), &["dir.png", "is a directory"]);
}

#[test]
fn a_failed_run_leaves_the_picture_that_was_there() {
    let dir = Dir::with_network();
    dir.picture("out.png", 9, 9);
    dir.fails(&format!("nst content.png gone.png -o out.png {SMALL}"), &["gone.png"]);
    assert_eq!(dir.size("out.png"), (9, 9));
}

#[test]
fn vgg_that_cannot_be_fetched_is_named_with_the_ways_on() {
    let dir = Dir::with_network();
    for weights in ["--weights vgg19", "--weights vgg16"] {
        let args = format!("nst content.png style.png -o out.png --size 32 --steps 1 {weights}");
        dir.fails(&args, &["timm/vgg1", "network", "--weights FILE", "--weights builtin"]);
    }
}

#[test]
fn without_vgg_the_network_inside_the_program_paints_and_it_is_said_once() {
    let dir = Dir::with_network();
    let paint = |out: &str, more: &str| {
        dir.succeeds(&format!("nst content.png style.png -o {out} --size 32 --steps 2 {more}")).stderr
    };
    let said = paint("fallback.png", "");
    let lines: Vec<_> = said.lines().filter(|l| l.contains("built-in network")).collect();
    assert!(lines.len() == 1, "{said}");
    for part in ["VGG-19", "HF_HUB_OFFLINE", "connect", "--weights FILE"] {
        assert!(lines[0].contains(part), "{part}: {said}");
    }
    let said = paint("builtin.png", "--weights builtin");
    assert!(!said.contains("VGG-19"), "{said}");
    assert!(dir.read("fallback.png") == dir.read("builtin.png"));
    // Nobody who wants quiet is told.
    assert_eq!(paint("quiet.png", "--quiet"), "");
    assert!(dir.read("quiet.png") == dir.read("builtin.png"));
    let said = paint("detail.png", "--weights builtin --verbose");
    assert!(said.contains("built-in") && said.contains("relu4_1"), "{said}");
}

#[test]
fn weights_that_are_none_are_named() {
    let dir = Dir::with_network();
    dir.write("weights.safetensors", "far from it");
    dir.write("weights.pth", "far from it");
    dir.write("empty.safetensors", "");
    for file in [
        "gone.safetensors",
        "weights.safetensors",
        "weights.pth",
        "empty.safetensors",
        "a",
        "vgg11",
        "content.png",
    ] {
        let args = format!("nst content.png style.png -o out.png --size 32 --steps 1 --weights {file}");
        dir.fails(&args, &["--weights", file]);
    }
}
