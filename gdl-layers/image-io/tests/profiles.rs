//! Colour: ICC profiles against littlecms and the formulas, CMYK with and without a profile against Pillow.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor};
use gdl_image_io::{BitDepth, LoadOptions, decode_image};
use std::collections::HashMap;

type Fixture = HashMap<String, Tensor>;

/// Written by `tests/fixtures/profiles.py`.
fn fixture() -> Fixture {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/profiles.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn bytes(fixture: &Fixture, name: &str) -> Vec<u8> {
    fixture[name].to_vec1::<u8>().unwrap()
}

fn load(fixture: &Fixture, name: &str) -> Tensor {
    decode_image(&bytes(fixture, name), name, &LoadOptions::default()).unwrap()
}

/// The largest and the mean difference from rows of RGB, in [0, 1].
fn apart(picture: &Tensor, rows: &Tensor) -> (f32, f32) {
    let scale = if rows.dtype() == DType::U8 { 1.0 / 255.0 } else { 1.0 };
    let want = (rows.to_dtype(DType::F32).unwrap() * scale).unwrap().permute((2, 0, 1)).unwrap();
    let off = (picture - want).unwrap().abs().unwrap().flatten_all().unwrap();
    let max = off.max(0).unwrap().to_scalar().unwrap();
    (max, off.mean_all().unwrap().to_scalar().unwrap())
}

#[test]
fn profiles_give_what_littlecms_gives() {
    let fixture = fixture();
    // Half a step for littlecms' 8-bit output and one for its 8-bit tables; JPEG decoders differ by a step or two before
    // that, and the CMYK table is interpolated along other lines (between all corners here, in tetrahedra there).
    for (name, steps) in [
        ("adobe.png", 1.5),
        ("adobe.tif", 1.5),
        ("p3.webp", 1.5),
        ("gray.png", 1.5),
        ("srgb.png", 1.5),
        ("p3.jpg", 4.0),
        ("cmyk.tif", 3.0),
        ("cmyk.jpg", 4.0),
    ] {
        let (max, mean) = apart(&load(&fixture, name), &fixture[&format!("{name}.littlecms")]);
        eprintln!("{name}: {:.2} {:.2} steps", max * 255.0, mean * 255.0);
        assert!(max * 255.0 < steps && mean * 255.0 < steps / 2.0, "{name}: {max} {mean}");
    }
}

#[test]
fn profiles_of_curves_and_matrices_give_what_the_formulas_give() {
    let fixture = fixture();
    // The conversion works on 16 bits; its curve has 65536 points, which near black, where sRGB is steepest (12.92), is
    // worth 1e-4. The two sides' sRGB primaries agree to 1e-4 as well.
    for name in ["adobe.png", "p3.webp", "gray.png", "p3-16.png", "srgb.png"] {
        let (max, mean) = apart(&load(&fixture, name), &fixture[&format!("{name}.exact")]);
        eprintln!("{name}: {max:.2e} {mean:.2e}");
        assert!(max < 1e-3 && mean < 2e-4, "{name}: {max} {mean}");
    }
    // What is sRGB already is not touched at all.
    assert_eq!(apart(&load(&fixture, "srgb.png"), &fixture["srgb.png.exact"]).0, 0.0);
    // Not converted, these would be far off: the comparison above can fail.
    let raw = load(&fixture, "srgb.png");
    assert!(apart(&raw, &fixture["adobe.png.exact"]).0 > 0.05);
}

#[test]
fn cmyk_without_a_profile_is_paper_under_ink() {
    let fixture = fixture();
    for (name, steps) in [("bare-cmyk.tif", 1.1), ("bare-cmyk.jpg", 2.5), ("ycck.jpg", 3.5)] {
        let (max, _) = apart(&load(&fixture, name), &fixture[&format!("{name}.plain")]);
        eprintln!("{name}: {:.2} steps", max * 255.0);
        assert!(max * 255.0 < steps, "{name}: {max}");
    }
}

#[test]
fn damaged_profiles_never_panic_and_leave_the_pixels() {
    let fixture = fixture();
    let options = LoadOptions::default();
    for (name, every) in [("adobe.tif", 7), ("cmyk.tif", 101), ("cmyk.jpg", 103), ("p3.jpg", 11)] {
        let good = bytes(&fixture, name);
        for i in (0..good.len()).step_by(every) {
            let mut bad = good.clone();
            bad[i] ^= 0x5a;
            let _ = decode_image(&bad, name, &options);
        }
    }
    // A profile that cannot be read: the picture is taken as sRGB.
    let mut bad = bytes(&fixture, "adobe.tif");
    let at = bad.windows(4).position(|w| w == b"acsp").unwrap();
    bad[at] = b'x';
    let picture = decode_image(&bad, "adobe.tif", &options).unwrap();
    assert_eq!(apart(&picture, &fixture["srgb.png.exact"]).0, 0.0);
}

#[test]
fn sixteen_bits_under_a_profile_stay_sixteen_bits() {
    let fixture = fixture();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p3.png");
    std::fs::write(&path, bytes(&fixture, "p3-16.png")).unwrap();
    assert_eq!(gdl_image_io::image_depth(&path).unwrap(), BitDepth::Sixteen);
}
