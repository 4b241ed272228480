//! Alpha: read apart, scaled with its colours, written again.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_image_io::*;
use image::{DynamicImage, ImageBuffer, Rgba};

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn apart(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Colour and alpha on steps of 8 bits, no pixel wholly transparent.
fn picture(c: usize, h: usize, w: usize) -> (Tensor, Tensor) {
    let step = |i: usize, k: usize, from: usize| (from + i * k % (256 - from)) as f32 / 255.0;
    let color: Vec<f32> = (0..c * h * w).map(|i| step(i, 37, 0)).collect();
    let alpha: Vec<f32> = (0..h * w).map(|i| step(i, 91, 1)).collect();
    let tensor = |v, c| Tensor::from_vec(v, (c, h, w), &Device::Cpu).unwrap();
    (tensor(color, c), tensor(alpha, 1))
}

fn load(path: &std::path::Path) -> (Tensor, Option<Tensor>) {
    load_image_alpha(path, &LoadOptions::default()).unwrap()
}

#[test]
fn colour_and_alpha_come_back_from_the_formats_that_have_it() {
    let d = tempfile::tempdir().unwrap();
    for (name, c, depth) in [
        ("p.png", 3, BitDepth::Eight),
        ("deep.png", 3, BitDepth::Sixteen),
        ("grey.png", 1, BitDepth::Eight),
        ("deep-grey.png", 1, BitDepth::Sixteen),
        ("p.webp", 3, BitDepth::Eight),
        ("grey.webp", 1, BitDepth::Eight),
        ("p.tif", 3, BitDepth::Eight),
        ("deep.tiff", 3, BitDepth::Sixteen),
        ("grey.tif", 1, BitDepth::Sixteen),
    ] {
        let path = d.path().join(name);
        assert!(keeps_alpha(&path));
        let (color, alpha) = picture(c, 5, 7);
        save_image_alpha(&color, Some(&alpha), &path, &SaveOptions { depth, ..SaveOptions::default() })
            .unwrap();
        let (color_back, alpha_back) = load(&path);
        assert!(apart(&color.broadcast_as((3, 5, 7)).unwrap(), &color_back) < 1e-6, "{name}");
        assert!(apart(&alpha, &alpha_back.unwrap()) < 1e-6, "{name}");
        assert_eq!(image_depth(&path).unwrap(), depth, "{name}");
        // The same picture without alpha apart is the one laid over white.
        let white = alpha.affine(-1.0, 1.0).unwrap();
        let over = color.broadcast_mul(&alpha).unwrap().broadcast_add(&white).unwrap();
        let flat = load_image(&path, &LoadOptions::default()).unwrap();
        assert!(apart(&flat, &over.broadcast_as((3, 5, 7)).unwrap()) < 1e-6, "{name}");
    }
}

#[test]
fn formats_without_alpha_lay_the_picture_over_the_background() {
    let d = tempfile::tempdir().unwrap();
    let (color, alpha) = picture(3, 8, 8);
    let blue = [0.0, 0.0, 1.0];
    for (name, close) in [("p.bmp", 0.5 / 255.0 + 1e-6), ("p.jpg", 0.2)] {
        let path = d.path().join(name);
        assert!(!keeps_alpha(&path));
        let flat = color.zeros_like().unwrap();
        let options = SaveOptions { background: blue, jpeg_quality: 100, ..SaveOptions::default() };
        save_image_alpha(&flat, Some(&alpha), &path, &options).unwrap();
        let (back, none) = load(&path);
        assert!(none.is_none(), "{name}");
        let dark = back.narrow(0, 0, 2).unwrap();
        assert!(apart(&dark, &dark.zeros_like().unwrap()) < close, "{name}");
        let under = alpha.affine(-1.0, 1.0).unwrap();
        assert!(apart(&back.narrow(0, 2, 1).unwrap(), &under) < close, "{name}");
    }
    assert!(!keeps_alpha("p.xyz"));
}

#[test]
fn opaque_is_no_alpha_and_hidden_colours_stay_hidden() {
    let d = tempfile::tempdir().unwrap();
    let path = d.path().join("p.png");
    let save = |pixels: Vec<u8>| {
        let buffer: ImageBuffer<Rgba<u8>, Vec<u8>> = ImageBuffer::from_raw(2, 1, pixels).unwrap();
        DynamicImage::from(buffer).save(&path).unwrap();
    };
    save(vec![10, 20, 30, 255, 40, 50, 60, 255]);
    let (color, alpha) = load(&path);
    assert!(alpha.is_none());
    assert_eq!(values(&color)[0], 10.0 / 255.0);

    // One pixel shows a little, one not at all: the first keeps its colour, the second takes the background.
    save(vec![10, 20, 30, 1, 40, 50, 60, 0]);
    let (color, alpha) = load(&path);
    assert_eq!(values(&alpha.unwrap()), [1.0 / 255.0, 0.0]);
    assert_eq!(values(&color), [10.0, 255.0, 20.0, 255.0, 30.0, 255.0].map(|v| v / 255.0));

    // Nothing shows.
    save(vec![10, 20, 30, 0, 40, 50, 60, 0]);
    let options = LoadOptions { background: [0.5, 0.25, 2.0], ..LoadOptions::default() };
    let (color, alpha) = load_image_alpha(&path, &options).unwrap();
    assert_eq!(values(&alpha.unwrap()), [0.0, 0.0]);
    assert_eq!(values(&color), [0.5, 0.5, 0.25, 0.25, 1.0, 1.0]);
}

#[test]
fn scaling_does_not_mix_in_what_is_hidden() {
    // Red on the left, hidden green on the right.
    let red: Vec<f32> = (0..3 * 16 * 16)
        .map(|i| f32::from(u8::from((i / 256 == 0) == (i % 16 < 8) && i / 256 < 2)))
        .collect();
    let color = Tensor::from_vec(red, (3, 16, 16), &Device::Cpu).unwrap();
    let alpha: Vec<f32> = (0..256).map(|i| f32::from(u8::from(i % 16 < 8))).collect();
    let alpha = Tensor::from_vec(alpha, (1, 16, 16), &Device::Cpu).unwrap();
    for (h, w) in [(5, 5), (24, 30), (1, 1)] {
        let (small, cover) = resize_with_alpha(&color, &alpha, h, w, Filter::CatmullRom).unwrap();
        assert_eq!((small.dims(), cover.dims()), (&[3, h, w][..], &[1, h, w][..]));
        let (small, cover) = (values(&small), values(&cover));
        for (i, &a) in cover.iter().enumerate().filter(|(_, a)| **a > 0.01) {
            assert!(small[i] > 0.999 && small[h * w + i] < 1e-3, "{h}x{w} {i}: {a} {small:?}");
        }
        // Scaled alone, the colours do mix.
        let plain = values(&resize(&color, h, w, Filter::CatmullRom).unwrap());
        assert!(cover.iter().enumerate().any(|(i, a)| *a > 0.01 && plain[i] < 0.9));
    }
    let (same, cover) = resize_with_alpha(&color, &alpha, 16, 16, Filter::Box).unwrap();
    assert_eq!((apart(&same, &color), apart(&cover, &alpha)), (0.0, 0.0));
    assert!(resize_with_alpha(&color, &color, 4, 4, Filter::Box).is_err());
}

#[test]
fn alpha_of_another_shape_or_with_a_nan_is_refused() {
    let d = tempfile::tempdir().unwrap();
    let path = d.path().join("p.png");
    let (color, alpha) = picture(3, 4, 4);
    let options = SaveOptions::default();
    let narrow = alpha.narrow(2, 0, 3).unwrap();
    let text = save_image_alpha(&color, Some(&narrow), &path, &options).unwrap_err().to_string();
    assert!(text.contains("p.png") && text.contains("alpha is (1, 4, 4)"), "{text}");
    let nan = (alpha * f64::NAN).unwrap();
    assert!(matches!(save_image_alpha(&color, Some(&nan), &path, &options), Err(Error::NonFinite { .. })));
    assert!(!path.exists());
}

#[test]
fn the_mean_of_what_shows_takes_the_place_of_what_does_not() {
    let tensor = |v: &[f32], c| Tensor::from_slice(v, (c, 1, 3), &Device::Cpu).unwrap();
    // Shown wholly, by a third, and not at all.
    let (color, alpha) = (tensor(&[0.2, 0.8, 1.0, 0.6, 0.0, 0.7], 2), tensor(&[0.75, 0.25, 0.0], 1));
    let over = over_mean_color(&color, &alpha).unwrap().unwrap();
    // Means 0.75 * 0.2 + 0.25 * 0.8 = 0.35 and 0.75 * 0.6 = 0.45.
    let want = [
        0.2 * 0.75 + 0.35 * 0.25,
        0.8 * 0.25 + 0.35 * 0.75,
        0.35,
        0.6 * 0.75 + 0.45 * 0.25,
        0.45 * 0.75,
        0.45,
    ];
    assert!(apart(&over, &tensor(&want, 2)) < 1e-6, "{over}");
    let opaque = Tensor::ones_like(&alpha).unwrap();
    assert_eq!(values(&over_mean_color(&color, &opaque).unwrap().unwrap()), values(&color));
    assert!(over_mean_color(&color, &alpha.zeros_like().unwrap()).unwrap().is_none());
    assert!(over_mean_color(&color, &alpha.narrow(2, 0, 1).unwrap()).is_err());
}
