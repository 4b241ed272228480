//! Real files, good and bad, through the public functions.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_image_io::*;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageBuffer, ImageEncoder, LumaA, Rgb, Rgba};
use std::path::PathBuf;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn picture(h: usize, w: usize) -> Tensor {
    let v: Vec<f32> = (0..3 * h * w).map(|i| ((i * 37) % 256) as f32 / 255.0).collect();
    Tensor::from_vec(v, (3, h, w), &Device::Cpu).unwrap()
}

/// What failed, after checking that the message is one line with the path in it.
fn error<T: std::fmt::Debug>(result: Result<T>, path: &str) -> Error {
    let e = result.unwrap_err();
    let text = e.to_string();
    assert!(text.contains(path) && !text.contains('\n'), "{text}");
    e
}

fn load(path: &PathBuf) -> Result<Tensor> {
    load_image(path, &LoadOptions::default())
}

#[test]
fn lossless_formats_come_back_exactly() {
    let d = dir();
    for (ext, h, w) in
        [("png", 5, 7), ("BMP", 3, 4), ("tiff", 6, 2), ("tif", 1, 9), ("webp", 8, 8), ("png", 1, 1)]
    {
        let (path, x) = (d.path().join(format!("p.{ext}")), picture(h, w));
        save_image(&x, &path).unwrap();
        let y = load(&path).unwrap();
        assert_eq!(y.dims(), [3, h, w], "{ext}");
        let off = values(&x).iter().zip(values(&y)).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(off < 1e-6, "{ext}: {off}");
        assert_eq!(image_size(&path).unwrap(), (h, w));
    }
    assert_eq!(std::fs::read_dir(d.path()).unwrap().count(), 5, "nothing but the pictures is left");
}

#[test]
fn jpeg_comes_back_nearly() {
    let path = dir().keep().join("p.JPG");
    let x = Tensor::full(0.6f32, (3, 16, 24), &Device::Cpu).unwrap();
    save_image(&x, &path).unwrap();
    assert!(values(&load(&path).unwrap()).iter().all(|v| (v - 0.6).abs() < 0.01));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn values_are_clamped_and_rounded() {
    let path = dir().keep().join("p.png");
    let x = Tensor::new(&[[[-1f32, 0.4999 / 255.0, 0.5001 / 255.0, 7.0]]], &Device::Cpu).unwrap();
    save_image(&x, &path).unwrap();
    let y = values(&load(&path).unwrap());
    assert_eq!(&y[..4], [0.0, 0.0, 1.0 / 255.0, 1.0]);
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn sixteen_bits_are_kept() {
    let d = dir();
    let path = d.path().join("deep.png");
    let deep: ImageBuffer<Rgb<u16>, Vec<u16>> =
        ImageBuffer::from_raw(2, 1, vec![1, 2, 3, 40000, 40001, 65535]).unwrap();
    DynamicImage::from(deep).save(&path).unwrap();
    let y = load(&path).unwrap();
    let expected: Vec<f32> = [1, 40000, 2, 40001, 3, 65535].iter().map(|&v| v as f32 / 65535.0).collect();
    assert_eq!(values(&y), expected);

    for name in ["again.png", "again.tif"] {
        let again = d.path().join(name);
        save_image_with(&y, &again, &SaveOptions { depth: BitDepth::Sixteen, ..SaveOptions::default() })
            .unwrap();
        assert_eq!(values(&load(&again).unwrap()), expected);
    }
}

#[test]
fn grey_and_alpha_become_rgb_over_the_background() {
    let d = dir();
    let path = d.path().join("grey-alpha.png");
    let grey: ImageBuffer<LumaA<u8>, Vec<u8>> = ImageBuffer::from_raw(2, 1, vec![51, 255, 51, 0]).unwrap();
    DynamicImage::from(grey).save(&path).unwrap();
    let y = values(&load(&path).unwrap());
    for channel in y.chunks(2) {
        assert!((channel[0] - 0.2).abs() < 1e-6 && channel[1] == 1.0, "{y:?}");
    }

    let path = d.path().join("rgba.png");
    let half: ImageBuffer<Rgba<u16>, Vec<u16>> =
        ImageBuffer::from_raw(1, 1, vec![65535, 0, 0, 32768]).unwrap();
    DynamicImage::from(half).save(&path).unwrap();
    let blue = LoadOptions { background: [0.0, 0.0, 1.0], ..LoadOptions::default() };
    let y = values(&load_image(&path, &blue).unwrap());
    assert!((y[0] - 0.5).abs() < 1e-4 && y[1] == 0.0 && (y[2] - 0.5).abs() < 1e-4, "{y:?}");
}

#[test]
fn exif_orientation_is_applied() {
    let d = dir();
    let path = d.path().join("turned.jpg");
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, 100);
    // A little-endian TIFF header and one entry: orientation (0x112), short, 6 = turn 90 degrees clockwise.
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    encoder.set_exif_metadata(exif).unwrap();
    // White on the left half: after turning, white on top.
    let pixels: Vec<u8> = (0..16 * 32).flat_map(|i| [if i % 32 < 16 { 255 } else { 0 }; 3]).collect();
    encoder.write_image(&pixels, 32, 16, image::ExtendedColorType::Rgb8).unwrap();
    std::fs::write(&path, out).unwrap();
    let y = load(&path).unwrap();
    assert_eq!(y.dims(), [3, 32, 16]);
    assert_eq!(image_size(&path).unwrap(), (32, 16));
    assert!(y.narrow(1, 0, 12).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap() > 0.95);
    assert!(y.narrow(1, 20, 12).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap() < 0.05);
    let raw = load_image(&path, &LoadOptions { orient: false, ..LoadOptions::default() }).unwrap();
    assert_eq!(raw.dims(), [3, 16, 32]);
}

#[test]
fn bad_files_are_told_apart() {
    let d = dir();
    let at = |name: &str| d.path().join(name);
    assert!(matches!(error(load(&at("nowhere.png")), "nowhere.png"), Error::NotFound { .. }));
    std::fs::create_dir(at("folder.png")).unwrap();
    assert!(matches!(error(load(&at("folder.png")), "folder.png"), Error::IsDirectory { .. }));
    std::fs::write(at("text.png"), "Once upon a time there was a fox.\n").unwrap();
    assert!(matches!(error(load(&at("text.png")), "text.png"), Error::NotAnImage { .. }));
    std::fs::write(at("empty.png"), "").unwrap();
    assert!(matches!(error(load(&at("empty.png")), "empty.png"), Error::ZeroSize { .. }));
    std::fs::write(at("anim.png"), b"GIF89a\x01\0\x01\0\0\0\0;").unwrap();
    assert!(matches!(error(load(&at("anim.png")), "GIF images"), Error::Unsupported { .. }));
    std::fs::write(at("phone.jpg"), b"\0\0\0\x18ftypheic\0\0\0\0heicmif1").unwrap();
    assert!(matches!(error(load(&at("phone.jpg")), "HEIC"), Error::Unsupported { .. }));

    save_image(&picture(40, 40), at("good.png")).unwrap();
    let small = LoadOptions { max_pixels: 1599, ..LoadOptions::default() };
    assert!(matches!(error(load_image(at("good.png"), &small), "40x40"), Error::TooLarge { .. }));
}

#[test]
fn truncated_files_of_every_format_are_corrupt() {
    let d = dir();
    for ext in ["png", "jpg", "webp", "tif", "bmp"] {
        let path = d.path().join(format!("p.{ext}"));
        save_image(&picture(64, 64), &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for keep in [whole.len() * 2 / 3, 40, 16] {
            std::fs::write(&path, &whole[..keep]).unwrap();
            match load(&path) {
                Err(Error::Corrupt { .. } | Error::NotAnImage { .. }) => {}
                other => panic!("{ext} cut to {keep}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_jpeg_in_memory_is_the_picture_in_fewer_bytes() {
    let ramp: Vec<f32> =
        (0..3 * 64 * 48).map(|i| ((i % 48) as f32 / 48.0 + 0.5 * (i / 3072) as f32).min(1.0)).collect();
    let ramp = Tensor::from_vec(ramp, (3, 64, 48), &Device::Cpu).unwrap();
    let file = encode_jpeg(&ramp, 90).unwrap();
    let back = decode_image(&file, "memory.jpg", &LoadOptions::default()).unwrap();
    assert_eq!(back.dims(), [3, 64, 48]);
    let furthest = values(&ramp).iter().zip(values(&back)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(furthest < 0.1, "{furthest}");
    assert!(encode_jpeg(&ramp, 10).unwrap().len() < file.len());
    assert!(encode_jpeg(&(ramp * f64::NAN).unwrap(), 90).is_err());
}

#[test]
fn flipped_bytes_never_panic() {
    let good = encode_png(&picture(12, 9)).unwrap();
    for i in 0..good.len() {
        let mut bad = good.clone();
        bad[i] ^= 0x55;
        let _ = decode_image(&bad, "bad.png", &LoadOptions::default());
    }
}

#[test]
fn a_png_that_claims_to_be_huge_is_refused_before_it_is_read() {
    // A valid header (with its CRC) of a 60000 x 60000 RGB picture, and no pixels.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(60000u32.to_be_bytes());
    png.extend(60000u32.to_be_bytes());
    png.extend([8, 2, 0, 0, 0]);
    let crc = png[12..].iter().fold(!0u32, |crc, &b| {
        (0..8).fold(crc ^ u32::from(b), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })
    });
    png.extend((!crc).to_be_bytes());
    png.extend(b"\0\0\0\x01IDAT\0\0\0\0\0");
    let e = error(decode_image(&png, "huge.png", &LoadOptions::default()), "60000x60000");
    assert!(matches!(e, Error::TooLarge { .. }));
}

#[test]
fn places_that_cannot_be_written_are_found_out_before() {
    let d = dir();
    let at = |name: &str| d.path().join(name);
    assert!(matches!(error(check_writable(at("p.xyz")), "p.xyz"), Error::UnknownExtension { .. }));
    assert!(matches!(error(check_writable(at("plain")), ".png"), Error::UnknownExtension { .. }));
    assert!(matches!(error(check_writable(at("no/p.png")), "no/p.png"), Error::NotWritable { .. }));
    std::fs::create_dir(at("d.png")).unwrap();
    assert!(matches!(error(check_writable(at("d.png")), "directory"), Error::NotWritable { .. }));
    std::fs::write(at("file"), "x").unwrap();
    assert!(matches!(error(check_writable(at("file/p.png")), "file/p.png"), Error::NotWritable { .. }));
    check_writable(at("fine.jpg")).unwrap();
    assert_eq!(std::fs::read_dir(d.path()).unwrap().count(), 2, "checking leaves nothing");

    let nan = Tensor::full(f32::NAN, (3, 2, 2), &Device::Cpu).unwrap();
    assert!(matches!(error(save_image(&nan, at("nan.png")), "NaN"), Error::NonFinite { .. }));
    assert!(!at("nan.png").exists());
    let batch = picture(2, 2).unsqueeze(0).unwrap();
    assert!(matches!(save_image(&batch, at("batch.png")), Err(Error::Tensor(_))));
}

#[test]
fn folders() {
    let d = dir();
    assert!(matches!(error(list_images(d.path()), "no images"), Error::NoImages { .. }));
    assert!(matches!(error(list_images(d.path().join("x")), "x: no such"), Error::NotFound { .. }));
    for name in ["b.png", "a.JPG", "c.Tiff"] {
        save_image(&picture(3, 4), d.path().join(name)).unwrap();
    }
    std::fs::write(d.path().join("notes.txt"), "").unwrap();
    std::fs::write(d.path().join(".hidden.png"), "").unwrap();
    std::fs::create_dir(d.path().join("sub.png")).unwrap();
    let names: Vec<_> = list_images(d.path())
        .unwrap()
        .iter()
        .map(|p| p.file_name().unwrap().to_str().unwrap().to_string())
        .collect();
    assert_eq!(names, ["a.JPG", "b.png", "c.Tiff"]);
    let one = d.path().join("b.png");
    assert!(matches!(error(list_images(&one), "b.png"), Error::NotADirectory { .. }));
    assert_eq!(images_at(&one).unwrap(), [one]);

    let folder = ImageFolder::open(d.path(), LoadOptions::default()).unwrap();
    assert_eq!((folder.len(), folder.is_empty(), folder.paths().len()), (3, false, 3));
    assert_eq!(folder.load(2).unwrap().dims(), [3, 3, 4]);
    assert!(folder.load(3).is_err());
}

#[test]
fn patterns_in_natural_order() {
    let d = dir();
    let at = |name: &str| d.path().join(name);
    std::fs::create_dir(at("b")).unwrap();
    for name in
        ["f10.png", "f2.png", "f1.PNG", "f02.png", "g.jpg", "odd[1].png", "b/f3.png", "2.png", "10.png"]
    {
        save_image(&picture(2, 2), at(name)).unwrap();
    }
    std::fs::write(at("f5.txt"), "").unwrap();
    std::fs::write(at(".f4.png"), "").unwrap();
    std::fs::create_dir(at("f6.png")).unwrap();
    let names = |pattern: &str| -> Vec<String> {
        let found = expand_pattern(at(pattern)).unwrap();
        found.iter().map(|p| p.strip_prefix(d.path()).unwrap().to_str().unwrap().to_string()).collect()
    };
    assert_eq!(names("f*.png"), ["f02.png", "f2.png", "f10.png"]);
    assert_eq!(names("f?.*"), ["f1.PNG", "f2.png"]);
    assert_eq!(names("**/f[0-9].*"), ["b/f3.png", "f1.PNG", "f2.png"]);
    // A folder and a single file, also one whose name looks like a pattern.
    let all = ["2.png", "10.png", "f1.PNG", "f02.png", "f2.png", "f10.png", "g.jpg", "odd[1].png"];
    assert_eq!(names("."), all);
    assert_eq!(names("odd[1].png"), ["odd[1].png"]);
    assert!(matches!(error(expand_pattern(at("z*.png")), "z*.png"), Error::NoMatch { .. }));
    assert!(matches!(error(expand_pattern(at("***/x")), "***/x"), Error::BadPattern { .. }));
    assert!(matches!(error(expand_pattern(at("z.png")), "z.png"), Error::NotFound { .. }));
}

#[test]
fn one_pixel_and_sixteen_work_in_every_format() {
    let d = dir();
    for ext in EXTENSIONS {
        for side in [1, 16] {
            for c in [1, 3] {
                let path = d.path().join(format!("p.{ext}"));
                let x = picture(side, side).narrow(0, 0, c).unwrap();
                save_image(&x, &path).unwrap();
                assert_eq!(load(&path).unwrap().dims(), [3, side, side], "{ext}");
            }
        }
    }
}

#[test]
fn a_profile_that_unpacks_into_too_much_is_left_packed() {
    let mut png = Vec::new();
    let mut info = png::Info::with_size(1, 1);
    info.icc_profile = Some(vec![0; 80 << 20].into());
    let mut writer = png::Encoder::with_info(&mut png, info).unwrap().write_header().unwrap();
    writer.write_image_data(&[51]).unwrap();
    writer.finish().unwrap();
    assert!(png.len() < 1 << 20);
    // More than the 64 MiB that a file may unpack into beside its pixels: the profile does not count.
    let x = decode_image(&png, "bomb.png", &LoadOptions::default()).unwrap();
    assert_eq!(values(&x), [0.2; 3]);
}
