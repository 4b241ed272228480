//! Style transfer in tiles is style transfer without, and the memory it takes is planned.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor, Var};
use gdl_nst::{Layer, NstConfig, Objective, Statistics, Style, TotalVariation};
use gdl_tests::max_abs_diff;
use gdl_train::SharedRng;
use gdl_vgg::{Arch, Pooling, Tap, VggConfig, VggWeights};

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
    SharedRng::seed(seed).rand((3, h, w), 0.0, 1.0, DType::F64, &Device::Cpu).unwrap()
}

/// White in so many of 8 columns from the left.
fn columns(white: usize) -> Tensor {
    let row: Vec<f64> = (0..8).map(|i| f64::from(u8::from(i < white))).collect();
    Tensor::from_vec(row, (1, 8), &Device::Cpu).unwrap()
}

/// Losses and gradient without tiles, and in tiles of each of the sides.
fn compare(config: &NstConfig, (h, w): (usize, usize), styles: &[Style], sides: &[usize], dtype: DType) {
    let cast = |t: &Tensor| t.to_dtype(dtype).unwrap();
    let styles: Vec<Style> = styles
        .iter()
        .map(|s| Style {
            image: cast(&s.image),
            mask: s.mask.as_ref().map(|m| m.to_dtype(DType::F32).unwrap()),
            ..*s
        })
        .collect();
    let content = cast(&draw(h, w, 1).unsqueeze(0).unwrap());
    let image = Var::from_tensor(&cast(&draw(h, w, 2).unsqueeze(0).unwrap())).unwrap();
    let vgg = || Objective::network(config, &weights(), dtype, &Device::Cpu).unwrap();
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
    let vgg = Objective::network(&config, &weights(), DType::F64, &Device::Cpu).unwrap();
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
