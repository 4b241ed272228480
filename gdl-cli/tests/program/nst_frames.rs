//! `gdl nst` on films, folders and styles kept in files.

use crate::common::Dir;

const SMALL: &str = "--weights small.safetensors --size 32 --steps 4 --frame-steps 2 --no-recipe";

/// Three frames of a film, whose numbers are in another order than their names, and a small network.
fn filmed() -> Dir {
    let dir = Dir::with_network();
    for (n, left) in [(1, 0), (2, 2), (10, 4)] {
        let scene = gdl_nst::builtin::content(64).unwrap();
        let frame = scene.narrow(2, left, 40).unwrap().contiguous().unwrap();
        std::fs::create_dir_all(dir.path("frames")).unwrap();
        gdl_image_io::save_image(&frame, dir.path(&format!("frames/f{n}.png"))).unwrap();
    }
    dir
}

const FRAMES: [&str; 3] = ["f1.png", "f2.png", "f10.png"];

#[test]
fn a_film_is_painted_frame_by_frame_and_goes_on_exactly() {
    let dir = filmed();
    let said = dir.succeeds(&format!("nst frames/*.png style.png -o out {SMALL}"));
    assert!(said.stdout.is_empty() && said.stderr.contains("out: 3 frames"), "{}", said.stderr);
    assert!(said.stderr.contains("3 of 3: 27x32"), "{}", said.stderr);
    let frames = |folder: &str| FRAMES.map(|frame| dir.read(&format!("{folder}/{frame}")));
    let whole = frames("out");
    assert_eq!(dir.size("out/f10.png"), dir.size("out/f1.png"));
    // A folder is the same, and the order is that of the numbers.
    dir.succeeds(&format!("nst frames style.png -o deep/folder {SMALL} --quiet"));
    assert!(frames("deep/folder") == whole);
    // The first is painted as by itself; the others are not.
    for (frame, alone) in FRAMES.into_iter().zip([true, false, false]) {
        let flags = "--weights small.safetensors --size 32 --steps 4 --no-recipe --quiet";
        dir.succeeds(&format!("nst frames/{frame} style.png -o alone.png {flags}"));
        assert_eq!(dir.read("alone.png") == dir.read(&format!("out/{frame}")), alone, "{frame}");
    }
    for flags in ["--temporal-weight 0", "--frame-steps 3", "--frame-step-size 0.05"] {
        let flags = format!("--weights small.safetensors --size 32 --steps 4 --no-recipe --quiet {flags}");
        dir.succeeds(&format!("nst frames style.png -o other {flags}"));
        let other = frames("other");
        assert!(other[0] == whole[0] && other[1] != whole[1] && other[2] != whole[2], "{flags}");
    }
    // They are painted again, and nothing but them is there in the end.
    dir.succeeds(&format!("nst frames style.png -o out {SMALL} --quiet"));
    assert!(frames("out") == whole);
    assert_eq!(std::fs::read_dir(dir.path("out")).unwrap().count(), 3);
}

#[cfg(unix)]
#[test]
fn a_film_that_is_interrupted_goes_on_exactly() {
    let dir = filmed();
    for flags in ["", "--separate", "--keep-color match --init style.png --no-recipe --bit-depth 16"] {
        let paint = format!(
            "nst frames/*.png style.png --weights small.safetensors --size 48 --min-scale 24 --steps 40 \
             --frame-steps 30 --quiet {flags} -o"
        );
        dir.succeeds(&format!("{paint} whole"));
        let said = crate::interrupt::interrupted(&dir, &format!("{paint} part"), "part/f1.png");
        assert_eq!((said.code, said.stderr.lines().count()), (Some(130), 1), "{}", said.stderr);
        let line = said.stderr.trim_end();
        assert!(line.starts_with("gdl: interrupted ") && line.contains(" of 3"), "{line}");
        // Not with other pictures.
        let style = dir.read("style.png");
        dir.write("style.png", dir.read("b/vier.png"));
        dir.fails("nst --resume -o part", &["--resume", "style.png", "put them back"]);
        dir.write("style.png", style);
        dir.succeeds("nst --resume -o part --quiet");
        for frame in FRAMES {
            assert!(
                dir.read(&format!("part/{frame}")) == dir.read(&format!("whole/{frame}")),
                "{frame} {flags}"
            );
        }
        assert!(!dir.path("part/film.state").exists());
        dir.fails("nst --resume -o part", &["part/film.state"]);
        dir.write("part/film.state", "far from it");
        dir.fails("nst --resume -o part", &["part/film.state"]);
        dir.misused("nst --resume -o part --temporal-weight 3", &["--temporal-weight"]);
        for folder in ["whole", "part"] {
            std::fs::remove_dir_all(dir.path(folder)).unwrap();
        }
    }
}

#[test]
fn frames_keep_their_recipes() {
    let dir = filmed();
    let flags = "--weights small.safetensors --size 32 --steps 4 --frame-steps 2 --style-weight 7";
    dir.succeeds(&format!("nst frames style.png -o out {flags} --quiet"));
    let recipe = |picture: &str| -> serde_json::Value {
        serde_json::from_str(&gdl_image_io::png_text(dir.path(picture), "gdl-nst").unwrap().unwrap()).unwrap()
    };
    let told = recipe("out/f2.png");
    assert_eq!(told["sources"]["content"]["path"], "frames/f2.png");
    assert_eq!((&told["film"]["frame"], &told["film"]["content"]), (&2.into(), &"frames".into()));
    assert!(told["sources"]["content"]["sha256"].as_str().unwrap().len() == 64);
    // A film like one of its frames is the same film.
    dir.succeeds("nst --like out/f10.png frames -o like --quiet");
    for frame in FRAMES {
        assert!(dir.read(&format!("like/{frame}")) == dir.read(&format!("out/{frame}")), "{frame}");
    }
    // A frame by itself is another picture, but for the first.
    let said = dir.succeeds("nst --like out/f2.png -o alone.png").stderr;
    assert!(said.contains("frame 2 of a film"), "{said}");
    assert!(recipe("alone.png").get("film").is_none());
    let said = dir.succeeds("nst --like out/f1.png -o alone.png").stderr;
    assert!(!said.contains("of a film"), "{said}");
}

#[test]
fn films_take_the_options_of_pictures() {
    let dir = filmed();
    dir.write("mask.png", dir.read("style.png"));
    for flags in [
        "--keep-color luma",
        "--keep-color match",
        "--mask mask.png",
        "--init noise",
        "--init style.png",
        "--init recoloured",
        "--optimizer lbfgs",
        "--style-loss gram --histogram-weight 2",
        "--normalize-gradients",
    ] {
        dir.succeeds(&format!("nst frames style.png builtin:swirl -o out {SMALL} {flags} --quiet"));
        let [first, last] = ["out/f1.png", "out/f10.png"].map(|frame| dir.read(frame));
        assert!(first != last, "{flags}");
        std::fs::remove_dir_all(dir.path("out")).unwrap();
    }
}

#[test]
fn pictures_that_are_no_film_are_painted_by_themselves() {
    let dir = filmed();
    let flags = "--weights small.safetensors --size 32 --steps 4 --no-recipe --quiet";
    for more in ["", "--keep-color match", "--init noise"] {
        dir.succeeds(&format!("nst b style.png -o out --separate {flags} {more}"));
        for (name, alone) in
            [("drei.png", "alone.png"), ("vier.png", "alone.png"), ("fuenf.bmp", "alone.bmp")]
        {
            dir.succeeds(&format!("nst b/{name} style.png -o {alone} {flags} {more}"));
            assert!(dir.read(alone) == dir.read(&format!("out/{name}")), "{name} {more}");
        }
    }
}

#[test]
fn films_that_cannot_be_are_refused_before_anything_is_made() {
    let dir = filmed();
    dir.fails(&format!("nst b style.png -o out {SMALL}"), &["fuenf.bmp", "21x64", "35x51", "--separate"]);
    dir.misused(&format!("nst frames style.png -o out.png {SMALL}"), &["out.png", "frames", "folder"]);
    dir.fails(&format!("nst frames style.png -o content.png/out {SMALL}"), &["content.png", "not a folder"]);
    dir.fails(&format!("nst frames style.png -o frames {SMALL}"), &["f1.png", "overwritten"]);
    dir.fails(&format!("nst fr*/x*.png style.png -o out {SMALL}"), &["fr*/x*.png"]);
    dir.picture("more/f1.png", 64, 40);
    dir.fails(
        &format!("nst [fm]*r*/f1.png style.png -o out --separate {SMALL}"),
        &["frames/f1.png", "more/f1.png", "same name"],
    );
    dir.fails(&format!("nst frames style.png -o out {SMALL} --content-layers relu4_2"), &["relu4_2"]);
    dir.fails(&format!("nst frames gone.png -o out {SMALL}"), &["gone.png"]);
    dir.write("frames/f3.png", "no picture");
    dir.fails(&format!("nst frames style.png -o out {SMALL}"), &["f3.png"]);
    for flag in ["--separate", "--temporal-weight 3", "--frame-steps 3", "--frame-step-size 0.1"] {
        let args = format!("nst content.png style.png -o out.png --weights small.safetensors {flag}");
        dir.misused(&args, &[flag.split(' ').next().unwrap(), "one picture"]);
    }
    for (flags, says) in [
        ("--temporal-weight -1", "0 or more"),
        ("--frame-steps 0", "at least 1"),
        ("--save-every 3", "--save-every"),
    ] {
        dir.misused(&format!("nst frames style.png -o out {flags}"), &[says]);
    }
}

#[test]
fn a_saved_style_paints_as_its_pictures_do() {
    let dir = filmed();
    let flags = "--weights small.safetensors --size 32 --min-scale 16 --steps 4 --no-recipe";
    let said =
        dir.succeeds(&format!("nst content.png style.png b -o made.png {flags} --save-style three.gdlstyle"));
    assert!(said.stderr.contains("three.gdlstyle: the style at 16, 23, 32 pixels"), "{}", said.stderr);
    dir.succeeds(&format!("nst content.png style.png b -o plain.png {flags} --quiet"));
    dir.succeeds(&format!("nst content.png three.gdlstyle -o saved.png {flags} --quiet"));
    let plain = dir.read("plain.png");
    assert!(dir.read("made.png") == plain && dir.read("saved.png") == plain);
    // Smaller, beside another style, and in a film.
    let [pictures, saved] = ["style.png b", "three.gdlstyle"].map(|style| {
        let small = "--weights small.safetensors --size 16 --steps 3 --no-recipe --quiet --init style-stats";
        // Pictures are reduced on reading for the size they are painted at, a saved style was for that of its making: alike, not the same.
        dir.succeeds(&format!("nst content.png {style} -o small.png {small}"));
        dir.succeeds(&format!("nst frames {style} -o out {flags} --quiet"));
        dir.read("out/f10.png")
    });
    assert!(pictures == saved);
    assert_eq!(dir.size("small.png").0.max(dir.size("small.png").1), 16);
    dir.succeeds(&format!(
        "nst content.png three.gdlstyle builtin:swirl -o two.png {flags} --style-weights 1,3 --quiet"
    ));
    assert!(dir.read("two.png") != plain);
}

#[test]
fn saved_styles_that_do_not_fit_are_named() {
    let dir = filmed();
    let flags = "--weights small.safetensors --size 32 --min-scale 16 --steps 3";
    dir.succeeds(&format!("nst content.png style.png -o made.png {flags} --save-style a.gdlstyle --quiet"));
    std::fs::remove_file(dir.path("made.png")).unwrap();
    dir.network("other.safetensors", 2);
    for (more, says) in [
        ("--style-loss gram", "statistics"),
        ("--pooling average", "pooling"),
        ("--preprocess caffe", "preprocess"),
        ("--style-layers relu1_2", "relu1_2"),
        ("--histogram-weight 1", "histograms"),
        ("--scale-factor 2 --min-scale 17", "pixels"),
        ("--keep-color luma", "no picture"),
        ("--weights other.safetensors", "another network"),
    ] {
        // Each flag once.
        let given = more.split(' ').next().unwrap();
        let base = match given {
            "--weights" => "--size 32 --min-scale 16 --steps 3",
            "--scale-factor" => "--weights small.safetensors --size 28 --steps 3",
            _ => flags,
        };
        dir.fails(&format!("nst content.png a.gdlstyle -o out.png {base} {more}"), &["a.gdlstyle", says]);
    }
    dir.write("bad.gdlstyle", "far from it");
    dir.fails(&format!("nst content.png bad.gdlstyle -o out.png {flags}"), &["bad.gdlstyle"]);
    dir.fails(&format!("nst content.png gone.gdlstyle -o out.png {flags}"), &["gone.gdlstyle"]);
    let saving = |more: &str| format!("nst content.png style.png b -o out.png {flags} --save-style {more}");
    dir.misused(&saving("a.png"), &["a.png", ".gdlstyle"]);
    dir.misused(&saving("b.gdlstyle --keep-color match"), &["--keep-color"]);
    dir.misused(&saving("b.gdlstyle --mask style.png"), &["--mask"]);
    dir.fails(&saving("gone/b.gdlstyle"), &["gone/b.gdlstyle"]);
    dir.fails(&saving("b.gdlstyle --style-scale 1,2,1,1"), &["one scale"]);
}
