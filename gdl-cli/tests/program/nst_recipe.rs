//! The recipe in a picture of `gdl nst`, painting by it again, and going on after Ctrl-C.

use crate::common::Dir;
use gdl_image_io::{SaveOptions, load_image, png_text, save_image_with};
use serde_json::{Value, json};

const WEIGHTS: &str = "--weights small.safetensors --quiet";

fn recipe(dir: &Dir, picture: &str) -> Value {
    serde_json::from_str(&png_text(dir.path(picture), "gdl-nst").unwrap().unwrap()).unwrap()
}

/// Writes a recipe of one's own into a PNG.
fn write_recipe(dir: &Dir, picture: &str, recipe: &str) {
    let pixels = load_image(dir.path("content.png"), &Default::default()).unwrap();
    let text = vec![("gdl-nst".to_string(), recipe.to_string())];
    save_image_with(&pixels, dir.path(picture), &SaveOptions { text, ..SaveOptions::default() }).unwrap();
}

#[test]
fn a_picture_says_what_it_came_of_and_is_painted_again_by_that() {
    let dir = Dir::with_network();
    dir.write("mask.png", dir.read("style.png"));
    let flags = "--size 32 --steps 4 --min-scale 16 --seed 7 --optimizer lbfgs --style-layers relu1_1:0.3,relu2_1 \
                 --style-weights 1,3 --style-scale 0.8 --mask none --mask mask.png --tv l1 --init style.png \
                 --preprocess caffe --keep-color match --no-clamp --bit-depth 16";
    dir.succeeds(&format!("nst content.png style.png builtin:swirl -o out.png {WEIGHTS} {flags}"));
    let told = recipe(&dir, "out.png");
    for (at, want) in [
        ("/gdl", json!(env!("CARGO_PKG_VERSION"))),
        ("/device", json!("cpu")),
        ("/sources/content/path", json!("content.png")),
        ("/sources/styles/1/picture/path", json!("builtin:swirl")),
        ("/sources/styles/1/weight", json!(3.0)),
        ("/sources/styles/1/mask/path", json!("mask.png")),
        ("/sources/init/path", json!("style.png")),
        ("/network/weights", json!("small.safetensors")),
        ("/network/preprocess", json!("caffe")),
        ("/settings/seed", json!(7)),
        ("/settings/style_layers", json!(["relu1_1:0.3", "relu2_1"])),
        ("/bit_depth", json!(16)),
    ] {
        assert_eq!(told.pointer(at), Some(&want), "{at}: {told}");
    }
    for at in ["/sources/content/sha256", "/sources/styles/0/picture/sha256", "/network/sha256"] {
        assert_eq!(told.pointer(at).unwrap().as_str().unwrap().len(), 64, "{at}");
    }
    assert_eq!(told.get("unfinished_after"), None);
    let again = |out: &str, flags: &str| {
        let said = dir.succeeds(&format!("nst --like out.png -o {out} {flags}")).stderr;
        (dir.read(out), said)
    };
    let (same, said) = again("same.png", "");
    assert!(same == dir.read("out.png"), "{}", recipe(&dir, "same.png"));
    assert!(said.lines().all(|l| l.starts_with("paint") || l.starts_with("same.png")), "{said}");
    // What is given beside it counts instead.
    for (flags, at, want) in [
        ("--seed 8", "/settings/seed", json!(8)),
        ("--size 40", "/settings/size", json!(40)),
        ("--optimizer adam --steps 3", "/settings/optimizer", json!("adam")),
        ("--no-clamp=false", "/settings/clamp", json!(true)),
        ("--iterations 2", "/settings/iterations", json!(2)),
        ("--init gray", "/settings/init", json!("gray")),
        ("--mask none", "/sources/styles/1/mask", Value::Null),
        ("--style-weights 2,2", "/sources/styles/1/weight", json!(2.0)),
        ("--weights random", "/network/weights", json!("random")),
        ("--bit-depth 8", "/bit_depth", json!(8)),
    ] {
        let (other, _) = again("other.png", &format!("{flags} --quiet"));
        let now = recipe(&dir, "other.png");
        assert_eq!(now.pointer(at).unwrap_or(&Value::Null), &want, "{flags}");
        assert!(other != same, "{flags}");
    }
    assert_eq!(recipe(&dir, "other.png")["sources"], told["sources"]);
    // Another content in the same manner; other styles with what was said of theirs.
    again("other.png", "b/vier.png --quiet");
    assert_eq!(dir.size("other.png"), (32, 32));
    again("other.png", "content.png b/drei.png style.png --quiet");
    let now = recipe(&dir, "other.png");
    assert_eq!(now.pointer("/sources/styles/1/picture/path"), Some(&json!("style.png")));
    assert_eq!(now.pointer("/sources/styles/1/mask/path"), Some(&json!("mask.png")));
    dir.misused("nst --like out.png content.png style.png -o new.png --quiet", &["--like", "2 styles", "1"]);
}

#[test]
fn what_is_not_as_it_was_is_told_in_a_line() {
    let dir = Dir::with_network();
    dir.succeeds(&format!("nst content.png style.png -o out.png {WEIGHTS} --size 32 --steps 2"));
    dir.picture("style.png", 20, 20);
    dir.network("small.safetensors", 2);
    let said = dir.succeeds("nst --like out.png -o new.png").stderr;
    let line =
        "out.png: not as they were: style.png, the network small.safetensors; the result will be another";
    assert_eq!(said.lines().filter(|l| *l == line).count(), 1, "{said}");
    // Pictures of one's own are no change.
    let said = dir.succeeds("nst --like out.png -o new.png content.png b/vier.png --weights random").stderr;
    assert!(!said.contains("not as"), "{said}");
    let told = recipe(&dir, "out.png").to_string().replace(env!("CARGO_PKG_VERSION"), "0.0.7");
    write_recipe(&dir, "older.png", &told);
    let said = dir.succeeds("nst --like older.png -o new.png content.png b/vier.png").stderr;
    assert!(said.contains("gdl 0.0.7"), "{said}");
    // Files that are gone.
    std::fs::remove_file(dir.path("style.png")).unwrap();
    dir.fails("nst --like out.png -o new.png", &["style.png: no such file"]);
}

#[test]
fn recipes_that_are_none_are_named() {
    let dir = Dir::with_network();
    dir.succeeds(&format!("nst content.png style.png -o bare.png {WEIGHTS} --size 32 --steps 2 --no-recipe"));
    dir.succeeds(&format!("nst content.png style.png -o out.jpg {WEIGHTS} --size 32 --steps 2"));
    for file in ["content.png", "bare.png", "out.jpg"] {
        dir.fails(&format!("nst --like {file} -o new.png"), &[file, "holds no recipe"]);
    }
    dir.fails("nst --like gone.png -o new.png", &["gone.png: no such file"]);
    dir.fails("nst --like corpus.txt -o new.png", &["corpus.txt: not an image"]);
    write_recipe(&dir, "later.png", r#"{"gdl": "9.1.0", "style": "better"}"#);
    dir.fails(
        "nst --like later.png -o new.png",
        &["later.png", "gdl 9.1.0", env!("CARGO_PKG_VERSION"), "style"],
    );
    write_recipe(&dir, "noise.png", "no recipe at all");
    dir.fails("nst --like noise.png -o new.png", &["noise.png", "cannot be read"]);
    dir.misused("nst -o new.png", &["CONTENT"]);
    dir.misused("nst content.png -o new.png", &["STYLE"]);
    dir.misused("nst --like out.png --resume -o new.png", &["--like", "--resume"]);
    for flags in
        ["content.png", "--size 64", "--tv l1", "--mask a", "--init noise", "--pooling l2", "--seed 1"]
    {
        dir.misused(&format!("nst --resume -o new.png {flags}"), &["--resume"]);
    }
    dir.fails("nst --resume -o out.jpg", &["out.jpg.state", "--resume"]);
    dir.write("new.png.state", "far from it");
    dir.fails("nst --resume -o new.png", &["new.png.state", "--resume"]);
    std::fs::copy(dir.path("small.safetensors"), dir.path("new.png.state")).unwrap();
    dir.fails("nst --resume -o new.png", &["new.png.state was not written by gdl nst"]);
}

/// What was painted on the way is there, and the end is that of a run that nothing came between.
#[cfg(unix)]
#[test]
fn ctrl_c_saves_the_picture_and_resume_goes_on_exactly() {
    use crate::interrupt::interrupted;
    let dir = Dir::with_network();
    for flags in [
        "--avg-decay 0.5 --init noise --seed 3 --no-recipe",
        "--optimizer lbfgs --keep-color luma --bit-depth 16",
    ] {
        let paint =
            format!("nst content.png style.png {WEIGHTS} --size 48 --min-scale 24 --steps 60 {flags} --out");
        dir.succeeds(&format!("{paint} whole.png"));
        // The first save on the way tells that it is under way.
        let said = interrupted(&dir, &format!("{paint} part.png --save-every 1"), "part.png.state");
        assert_eq!((said.code, said.stderr.lines().count()), (Some(130), 1), "{}", said.stderr);
        let line = said.stderr.trim_end();
        let words =
            ["gdl: interrupted at step ", " of 60: part.png is the picture so far, ", "; gdl nst --resume"];
        assert!(words.iter().all(|w| line.contains(w)), "{line}");
        assert!(dir.read("part.png") != dir.read("whole.png"));
        if !flags.contains("--no-recipe") {
            let step = recipe(&dir, "part.png")["unfinished_after"].to_string();
            assert!(line.contains(&format!("at step {step} of")), "{line}");
        }
        // Not with other pictures.
        let content = dir.read("content.png");
        dir.write("content.png", dir.read("b/vier.png"));
        dir.fails("nst --resume --out part.png", &["--resume", "content.png", "put them back"]);
        dir.write("content.png", content);
        let resume = line.split_once("; gdl ").unwrap().1.strip_suffix(" goes on").unwrap();
        dir.succeeds(&format!("{resume} --quiet"));
        assert!(dir.read("part.png") == dir.read("whole.png"), "{flags}");
        assert!(!dir.path("part.png.state").exists());
    }
}

#[test]
fn what_is_saved_on_the_way_is_gone_in_the_end_or_told_of() {
    let dir = Dir::with_network();
    let paint = format!("nst content.png style.png -o out.png {WEIGHTS} --size 32 --steps 4 --min-scale 16");
    dir.succeeds(&paint);
    let plain = dir.read("out.png");
    dir.write("out.png.state", "of an earlier run");
    let said = dir.succeeds(&format!("{} --save-every 3", paint.replace(" --quiet", ""))).stderr;
    assert!(said.contains("out.png.state is of an interrupted run"), "{said}");
    assert!(dir.read("out.png") == plain && !dir.path("out.png.state").exists());
}
