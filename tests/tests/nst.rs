//! Style transfer: losses and gradients against PyTorch and finite differences, and what a run does with its settings.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use gdl_nst::{
    Error, Init, Layer, LossWeights, NstConfig, Objective, OptimizerKind, Statistics, Style, StyleTransfer,
};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close};
use gdl_train::SharedRng;
use gdl_vgg::{Pooling, Tap, VggConfig, VggWeights};
use std::ops::ControlFlow;

fn fixture_weights(fixture: &Fixture) -> VggWeights {
    let tensors = fixture
        .names()
        .into_iter()
        .filter_map(|n| Some((n.strip_prefix("vgg.")?.to_string(), fixture.get(&n))))
        .collect();
    let metadata = [("architecture", "vgg19"), ("widths", "4,5,6,7,8")];
    let metadata = metadata.into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    VggWeights::from_tensors("the fixture", tensors, &metadata).unwrap()
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    let fixture = Fixture::load("nst");
    let weights = fixture_weights(&fixture);
    let [content, style, tv] = fixture.get("weights").to_vec1::<f64>().unwrap().try_into().unwrap();
    let styles = [("style_a", 1.0), ("style_b", 3.0)]
        .map(|(name, weight)| Style { weight, ..fixture.get(name).into() });
    for (name, [c, s, t]) in [
        ("content", [1.0, 0.0, 0.0]),
        ("style", [0.0, 1.0, 0.0]),
        ("tv", [0.0, 0.0, 1.0]),
        ("covariance", [0.0, 1.0, 0.0]),
        ("total", [content, style, tv]),
    ] {
        let mut config = NstConfig {
            content_weight: c,
            style_weight: s,
            tv_weight: t,
            statistics: Statistics::Gram,
            ..NstConfig::default()
        };
        if name == "covariance" {
            config.statistics = Statistics::Covariance;
            config.style_levels = 2;
            config.style_layers = Some(vec![Tap::relu(1, 1).into(), Tap::relu(2, 1).into()]);
        }
        let vgg = Objective::network(&config, &weights, DType::F64, &DEV).unwrap();
        let objective = Objective::new(&config, &weights, vgg, &fixture.get("content"), &styles).unwrap();
        let image = Var::from_tensor(&fixture.get("image")).unwrap();
        let (losses, grads) = objective.gradients(&image).unwrap();
        // f64 on both sides; the order of summation alone differs.
        let want: f64 = fixture.get(&format!("{name}.loss")).to_scalar().unwrap();
        assert!((losses.total - want).abs() < 1e-12 * want.abs(), "{name}: {} {want}", losses.total);
        let grad = grads.get(&image).unwrap();
        assert_close(grad, &fixture.get(&format!("{name}.grad")), 1e-14, 1e-9, name);
        let parts = c * losses.content + s * losses.style + t * losses.tv;
        assert!((parts - losses.total).abs() < 1e-12 * want);
    }
}

fn small_weights() -> VggWeights {
    let config = VggConfig { widths: [8, 12, 16, 16, 16], upto: Tap::relu(3, 1), ..VggConfig::default() };
    VggWeights::random(&config, 1).unwrap()
}

fn pictures() -> (Tensor, [Style; 1]) {
    let rng = SharedRng::seed(2);
    let draw = |h, w| rng.rand((3, h, w), 0.0, 1.0, DType::F32, &DEV).unwrap();
    (draw(18, 30), [draw(25, 20).into()])
}

fn quick() -> NstConfig {
    NstConfig { size: 32, min_size: 16, scale_factor: 2.0, steps: 7, ..NstConfig::default() }
}

#[test]
fn a_run_goes_through_the_scales_and_lowers_the_loss() {
    let (content, styles) = pictures();
    for optimizer in [OptimizerKind::Adam, OptimizerKind::Lbfgs] {
        let config = NstConfig { optimizer, steps: 30, ..quick() };
        let mut transfer = StyleTransfer::new(&config, &small_weights(), &content, &styles).unwrap();
        let mut reports = Vec::new();
        let picture = transfer
            .run(|r| {
                reports.push(r.clone());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(picture.dims(), [3, 19, 32]);
        assert_eq!(reports.len(), 30);
        assert_eq!((reports[0].height, reports[0].width), (10, 16));
        assert_eq!((reports[29].height, reports[29].width), (19, 32));
        assert_eq!(reports.iter().map(|r| r.step).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
        assert!(reports[14].losses.total < 0.7 * reports[0].losses.total, "{optimizer:?}: {reports:?}");
        assert!(reports[29].losses.total < reports[15].losses.total, "{optimizer:?}: {reports:?}");
        let values: Vec<f32> = picture.flatten_all().unwrap().to_vec1().unwrap();
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
        assert!(transfer.step().unwrap().is_none());
    }
}

#[test]
fn the_same_seed_gives_the_same_picture_and_the_observer_may_stop() {
    let (content, styles) = pictures();
    let config = NstConfig { init: Init::Noise, ..quick() };
    let run = |config: &NstConfig| {
        let mut transfer = StyleTransfer::new(config, &small_weights(), &content, &styles).unwrap();
        transfer.run(|_| ControlFlow::Continue(())).unwrap()
    };
    assert_bitwise(&run(&config), &run(&config), "two runs");
    let other = run(&NstConfig { seed: 1, ..config.clone() });
    assert!(gdl_tests::max_abs_diff(&run(&config), &other) > 0.0);

    let mut transfer = StyleTransfer::new(&config, &small_weights(), &content, &styles).unwrap();
    let mut steps = 0;
    let picture = transfer
        .run(|r| {
            steps = r.step;
            if r.step == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((steps, picture.dims()), (2, &[3, 10, 16][..]));
}

#[test]
fn every_start_and_pooling_works_on_odd_pictures() {
    let weights = small_weights();
    let grey = Tensor::full(0.5f32, (3, 5, 5), &DEV).unwrap();
    let line = Tensor::ones((3, 1, 40), DType::F32, &DEV).unwrap();
    for init in [Init::Content, Init::Recoloured, Init::Gray, Init::Noise, Init::StyleStats] {
        for (content, style) in [(&grey, &line), (&line, &grey)] {
            let config = NstConfig { init, pooling: Pooling::L2, size: 16, steps: 2, ..NstConfig::default() };
            let mut transfer =
                StyleTransfer::new(&config, &weights, content, &[style.clone().into()]).unwrap();
            let picture = transfer.run(|_| ControlFlow::Continue(())).unwrap();
            let values: Vec<f32> = picture.flatten_all().unwrap().to_vec1().unwrap();
            assert!(values.iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn wrong_settings_and_pictures_are_named() {
    let (content, styles) = pictures();
    let weights = small_weights();
    let error =
        |config: NstConfig| StyleTransfer::new(&config, &weights, &content, &styles).unwrap_err().to_string();
    assert!(error(NstConfig { size: 0, ..quick() }).starts_with("size"));
    assert!(error(NstConfig { steps: 0, ..quick() }).starts_with("steps"));
    assert!(error(NstConfig { content_weight: -1.0, ..quick() }).starts_with("content_weight"));
    assert!(error(NstConfig { tv_weight: f64::NAN, ..quick() }).starts_with("tv_weight"));
    assert!(error(NstConfig { learning_rate: Some(0.0), ..quick() }).starts_with("learning_rate"));
    assert!(error(NstConfig { style_layers: Some(vec![]), ..quick() }).starts_with("style_layers"));
    let beyond = error(NstConfig { content_layers: Some(vec![Tap::relu(4, 2).into()]), ..quick() });
    assert!(beyond.contains("relu4_2") && beyond.contains("ends at relu3_1"), "{beyond}");

    let flat = content.narrow(0, 0, 1).unwrap();
    let new = |content: &Tensor, styles: &[Style]| StyleTransfer::new(&quick(), &weights, content, styles);
    assert!(new(&flat, &styles).unwrap_err().to_string().contains("content picture"));
    let empty = [Tensor::zeros((3, 0, 4), DType::F32, &DEV).unwrap().into()];
    assert!(new(&content, &empty).unwrap_err().to_string().contains("style picture"));
    assert!(new(&content, &[]).unwrap_err().to_string().contains("styles"));
}

#[test]
fn a_loss_that_is_not_finite_names_the_step_and_keeps_the_picture() {
    let (content, styles) = pictures();
    let nan = (&content * f64::NAN).unwrap();
    let refused = StyleTransfer::new(&quick(), &small_weights(), &nan, &styles);
    assert!(matches!(refused, Err(Error::PictureNotFinite { what: "content" })));

    // Weights so large that a gradient overflows, after some good steps.
    for optimizer in [OptimizerKind::Adam, OptimizerKind::Lbfgs] {
        let config = NstConfig { optimizer, ..quick() };
        let mut transfer = StyleTransfer::new(&config, &small_weights(), &content, &styles).unwrap();
        transfer.step().unwrap();
        let good = transfer.image().unwrap();
        let weights = LossWeights { content: 1.0, style: 1e39, tv: 1.0, histogram: 0.0, temporal: 0.0 };
        transfer.set_weights(weights).unwrap();
        let error = transfer.step().unwrap_err().to_string();
        assert!(error.contains("step 2") && error.contains("try"), "{error}");
        assert_bitwise(&transfer.image().unwrap(), &good, "the picture before the step");
        assert!(transfer.set_weights(LossWeights { style: -1.0, ..weights }).is_err());
        assert!(transfer.set_weights(LossWeights { tv: f64::NAN, ..weights }).is_err());
        assert!(transfer.set_weights(LossWeights { histogram: 1.0, ..weights }).is_err());
    }
}

#[test]
fn the_untrained_preset_paints() {
    let (content, styles) = pictures();
    let weights = VggWeights::random(&NstConfig::untrained_network(), 0).unwrap();
    let config = NstConfig { size: 32, steps: 12, ..NstConfig::untrained() };
    let mut transfer = StyleTransfer::new(&config, &weights, &content, &styles).unwrap();
    let (mut first, mut last) = (0.0, 0.0);
    let picture = transfer.run(|r| {
        if r.step == 1 {
            first = r.losses.total;
        }
        last = r.losses.total;
        ControlFlow::Continue(())
    });
    assert_eq!(picture.unwrap().dims(), [3, 19, 32]);
    assert!(last < 0.8 * first, "{first} {last}");
}

#[test]
fn settings_are_plain_data() {
    let config = NstConfig { content_layers: Some(vec![Tap::relu(4, 2).into()]), ..NstConfig::default() };
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.contains("\"relu4_2\""), "{json}");
    assert_eq!(serde_json::from_str::<NstConfig>(&json).unwrap(), config);
    assert_eq!(serde_json::from_str::<NstConfig>("{}").unwrap(), NstConfig::default());
    assert!(serde_json::from_str::<NstConfig>("{\"stile_weight\": 1}").is_err());
    let layers: NstConfig = serde_json::from_str(r#"{"style_layers": ["relu1_1:4", "conv2_1"]}"#).unwrap();
    let want = vec![Layer { tap: Tap::relu(1, 1), weight: 4.0 }, Tap::conv(2, 1).into()];
    assert_eq!(layers.style_layers, Some(want));
}
