//! What the options of style transfer do: masks, colours, scales, averages, retries, and going on from a saved state.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use gdl_image_io::{Filter, resize};
use gdl_nst::{
    Error, Init, KeepColour, Layer, LossKind, LossWeights, NstConfig, Objective, OptimizerKind, Statistics,
    Style, StyleTransfer, TotalVariation, luma,
};
use gdl_tests::{DEV, assert_bitwise, max_abs_diff, noise_picture, small_vgg};
use gdl_vgg::Tap;
use std::ops::ControlFlow;

fn quick() -> NstConfig {
    NstConfig { size: 32, min_size: 16, steps: 8, statistics: Statistics::Gram, ..NstConfig::default() }
}

fn paint(config: &NstConfig, content: &Tensor, styles: &[Style]) -> Tensor {
    let mut transfer = StyleTransfer::new(config, &small_vgg(), content, styles).unwrap();
    transfer.run(|_| ControlFlow::Continue(())).unwrap()
}

fn mean(x: &Tensor) -> f64 {
    x.to_dtype(DType::F64).unwrap().mean_all().unwrap().to_scalar().unwrap()
}

/// A mask (1, 8) of so many white columns from the left.
fn columns(white: usize) -> Tensor {
    let row: Vec<f32> = (0..8).map(|i| f32::from(u8::from(i < white))).collect();
    Tensor::from_vec(row, (1, 8), &DEV).unwrap()
}

#[test]
fn every_loss_lowers_its_own_share() {
    let (content, style) = (noise_picture(18, 30, 1), noise_picture(25, 20, 2));
    let base = NstConfig { size: 24, min_size: 24, steps: 25, content_weight: 0.1, ..NstConfig::default() };
    let mut settings = vec![NstConfig { histogram_weight: 5.0, ..base.clone() }];
    for statistics in [Statistics::Gram, Statistics::Covariance, Statistics::MeanStd, Statistics::Wasserstein]
    {
        settings.push(NstConfig { statistics, ..base.clone() });
    }
    for tv in [TotalVariation::L1, TotalVariation::NinePoint] {
        settings.push(NstConfig { tv, tv_weight: 20.0, ..base.clone() });
    }
    settings.push(NstConfig { normalize_gradients: true, ..base.clone() });
    let layers = Some(vec!["relu1_1:3".parse::<Layer>().unwrap(), Tap::relu(2, 2).into()]);
    settings.push(NstConfig { content_layers: layers.clone(), style_layers: layers, ..base });
    for config in settings {
        let mut transfer =
            StyleTransfer::new(&config, &small_vgg(), &content, &[style.clone().into()]).unwrap();
        let mut losses = Vec::new();
        transfer
            .run(|r| {
                losses.push(r.losses.clone());
                ControlFlow::Continue(())
            })
            .unwrap();
        let (first, last) = (&losses[0], &losses[24]);
        assert!(last.style < 0.7 * first.style, "{config:?}: {first:?} {last:?}");
        assert!(last.total < 0.7 * first.total, "{config:?}");
        assert!(config.histogram_weight == 0.0 || last.histogram < 0.7 * first.histogram);
        // The layers make up the losses.
        let sum = |kind| {
            let of_kind = last.layers.iter().filter(|l| l.kind == kind);
            of_kind.map(|l| (l.share, l.share * l.value)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        for (kind, total) in [(LossKind::Content, last.content), (LossKind::Style, last.style)] {
            let (shares, value) = sum(kind);
            assert!(
                (shares - 1.0).abs() < 1e-12 && (value - total).abs() < 1e-9 * total.max(1e-9),
                "{kind:?}"
            );
        }
    }
}

#[test]
fn a_mask_keeps_a_style_in_its_place() {
    let content = Tensor::full(0.5f32, (3, 32, 32), &DEV).unwrap();
    let plain = |x: f32| Tensor::full(x, (3, 32, 32), &DEV).unwrap();
    let config = NstConfig {
        size: 32,
        min_size: 32,
        steps: 30,
        content_weight: 0.0,
        tv_weight: 0.0,
        mask_feather: 0.0,
        style_layers: Some(vec![Tap::relu(1, 1).into(), Tap::relu(1, 2).into()]),
        ..NstConfig::default()
    };
    let masked = |image, mask| Style { mask: Some(mask), ..Style::from(image) };
    let right = columns(4).affine(-1.0, 1.0).unwrap();
    for styles in [
        // Black on the left, and white elsewhere: by a mask of its own, or because that is what is left.
        [masked(plain(0.0), columns(4)), plain(1.0).into()],
        [masked(plain(0.0), columns(4)), masked(plain(1.0), right)],
    ] {
        for statistics in
            [Statistics::Gram, Statistics::MeanStd, Statistics::Wasserstein, Statistics::Covariance]
        {
            let config = NstConfig { statistics, ..config.clone() };
            let picture = paint(&config, &content, &styles);
            let (left, right) = (picture.narrow(2, 0, 14).unwrap(), picture.narrow(2, 18, 14).unwrap());
            assert!(
                mean(&left) < 0.45 && mean(&right) > 0.6,
                "{statistics:?}: {} {}",
                mean(&left),
                mean(&right)
            );
        }
    }
    // Under no mask, and with no style without one: nothing changes.
    let picture = paint(&config, &content, &[masked(plain(0.0), columns(4))]);
    let far = picture.narrow(2, 20, 12).unwrap();
    assert!(max_abs_diff(&far, &content.narrow(2, 20, 12).unwrap()) < 1e-6);
    // A style of no weight is as if it were not there, mask or not.
    let nobody = Style { weight: 0.0, ..masked(plain(1.0), columns(8)) };
    let alone = paint(&config, &content, &[plain(0.0).into()]);
    assert_bitwise(&paint(&config, &content, &[plain(0.0).into(), nobody]), &alone, "no weight");
}

#[test]
fn masks_that_make_no_sense_are_named() {
    let (content, style) = (noise_picture(16, 16, 1), noise_picture(16, 16, 2));
    let error = |styles: &[Style]| {
        StyleTransfer::new(&quick(), &small_vgg(), &content, styles).unwrap_err().to_string()
    };
    let masked = |mask| Style { mask: Some(mask), ..Style::from(style.clone()) };
    assert!(error(&[masked(columns(0))]).contains("style 1"), "black");
    assert!(error(&[masked(columns(8)), style.clone().into()]).contains("no place"), "all white");
    assert!(error(&[masked(style.clone())]).contains("masks"), "three planes");
    let nan = (columns(3) * f64::NAN).unwrap();
    assert!(error(&[masked(nan)]).contains("masks"), "NaN");
    assert!(error(&[Style { scale: 0.0, ..Style::from(style.clone()) }]).contains("scale"));
}

#[test]
fn colours_are_kept() {
    // Reddish and greenish, with some texture.
    let tint = |x: Tensor, rgb: [f32; 3]| {
        let rgb = Tensor::new(&rgb, &DEV).unwrap().reshape((3, 1, 1)).unwrap();
        ((x * 0.3).unwrap().broadcast_add(&rgb)).unwrap()
    };
    let content = tint(noise_picture(32, 32, 1), [0.6, 0.2, 0.2]);
    let style: Style = tint(noise_picture(32, 32, 2), [0.1, 0.5, 0.2]).into();
    let means = |x: &Tensor| x.mean((1, 2)).unwrap().to_vec1::<f32>().unwrap();
    let run = |keep_color| {
        let config = NstConfig { keep_color, content_weight: 0.2, steps: 30, ..quick() };
        paint(&config, &content, std::slice::from_ref(&style))
    };
    let (free, luma_only, matched) = (run(None), run(Some(KeepColour::Luma)), run(Some(KeepColour::Match)));
    let redder = |x: &Tensor| means(x)[0] - means(x)[1];
    assert!(redder(&content) > 0.35 && redder(&free) < 0.2, "{:?}", means(&free));
    assert!(
        redder(&luma_only) > 0.3 && redder(&matched) > 0.3,
        "{:?} {:?}",
        means(&luma_only),
        means(&matched)
    );
    // Exactly the content's chroma, where nothing was clamped.
    let chroma = |x: &Tensor| (x - luma(x).unwrap()).unwrap();
    let off = (chroma(&luma_only) - chroma(&content)).unwrap().abs().unwrap();
    assert!(mean(&off) < 0.01, "{}", mean(&off));
}

#[test]
fn what_is_shown_is_the_average_of_adams_pictures() {
    let (content, styles) = (noise_picture(32, 32, 1), [noise_picture(32, 32, 2).into()]);
    let config = NstConfig { min_size: 32, ..quick() };
    let averaged = NstConfig { average_decay: 0.75, ..config.clone() };
    let mut plain = StyleTransfer::new(&config, &small_vgg(), &content, &styles).unwrap();
    let mut other = StyleTransfer::new(&averaged, &small_vgg(), &content, &styles).unwrap();
    let mut sum = content.zeros_like().unwrap();
    for n in 1..=8 {
        plain.step().unwrap();
        other.step().unwrap();
        sum = ((sum * 0.75).unwrap() + (plain.image().unwrap() * 0.25).unwrap()).unwrap();
        let want = (&sum / (1.0 - 0.75f64.powi(n))).unwrap();
        assert!(max_abs_diff(&other.image().unwrap(), &want) < 1e-6, "step {n}");
    }
    assert!(max_abs_diff(&other.image().unwrap(), &plain.image().unwrap()) > 0.01);
    let lbfgs = |config: &NstConfig| NstConfig {
        optimizer: OptimizerKind::Lbfgs,
        steps: 5,
        learning_rate: None,
        ..config.clone()
    };
    let (a, b) = (paint(&lbfgs(&config), &content, &styles), paint(&lbfgs(&averaged), &content, &styles));
    assert_bitwise(&a, &b, "L-BFGS has no average");
}

#[test]
fn going_on_from_a_saved_state_is_exact() {
    let (content, styles) =
        (noise_picture(20, 32, 1), [noise_picture(25, 20, 2).into(), noise_picture(16, 16, 3).into()]);
    let base = NstConfig { scale_factor: std::f64::consts::SQRT_2, average_decay: 0.8, ..quick() };
    for config in [
        base.clone(),
        NstConfig { optimizer: OptimizerKind::Lbfgs, ..base.clone() },
        NstConfig { keep_color: Some(KeepColour::Luma), init: Init::Noise, clamp: false, ..base },
    ] {
        let new = || StyleTransfer::new(&config, &small_vgg(), &content, &styles).unwrap();
        let mut whole = new();
        let want = whole.run(|_| ControlFlow::Continue(())).unwrap();
        // At the start, in the middle of a scale, at the end of one, and at the end of all.
        for stop in [0, 2, 3, 8] {
            let mut first = new();
            for _ in 0..stop {
                first.step().unwrap().unwrap();
            }
            let state = first.state().unwrap();
            let shown = first.image().unwrap();
            // What the first does from here on does not show in its state.
            first.step().unwrap();
            let mut second = StyleTransfer::restore(&state, &small_vgg(), &content, &styles).unwrap();
            assert_bitwise(&second.image().unwrap(), &shown, "restored");
            let got = second.run(|_| ControlFlow::Continue(())).unwrap();
            assert_bitwise(&got, &want, &format!("{:?} from step {stop}", config.optimizer));
        }
    }
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let (content, styles) = (noise_picture(20, 32, 1), [noise_picture(25, 20, 2).into()]);
    let mut transfer = StyleTransfer::new(&quick(), &small_vgg(), &content, &styles).unwrap();
    transfer.step().unwrap();
    let state = transfer.state().unwrap();
    let json = serde_json::to_string(&state.progress).unwrap();
    assert_eq!(serde_json::from_str::<gdl_nst::TransferProgress>(&json).unwrap(), state.progress);
    let refused = |change: &dyn Fn(&mut gdl_nst::TransferState), content: &Tensor| {
        let mut state = state.clone();
        change(&mut state);
        StyleTransfer::restore(&state, &small_vgg(), content, &styles).unwrap_err().to_string()
    };
    assert!(refused(&|_| {}, &noise_picture(32, 20, 1)).contains("image"), "another shape");
    assert!(refused(&|s| drop(s.tensors.remove("image")), &content).contains("image"));
    assert!(refused(&|s| drop(s.tensors.remove("optimizer.exp_avg.image")), &content).contains("exp_avg"));
    assert!(refused(&|s| s.progress.scale = 9, &content).contains("scale 9"));
    assert!(refused(&|s| s.progress.steps = 3, &content).contains("add up"));
    assert!(refused(&|s| s.progress.config.size = 0, &content).contains("size"));
}

#[test]
fn a_step_into_nothing_is_taken_back_and_retried_smaller() {
    let (content, styles) = (noise_picture(16, 16, 1), [noise_picture(16, 16, 2).into()]);
    for statistics in [Statistics::Gram, Statistics::Wasserstein] {
        // A rate at which the square of the variation overflows, unless it is halved some times.
        let config = NstConfig {
            clamp: false,
            learning_rate: Some(1e20),
            steps: 4,
            min_size: 32,
            statistics,
            ..quick()
        };
        let mut transfer = StyleTransfer::new(&config, &small_vgg(), &content, &styles).unwrap();
        transfer.step().unwrap();
        let before = transfer.state().unwrap();
        let error = transfer.step().unwrap_err();
        assert!(matches!(error, Error::NotFinite { step: 2, retries: 8, .. }), "{error}");
        // All as it was: the picture, the optimizer, and the rate.
        let after = transfer.state().unwrap();
        assert_eq!(before.progress, after.progress);
        for (name, tensor) in &before.tensors {
            assert_bitwise(tensor, &after.tensors[name], name);
        }
        let config = NstConfig { retries: 60, ..config };
        let mut transfer = StyleTransfer::new(&config, &small_vgg(), &content, &styles).unwrap();
        let mut retries = Vec::new();
        transfer
            .run(|r| {
                retries.push(r.retries);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(retries[0] == 0 && retries[1] > 8 && retries[1] <= 60, "{retries:?}");
        assert_eq!(transfer.state().unwrap().progress.halvings as usize, retries.iter().sum::<usize>());
    }
}

#[test]
fn lbfgs_starts_anew_where_its_trials_overflow() {
    let (content, styles) = (noise_picture(16, 16, 1), [noise_picture(16, 16, 2).into()]);
    let config = NstConfig {
        optimizer: OptimizerKind::Lbfgs,
        clamp: false,
        learning_rate: Some(1e25),
        retries: 120,
        min_size: 32,
        ..quick()
    };
    let mut transfer = StyleTransfer::new(&config, &small_vgg(), &content, &styles).unwrap();
    let first = transfer.step().unwrap().unwrap();
    assert!(first.retries > 0, "{first:?}");
    // Nothing that is worse is taken, whatever the trials come to.
    for report in std::iter::from_fn(|| transfer.step().unwrap()) {
        assert!(report.losses.total <= first.losses.total, "{first:?} {report:?}");
    }
    assert!(mean(&transfer.image().unwrap()).is_finite());
}

#[test]
fn weights_change_between_steps_and_layers_can_be_read() {
    let (content, styles) = (noise_picture(16, 24, 1), [noise_picture(16, 16, 2).into()]);
    let mut transfer = StyleTransfer::new(&quick(), &small_vgg(), &content, &styles).unwrap();
    transfer.step().unwrap();
    let changed = LossWeights { content: 0.0, style: 5.0, tv: 0.5, histogram: 0.0, temporal: 0.0 };
    transfer.set_weights(changed).unwrap();
    assert_eq!(transfer.weights(), changed);
    // The change outlives a scale.
    for report in std::iter::from_fn(|| transfer.step().unwrap()) {
        let l = &report.losses;
        assert!(l.content == 0.0 && (l.total - 5.0 * l.style - 0.5 * l.tv).abs() < 1e-9, "{l:?}");
        let taps: Vec<Tap> = l.layers.iter().map(|l| l.tap).collect();
        assert_eq!(taps, [Tap::relu(1, 1), Tap::relu(2, 1), Tap::relu(3, 1)]);
    }
    assert_eq!(transfer.config().style_weight, 5.0);
}

#[test]
fn a_picture_of_ones_own_is_where_it_starts() {
    let (content, styles) = (noise_picture(32, 32, 1), [noise_picture(16, 16, 2).into()]);
    let start = noise_picture(32, 32, 3);
    let config = NstConfig { min_size: 32, ..quick() };
    let at = |start: &Tensor| StyleTransfer::starting_from(start, &config, &small_vgg(), &content, &styles);
    assert_bitwise(&at(&start).unwrap().image().unwrap(), &start, "before the first step");
    // Of another shape it is stretched.
    assert_eq!(at(&noise_picture(8, 50, 3)).unwrap().image().unwrap().dims(), [3, 32, 32]);
    assert!(at(&start.narrow(0, 0, 1).unwrap()).unwrap_err().to_string().contains("initial picture"));
    let noise = NstConfig { init: Init::StyleStats, ..config.clone() };
    let plain = Tensor::full(0.8f32, (3, 9, 9), &DEV).unwrap();
    let picture =
        StyleTransfer::new(&noise, &small_vgg(), &content, &[plain.into()]).unwrap().image().unwrap();
    assert!((mean(&picture) - 0.8).abs() < 0.01, "the style's colour: {}", mean(&picture));
}

#[test]
fn the_pull_of_a_weight_is_the_same_at_every_size() {
    // The gradient of a mean: a pixel's part shrinks as pixels become more, for every loss alike, so their
    // proportions stay.
    let layers = Some(vec![Tap::relu(1, 1).into(), Tap::relu(2, 1).into()]);
    let config = NstConfig {
        histogram_weight: 1.0,
        content_layers: layers.clone(),
        style_layers: layers,
        ..NstConfig::default()
    };
    // Of shapes as large as what the taps see.
    let blocks = |seed| resize(&noise_picture(4, 4, seed), 16, 16, Filter::Box).unwrap();
    let (c, s, x) = (blocks(1), blocks(2), blocks(3));
    let parts = |tile: usize| {
        let tiled = |t: &Tensor| t.repeat((1, tile, tile)).unwrap().to_dtype(DType::F64).unwrap();
        let vgg = Objective::network(&config, &small_vgg(), DType::F64, &DEV).unwrap();
        let content = tiled(&c).unsqueeze(0).unwrap();
        let mut objective =
            Objective::new(&config, &small_vgg(), vgg, &content, &[tiled(&s).into()]).unwrap();
        let image = Var::from_tensor(&tiled(&x).unsqueeze(0).unwrap()).unwrap();
        [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]].map(|w| {
            let [content, style, tv, histogram] = w;
            objective.set_weights(LossWeights { content, style, tv, histogram, temporal: 0.0 });
            let (losses, grads) = objective.gradients(&image).unwrap();
            let pull = grads.get(&image).unwrap().abs().unwrap().sum_all().unwrap();
            (losses.total, pull.to_scalar::<f64>().unwrap())
        })
    };
    for ((small, small_pull), (large, large_pull)) in parts(4).into_iter().zip(parts(8)) {
        // The borders, a smaller part of the larger picture, differ.
        assert!((small / large - 1.0).abs() < 0.1, "{small} {large}");
        assert!((small_pull / large_pull - 1.0).abs() < 0.15, "{small_pull} {large_pull}");
    }
}
