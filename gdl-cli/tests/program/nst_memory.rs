//! `gdl nst` within a bound of memory, and in tiles.

use crate::common::Dir;
use gdl_image_io::load_image;

/// Two scales, of 48 and 96 pixels; without the recipe, so that files are the same where pictures are.
const SMALL: &str =
    "--weights small.safetensors --size 96 --min-scale 48 --scale-factor 2 --steps 4 --no-recipe";

#[test]
fn the_plan_is_printed_and_the_picture_is_the_same() {
    let dir = Dir::with_network();
    let paint = |out: &str, flags: &str| {
        dir.succeeds(&format!("nst content.png style.png -o {out} {SMALL} {flags}")).stderr
    };
    assert!(!paint("free.png", "").contains("plan:"));
    let said = paint("bound.png", "--max-memory 2GB");
    assert!(said.contains("plan: 37x48 whole: 0.1") && said.contains("plan: 74x96 whole: 0.1"), "{said}");
    // The plan comes before the first step.
    assert!(said.find("plan:") < said.find("paint"), "{said}");
    assert!(dir.read("free.png") == dir.read("bound.png"), "nothing had to be done");
    let said = paint("tiled.png", "--tile 48");
    assert!(said.contains("plan: 37x48 whole") && said.contains("plan: 74x96 in tiles of 48: 0.1"), "{said}");
    let [free, tiled] = ["free.png", "tiled.png"].map(|name| {
        let picture = load_image(dir.path(name), &Default::default()).unwrap();
        picture.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    });
    // Rounding, here and there that of the file too.
    let off = free.iter().zip(&tiled).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 0.02, "{off}");
    assert!(!paint("quiet.png", "--tile 48 --quiet").contains("plan"));
    assert!(dir.read("tiled.png") == dir.read("quiet.png"));
}

#[test]
fn bounds_that_make_no_sense_are_refused_before_anything_runs() {
    let dir = Dir::with_network();
    for (flags, says) in [
        ("--max-memory 4", "4GB"),
        ("--max-memory 0GB", "--max-memory"),
        ("--max-memory much", "1.5GiB"),
        // With what would do.
        ("--max-memory 1MB", "0.2 GB at least"),
        ("--tile 3", "--tile"),
    ] {
        dir.misused(&format!("nst content.png style.png -o none.png {SMALL} {flags}"), &[says]);
        assert!(!dir.path("none.png").exists());
    }
}
