//! Style transfer in tiles is style transfer without, and the memory it takes is planned.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use gdl_nst::{
    Error, Layer, NstConfig, Objective, OptimizerKind, Statistics, Style, StyleSource, StyleTransfer,
    TileReport, TotalVariation, plan,
};
use gdl_tests::{DEV, assert_bitwise, max_abs_diff};
use gdl_train::SharedRng;
use gdl_vgg::{Arch, Pooling, Tap, VggConfig, VggWeights};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

const ALL: [Statistics; 4] =
    [Statistics::Gram, Statistics::Covariance, Statistics::MeanStd, Statistics::Wasserstein];

fn weights() -> VggWeights {
    let config = VggConfig {
        arch: Arch::Vgg16,
        widths: [4, 6, 6, 8, 8],
        upto: Tap::relu(4, 1),
        ..VggConfig::default()
    };
    VggWeights::random(&config, 3).unwrap()
}

fn draw(h: usize, w: usize, seed: u64) -> Tensor {
    SharedRng::seed(seed).rand((3, h, w), 0.0, 1.0, DType::F64, &DEV).unwrap()
}

/// White in so many of 8 columns from the left.
fn columns(white: usize) -> Tensor {
    let row: Vec<f64> = (0..8).map(|i| f64::from(u8::from(i < white))).collect();
    Tensor::from_vec(row, (1, 8), &DEV).unwrap()
}

/// Losses and gradient without tiles, and in tiles of each of the sides.
fn compare(config: &NstConfig, (h, w): (usize, usize), styles: &[Style], sides: &[usize], dtype: DType) {
    let cast = |t: &Tensor| t.to_dtype(dtype).unwrap();
    let styles: Vec<Style> = styles
        .iter()
        .map(|s| {
            let StyleSource::Picture(picture) = &s.source else { panic!("a style without a picture") };
            let mask = s.mask.as_ref().map(|m| m.to_dtype(DType::F32).unwrap());
            Style { source: StyleSource::Picture(cast(picture)), mask, ..*s }
        })
        .collect();
    let content = cast(&draw(h, w, 1).unsqueeze(0).unwrap());
    let image = Var::from_tensor(&cast(&draw(h, w, 2).unsqueeze(0).unwrap())).unwrap();
    let vgg = || Objective::network(config, &weights(), dtype, &DEV).unwrap();
    let whole = Objective::new(config, &weights(), vgg(), &content, &styles).unwrap();
    let (want, grads) = whole.gradients(&image).unwrap();
    let want_grad = grads.get(&image).unwrap();
    let size: f64 = cast(&want_grad.abs().unwrap())
        .flatten_all()
        .unwrap()
        .max(0)
        .unwrap()
        .to_dtype(DType::F64)
        .unwrap()
        .to_scalar()
        .unwrap();
    assert!(size > 0.0);
    // The same sums in another order: in f64 rounding alone; the roots of wasserstein make more of it, since what they
    // are taken of has eigenvalues a thousandth and less of the largest.
    let tolerance = match dtype {
        DType::F64 => 1e-9,
        _ => 2e-3,
    };
    for &side in sides {
        let tiled = Objective::in_tiles(config, &weights(), vgg(), &content, &styles, side).unwrap();
        let (got, grads) = tiled.gradients(&image).unwrap();
        let off = max_abs_diff(grads.get(&image).unwrap(), want_grad) / size;
        assert!(off < tolerance, "{h}x{w} in tiles of {side}: the gradient is off by {off:e}; {config:?}");
        assert_eq!(got.layers.len(), want.layers.len());
        for (got, want) in got.layers.iter().zip(&want.layers) {
            assert_eq!(
                (got.kind, got.tap, got.level, got.share),
                (want.kind, want.tap, want.level, want.share)
            );
            assert!(
                (got.value - want.value).abs() <= tolerance * want.value.abs(),
                "{side}: {got:?} {want:?}"
            );
        }
        for (got, want) in [
            (got.content, want.content),
            (got.style, want.style),
            (got.tv, want.tv),
            (got.histogram, want.histogram),
            (got.total, want.total),
        ] {
            assert!((got - want).abs() <= tolerance * want.abs(), "{side}: {got} {want}");
        }
    }
}

fn base() -> NstConfig {
    NstConfig { style_weight: 3.0, ..NstConfig::default() }
}

/// Two styles, each of a size of its own.
fn two() -> Vec<Style> {
    vec![draw(20, 33, 5).into(), Style { weight: 2.0, ..draw(21, 17, 6).into() }]
}

#[test]
fn every_statistic_has_the_gradient_of_the_whole_picture() {
    for statistics in ALL {
        let config = NstConfig { statistics, ..base() };
        // No multiple of the stride, with a last tile of a few pixels; and larger than the picture.
        compare(&config, (41, 27), &two(), &[16, 500], DType::F64);
        compare(&config, (48, 56), &two(), &[24], DType::F32);
    }
    // As small as tiles can be: some have no position of their own in the deepest maps.
    compare(&base(), (17, 25), &two()[..1], &[1], DType::F64);
}

#[test]
fn so_have_guided_styles_histograms_levels_and_normalised_gradients() {
    let masked = |white| {
        let mut styles = two();
        styles[0].mask = Some(columns(white));
        styles
    };
    let taps =
        |names: &str| -> Option<Vec<Layer>> { Some(names.split(',').map(|n| n.parse().unwrap()).collect()) };
    for statistics in ALL {
        // With a hard border there are tiles where a style has no place.
        let config = NstConfig { statistics, mask_feather: 0.0, ..base() };
        compare(&config, (25, 40), &masked(3), &[16], DType::F64);
    }
    for config in [
        NstConfig { histogram_weight: 2.0, ..base() },
        NstConfig { normalize_gradients: true, histogram_weight: 2.0, ..base() },
        NstConfig { style_levels: 3, style_layers: taps("relu1_1,relu2_2:0.5"), ..base() },
        NstConfig {
            normalize_gradients: true,
            style_levels: 2,
            style_layers: taps("conv1_2,relu3_1"),
            ..base()
        },
        NstConfig { content_layers: taps("relu2_1:3,conv4_1,relu1_1"), pooling: Pooling::Average, ..base() },
        NstConfig { style_weight: 0.0, tv: TotalVariation::NinePoint, pooling: Pooling::L2, ..base() },
        NstConfig { content_weight: 0.0, tv: TotalVariation::L1, ..base() },
    ] {
        compare(&config, (33, 28), &masked(5), &[16], DType::F64);
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let config = NstConfig {
        statistics: Statistics::Covariance,
        style_levels: 2,
        style_layers: Some(vec![Tap::relu(2, 1).into()]),
        pooling: Pooling::Average,
        ..base()
    };
    let vgg = Objective::network(&config, &weights(), DType::F64, &DEV).unwrap();
    let content = draw(20, 21, 1).unsqueeze(0).unwrap();
    let tiled = Objective::in_tiles(&config, &weights(), vgg, &content, &two(), 8).unwrap();
    let (image, step) = (draw(20, 21, 2).unsqueeze(0).unwrap(), draw(20, 21, 3).unsqueeze(0).unwrap());
    let total = |t: f64| tiled.losses(&(&image + (&step * t).unwrap()).unwrap()).unwrap().0.total;
    let var = Var::from_tensor(&image).unwrap();
    let (_, grads) = tiled.gradients(&var).unwrap();
    let along = (grads.get(&var).unwrap() * &step).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
    // The scalar to differentiate has the same gradient.
    let (_, slope) = tiled.losses(&var).unwrap();
    let grads = slope.backward().unwrap();
    let again = (grads.get(&var).unwrap() * &step).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
    assert!((again - along).abs() < 1e-12 * along.abs());
    let h = 1e-6;
    let difference = (total(h) - total(-h)) / (2.0 * h);
    // Third derivatives and rounding of the total, both some 1e-9; kinks of a rectifier between the two would show as more.
    assert!((difference - along).abs() < 1e-6 * along.abs(), "{difference} {along}");
}

fn f32(x: Tensor) -> Tensor {
    x.to_dtype(DType::F32).unwrap()
}

fn quick() -> NstConfig {
    NstConfig { size: 48, min_size: 24, scale_factor: 2.0, steps: 6, ..NstConfig::default() }
}

#[test]
fn a_painting_in_tiles_is_the_painting() {
    let (content, style) = (f32(draw(30, 44, 1)), f32(draw(40, 25, 2)));
    for config in [
        quick(),
        NstConfig { optimizer: OptimizerKind::Lbfgs, steps: 4, statistics: Statistics::Gram, ..quick() },
    ] {
        let tiled = NstConfig { tile: Some(24), ..config.clone() };
        let start =
            |c: &NstConfig| StyleTransfer::new(c, &weights(), &content, &[style.clone().into()]).unwrap();
        let (mut a, mut b) = (start(&config), start(&tiled));
        assert_eq!(a.plan().scales.iter().map(|s| s.tile).collect::<Vec<_>>(), [None, None]);
        assert_eq!(b.plan().scales.iter().map(|s| s.tile).collect::<Vec<_>>(), [None, Some(24)]);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        b.watch_tiles(move |report| tell.lock().unwrap().push(report));
        for step in 0..config.steps {
            let (a, b) = (a.step().unwrap().unwrap(), b.step().unwrap().unwrap());
            // Rounding in f32, which the steps carry on.
            let off = (a.losses.total - b.losses.total).abs() / a.losses.total;
            assert!(off < 1e-3, "{:?}, step {step}: {} {}", config.optimizer, a.losses.total, b.losses.total);
        }
        assert!(max_abs_diff(&a.image().unwrap(), &b.image().unwrap()) < 0.02);
        // Two rows of two tiles, each swept over twice, at the second scale alone.
        let told = told.lock().unwrap();
        assert!(told.len() >= 8 * config.steps / 2 && told.len() % 8 == 0, "{}", told.len());
        assert!(told.iter().enumerate().all(|(i, t)| *t == TileReport { tile: i % 8 + 1, tiles: 8 }));
    }
}

#[test]
fn a_painting_in_tiles_goes_on_exactly() {
    let (content, style) = (f32(draw(30, 44, 1)), [f32(draw(40, 25, 2)).into()]);
    let config = NstConfig { tile: Some(24), ..quick() };
    let mut whole = StyleTransfer::new(&config, &weights(), &content, &style).unwrap();
    let mut first = StyleTransfer::new(&config, &weights(), &content, &style).unwrap();
    (0..4).for_each(|_| drop(first.step().unwrap()));
    let mut second = StyleTransfer::restore(&first.state().unwrap(), &weights(), &content, &style).unwrap();
    let [a, b] = [&mut whole, &mut second].map(|t| t.run(|_| ControlFlow::Continue(())).unwrap());
    assert_bitwise(&a, &b, "restored");
}

#[test]
fn memory_is_planned() {
    let (content, style) = (f32(draw(96, 128, 1)), [f32(draw(100, 130, 2)).into()]);
    let network = VggConfig { upto: Tap::relu(4, 1), ..VggConfig::default() };
    let weights = VggWeights::random(&network, 1).unwrap();
    let planned = |config: &NstConfig| plan(config, &weights, &content, &style);
    let config = NstConfig { size: 2048, min_size: 512, scale_factor: 2.0, ..NstConfig::default() };
    let free = planned(&config).unwrap();
    assert_eq!(
        free.scales.iter().map(|s| (s.width, s.height)).collect::<Vec<_>>(),
        [(512, 384), (1024, 768), (2048, 1536)]
    );
    assert!(free.scales.iter().all(|s| s.tile.is_none()));
    assert!(free.scales.windows(2).all(|s| s[0].bytes < s[1].bytes));
    assert_eq!(free.peak(), free.scales[2].bytes);
    // What just fits stays whole; a byte less, and the last scale is in tiles, which become smaller with the bound.
    let bounded = |most: u64| planned(&NstConfig { max_memory: Some(most), ..config.clone() });
    assert_eq!(bounded(free.peak()).unwrap(), free);
    let mut last = usize::MAX;
    let mut most = free.peak() - 1;
    let least = loop {
        match bounded(most) {
            Ok(plan) => {
                assert!(plan.peak() <= most && plan.scales[0].tile.is_none());
                let side = plan.scales[2].tile.unwrap();
                assert!(side <= last);
                (last, most) = (side, most - most / 40);
            }
            Err(Error::Memory { least, .. }) => break least,
            Err(e) => panic!("{e}"),
        }
    };
    assert!(last <= 256, "{last}");
    // What the error names does.
    assert!(bounded(least - 1).is_err());
    assert_eq!(bounded(least).unwrap().scales[2].bytes, least);
    let error = bounded(least - 1).unwrap_err().to_string();
    assert!(error.contains("2048x1536") && error.contains("max_memory"), "{error}");
    // Tiles that were asked for, for the pictures that are larger; and both together.
    let tile = Some(600);
    let asked = planned(&NstConfig { tile, ..config.clone() }).unwrap();
    assert_eq!(asked.scales.iter().map(|s| s.tile).collect::<Vec<_>>(), [None, tile, tile]);
    let both = planned(&NstConfig { tile, max_memory: Some(least), ..config.clone() }).unwrap();
    assert!(both.scales[2].tile < tile && both.peak() <= least);
    assert_eq!(asked.to_string().lines().count(), 3);
    assert!(asked.to_string().contains("512x384 whole: 0.6"), "{asked}");
    assert!(asked.to_string().contains("2048x1536 in tiles of 600: "), "{asked}");
    assert!(planned(&NstConfig { tile: Some(0), ..config }).is_err());
}
