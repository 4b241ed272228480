//! Pictures translated in tiles: what comes out is what one pass over the whole picture gives.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor};
use gdl_cyclegan::{Generator, GeneratorConfig, NormKind, Tiles, Translator, Upsampling};
use gdl_kernels::init::InitScheme;
use gdl_kernels::rng::SharedRng;
use gdl_train::ParamStore;

const DEV: Device = Device::Cpu;

/// Weights as large as PyTorch draws them, so that every layer has its say, and statistics as of a trained network.
fn translator(config: GeneratorConfig) -> Translator {
    let config = GeneratorConfig { init: InitScheme::PyTorch, ..config };
    let store = ParamStore::new(DType::F32, &DEV, 3);
    Generator::new(&config, None, store.vb()).unwrap();
    let rng = SharedRng::seed(4);
    for (name, var) in store.vars() {
        if name.ends_with("running_mean") || name.ends_with("running_var") {
            let low = if name.ends_with("var") { 0.5 } else { -0.2 };
            var.set(&rng.rand(var.dims(), low, low + 0.4, DType::F32, &DEV).unwrap()).unwrap();
        }
    }
    store.freeze("");
    Translator::new(Generator::new(&config, None, store.vb()).unwrap(), &DEV)
}

/// A picture that is bright at one end and dark at the other: statistics of a part are not those of the whole.
fn picture(h: usize, w: usize) -> Tensor {
    let value = |c: usize, y: usize, x: usize| {
        let noise = ((x * 7919 + y * 104_729 + c * 31) % 101) as f32 / 101.0;
        0.6 * (x as f32 / w as f32) * (y as f32 / h as f32) + 0.4 * noise
    };
    let values: Vec<f32> = (0..3 * h * w).map(|i| value(i / (h * w), i / w % h, i % w)).collect();
    Tensor::from_vec(values, (3, h, w), &DEV).unwrap()
}

fn differences(a: &Tensor, b: &Tensor) -> Vec<f32> {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Compares for several tiles, with maps in memory, in a file, and half and half.
fn agrees(what: &str, config: GeneratorConfig, sizes: &[(usize, usize)], sides: &[usize]) {
    let translator = translator(config);
    for &(h, w) in sizes {
        let picture = picture(h, w);
        let whole = translator.translate(&picture).unwrap();
        let spread = whole.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (low, high) = spread.iter().fold((1f32, 0f32), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(high - low > 0.02, "{what}: the translation is flat");
        for &side in sides {
            for memory in [u64::MAX, 40_000, 0] {
                let tiled = translator.translate_tiled(&picture, &Tiles { side, memory }).unwrap();
                let worst = differences(&tiled, &whole).into_iter().fold(0f32, f32::max);
                // The sums are the same, in another order and by another algorithm where a part is small: some 1e-6, which
                // the norms of the maps that hardly vary enlarge.
                assert!(worst <= 2e-5, "{what} {h}x{w}, tiles of {side}, {memory} bytes: {worst}");
            }
        }
    }
}

#[test]
fn residual_generators_agree() {
    let small = GeneratorConfig::resnet(2).base_channels(4);
    let sizes = [(37, 53), (64, 41)];
    agrees("transposed", small.clone(), &sizes, &[16, 31, 64]);
    agrees("resize", small.clone().upsampling(Upsampling::Resize), &sizes, &[16, 31]);
    agrees("batch", small.clone().norm(NormKind::Batch).dropout(true), &sizes, &[16]);
    agrees("none", small.clone().norm(NormKind::None), &sizes[..1], &[16]);
    let pads = gdl_conv::PadMode::Replicate;
    agrees("replicate", GeneratorConfig { pad_mode: pads, ..small.clone() }, &sizes[..1], &[16]);
    for downs in [0, 1, 3] {
        agrees("depth", small.clone().downs(downs), &sizes[..1], &[16]);
    }
    // Wide enough for Winograd's algorithm.
    agrees("wide", GeneratorConfig::resnet(1).base_channels(8), &[(203, 130)], &[64]);
}

#[test]
fn unets_agree() {
    for (what, config) in [
        ("instance", GeneratorConfig::unet(4)),
        ("batch", GeneratorConfig::unet(5).norm(NormKind::Batch).dropout(true)),
        ("none", GeneratorConfig::unet(3).norm(NormKind::None)),
        ("resize", GeneratorConfig::unet(4).upsampling(Upsampling::Resize)),
    ] {
        agrees(what, config.base_channels(4), &[(70, 41)], &[1, 16, 48]);
    }
    agrees("book", GeneratorConfig::book_unet().base_channels(4), &[(70, 41)], &[16, 48]);
}

#[test]
fn pictures_smaller_than_a_tile_or_the_padding_agree() {
    for config in [GeneratorConfig::resnet(1), GeneratorConfig::unet(4)] {
        agrees("small", config.base_channels(4), &[(3, 5), (9, 17)], &[16]);
    }
}

/// At the borders of the tiles the rounding is no other than elsewhere.
#[test]
fn there_are_no_seams() {
    let translator = translator(GeneratorConfig::resnet(2).base_channels(8));
    let (h, w, side) = (160, 192, 32);
    let picture = picture(h, w);
    let whole = translator.translate(&picture).unwrap();
    let mut shares = Vec::new();
    let tiled =
        translator.translate_tiled_with(&picture, &Tiles::new(side), |share| shares.push(share)).unwrap();
    assert!(shares.is_sorted() && shares.len() > 1 && shares.last() == Some(&1.0), "{shares:?}");
    let (mut border, mut inside) = ((0f64, 0), (0f64, 0));
    for (i, d) in differences(&tiled, &whole).into_iter().enumerate() {
        let at_border = |n: usize| (n + 1) % side < 2;
        let sum = if at_border(i / w % h) || at_border(i % w) { &mut border } else { &mut inside };
        *sum = (sum.0 + f64::from(d), sum.1 + 1);
    }
    let [border, inside] = [border, inside].map(|(sum, count)| sum / f64::from(count));
    assert!(border > 0.0 && border < 1.5 * inside + 1e-8, "{border} at the borders, {inside} elsewhere");
}

#[test]
fn what_cannot_be_is_an_error() {
    let translator = translator(GeneratorConfig::resnet(1).base_channels(2));
    let error = translator.translate_tiled(&picture(8, 8), &Tiles::new(0)).unwrap_err().to_string();
    assert!(error.contains("tile"), "{error}");
    let flat = Tensor::zeros((1, 8, 8), DType::F32, &DEV).unwrap();
    let error = translator.translate_tiled(&flat, &Tiles::default()).unwrap_err().to_string();
    assert!(error.contains("(3, H, W)") && error.contains("[1, 8, 8]"), "{error}");
}
