//! Pictures of every kind through `gdl nst`: a result, or one clear line.

use crate::common::Dir;
use candle_core::{DType, Device, Tensor};
use gdl_image_io::{
    BitDepth, LoadOptions, SaveOptions, image_depth, load_image_alpha, save_image, save_image_alpha,
    save_image_with,
};
use gdl_train::{load_tensors, save_tensors};
use gdl_vgg::{Tap, VggConfig, VggWeights};
use std::path::Path;

/// A network of a few channels, as deep as there is.
const DEEP: &str = "--weights deep.safetensors --quiet";
/// And little of it.
const SHORT: &str = "--size 32 --steps 3";

fn stocked() -> Dir {
    let dir = Dir::stocked();
    let config = VggConfig { upto: Tap::relu(5, 1), widths: [3, 4, 4, 4, 4], ..VggConfig::default() };
    VggWeights::random(&config, 1).unwrap().save(dir.path("deep.safetensors")).unwrap();
    dir
}

fn load(path: &Path) -> (Tensor, Option<Tensor>) {
    load_image_alpha(path, &LoadOptions::default()).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn grey_flat_tiny_and_narrow_pictures_are_painted() {
    let dir = stocked();
    let ramp = Tensor::arange(0f32, 1200.0, &Device::Cpu).unwrap().reshape((1, 30, 40)).unwrap();
    save_image(&(ramp / 1200.0).unwrap(), dir.path("grey.png")).unwrap();
    save_image(&Tensor::full(0.5f32, (3, 16, 16), &Device::Cpu).unwrap(), dir.path("flat.png")).unwrap();
    dir.picture("square.png", 16, 16);
    dir.picture("dot.png", 1, 1);
    dir.picture("line.png", 2, 300);
    for file in ["grey.png", "flat.png", "square.png", "dot.png", "line.png"] {
        for (content, style) in [(file, "style.png"), ("content.png", file)] {
            for (size, flags) in
                [(32, ""), (32, "--style-loss gram --optimizer lbfgs"), (16, "--histogram-weight 1")]
            {
                let flags = format!("{DEEP} --steps 3 --size {size} {flags}");
                dir.succeeds(&format!("nst {content} {style} -o out.png {flags}"));
                let (w, h) = dir.size("out.png");
                assert_eq!(w.max(h), size, "{file} {flags}");
            }
        }
    }
}

#[test]
fn alpha_goes_through_and_what_it_hides_does_not_matter() {
    let dir = stocked();
    let options = SaveOptions::default();
    let color = load(&dir.path("content.png")).0;
    // Clear on the left, half shown in the middle.
    let alpha: Vec<f32> = (0..40 * 31).map(|i| ((i % 31) as f32 / 20.0 - 0.4).clamp(0.0, 1.0)).collect();
    let alpha = Tensor::from_vec(alpha, (1, 40, 31), &Device::Cpu).unwrap();
    save_image_alpha(&color, Some(&alpha), dir.path("clear.png"), &options).unwrap();
    // The same with rubbish under what is wholly clear.
    let hidden = alpha.le(0f64).unwrap().broadcast_as((3, 40, 31)).unwrap();
    let rubbish = hidden.where_cond(&color.affine(-1.0, 1.0).unwrap(), &color).unwrap();
    save_image_alpha(&rubbish, Some(&alpha), dir.path("rubbish.png"), &options).unwrap();

    let paint = |content: &str, style: &str, out: &str| {
        dir.succeeds(&format!("nst {content} {style} -o {out} {DEEP} --steps 3 --size 40 --no-recipe"));
        load(&dir.path(out))
    };
    for out in ["out.png", "out.webp", "out.tiff"] {
        let (_, painted) = paint("clear.png", "style.png", out);
        assert!(gap(&painted.unwrap(), &alpha) < 0.01, "{out}");
    }
    paint("rubbish.png", "style.png", "same.png");
    assert!(dir.read("out.png") == dir.read("same.png"));
    // As a style.
    assert!(paint("content.png", "clear.png", "one.png").1.is_none());
    paint("content.png", "rubbish.png", "two.png");
    assert!(dir.read("one.png") == dir.read("two.png"));
    // A format without alpha gets white, and it is told.
    let said =
        dir.succeeds("nst clear.png style.png -o out.jpg --weights deep.safetensors --size 32 --steps 2");
    assert!(said.stderr.contains("out.jpg: has no transparency"), "{}", said.stderr);
    let (jpeg, _) = load(&dir.path("out.jpg"));
    let corner = jpeg.narrow(1, 0, 4).unwrap().narrow(2, 0, 4).unwrap();
    assert!(gap(&corner, &Tensor::ones_like(&corner).unwrap()) < 0.05);

    let nothing = alpha.zeros_like().unwrap();
    save_image_alpha(&color, Some(&nothing), dir.path("nothing.png"), &options).unwrap();
    dir.fails(
        &format!("nst nothing.png style.png -o new.png {DEEP} {SHORT}"),
        &["nothing.png: nothing shows"],
    );
    dir.fails(
        &format!("nst content.png nothing.png -o new.png {DEEP} {SHORT}"),
        &["nothing.png: nothing shows"],
    );
    // A mask that is white on clear is black where it is clear.
    save_image_alpha(&color.ones_like().unwrap(), Some(&alpha), dir.path("white.png"), &options).unwrap();
    save_image(&alpha, dir.path("grey.png")).unwrap();
    let masked = |mask: &str| {
        dir.succeeds(&format!(
            "nst content.png style.png builtin:swirl -o out.png {DEEP} {SHORT} --no-recipe --mask {mask}"
        ));
        dir.read("out.png")
    };
    assert!(masked("white.png") == masked("grey.png"));
}

#[test]
fn sixteen_bits_stay_sixteen_bits() {
    let dir = stocked();
    let color = load(&dir.path("content.png")).0;
    let deep = SaveOptions { depth: BitDepth::Sixteen, ..SaveOptions::default() };
    save_image_with(&color, dir.path("deep.tiff"), &deep).unwrap();
    for (content, flags, out, depth) in [
        ("deep.tiff", "", "out.png", BitDepth::Sixteen),
        ("deep.tiff", "", "out.tiff", BitDepth::Sixteen),
        ("deep.tiff", "--bit-depth 8", "out.png", BitDepth::Eight),
        ("deep.tiff", "", "out.webp", BitDepth::Eight),
        ("content.png", "", "out.png", BitDepth::Eight),
        ("content.png", "--bit-depth 16", "out.tiff", BitDepth::Sixteen),
    ] {
        dir.succeeds(&format!("nst {content} style.png -o {out} {DEEP} {SHORT} {flags}"));
        assert_eq!(image_depth(dir.path(out)).unwrap(), depth, "{content} {flags} {out}");
    }
    dir.misused(
        &format!("nst content.png style.png -o out.jpg {DEEP} {SHORT} --bit-depth 16"),
        &["out.jpg", "8 bits"],
    );
    dir.misused(
        &format!("nst content.png style.png -o out.png {DEEP} {SHORT} --bit-depth 12"),
        &["--bit-depth", "16"],
    );
}

#[test]
fn cmyk_and_profiles_are_painted_as_the_colours_they_mean() {
    let dir = stocked();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/profiles.safetensors");
    let (files, _) = load_tensors(fixture, &Device::Cpu).unwrap();
    for name in ["bare-cmyk.jpg", "cmyk.tif", "adobe.tif", "p3.jpg"] {
        dir.write(name, files[name].to_dtype(DType::U8).unwrap().to_vec1::<u8>().unwrap());
        // sRGB from now on, and what the picture means.
        save_image_with(
            &load(&dir.path(name)).0,
            dir.path("srgb.png"),
            &SaveOptions { depth: BitDepth::Sixteen, ..SaveOptions::default() },
        )
        .unwrap();
        let paint = |content: &str| {
            dir.succeeds(&format!(
                "nst {content} style.png -o out.png {DEEP} --size 32 --min-scale 32 --steps 1 --step-size 1e-9"
            ));
            load(&dir.path("out.png")).0
        };
        assert!(gap(&paint(name), &paint("srgb.png")) < 0.01, "{name}");
    }
}

#[test]
fn a_large_picture_is_reduced_on_reading() {
    let dir = stocked();
    // 30 million pixels; grey, so that making it costs little.
    let (h, w) = (5000, 6000);
    let rows = Tensor::arange(0f32, h as f32, &Device::Cpu).unwrap().reshape((1, h, 1)).unwrap();
    save_image(&(rows / h as f64).unwrap().broadcast_as((1, h, w)).unwrap(), dir.path("large.png")).unwrap();
    dir.succeeds(&format!("nst large.png style.png -o out.png {DEEP} --steps 3 --size 32"));
    assert_eq!(dir.size("out.png"), (32, 27));
    // 101 million, of which there is the header alone.
    let mut header = b"BM".to_vec();
    for word in [54u32, 0, 54, 40, 10_000, 10_100, 24 << 16 | 1, 0, 0, 0, 0, 0, 0] {
        header.extend(word.to_le_bytes());
    }
    dir.write("larger.bmp", header);
    let says = ["larger.bmp", "10000x10100", "scale it down"];
    dir.fails(&format!("nst larger.bmp style.png -o out.png {DEEP} {SHORT}"), &says);
}

#[test]
fn what_is_not_finite_is_one_line() {
    let dir = stocked();
    let (mut tensors, mut metadata) = load_tensors(dir.path("deep.safetensors"), &Device::Cpu).unwrap();
    metadata.remove("checksum");
    let bias = tensors.get_mut("features.5.bias").unwrap();
    *bias = (&*bias * f64::NAN).unwrap();
    save_tensors(dir.path("nan.safetensors"), &tensors, &metadata).unwrap();
    dir.fails(
        "nst content.png style.png -o out.png --size 32 --weights nan.safetensors",
        &["nan.safetensors", "features.5.bias holds NaN"],
    );
    for (flags, says) in [
        ("--optimizer lbfgs --step-size 1e30 --no-clamp", "after 8 retries"),
        ("--optimizer lbfgs --style-weight 1e39", "step 1: the gradient is"),
        ("--step-size 1e30 --no-clamp", "step 2: the content loss is"),
        ("--style-weight 1e300", "step 1: the gradient is"),
    ] {
        dir.fails(&format!("nst content.png style.png -o out.png {DEEP} {SHORT} {flags}"), &[says, "try"]);
    }
    // A step too far is taken back, and a smaller one taken.
    dir.succeeds(&format!(
        "nst content.png style.png -o out.png {DEEP} {SHORT} --optimizer lbfgs --step-size 1e3"
    ));
}
