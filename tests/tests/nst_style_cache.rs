//! Styles that are kept instead of their pictures: that they paint the same, and what is refused.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor};
use gdl_nst::{Error, Init, KeepColour, NstConfig, Statistics, Style, StyleCache, StyleTransfer};
use gdl_tests::{assert_bitwise, noise_picture};
use gdl_train::{Tensors, load_tensors, save_tensors};
use gdl_vgg::{Pooling, Preprocess, Tap, VggConfig, VggWeights};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

fn network(seed: u64) -> VggWeights {
    let config = VggConfig { widths: [8, 11, 16, 16, 16], upto: Tap::relu(3, 1), ..VggConfig::default() };
    VggWeights::random(&config, seed).unwrap()
}

fn config() -> NstConfig {
    NstConfig { size: 32, min_size: 16, steps: 6, scale_factor: 2.0, ..NstConfig::default() }
}

fn measure(config: &NstConfig, styles: &[Style]) -> gdl_nst::Result<StyleCache> {
    StyleCache::measure(config, &network(1), styles, &Device::Cpu)
}

fn paint(config: &NstConfig, styles: &[Style]) -> gdl_nst::Result<Tensor> {
    StyleTransfer::new(config, &network(1), &noise_picture(20, 28, 5), styles)?
        .run(|_| ControlFlow::Continue(()))
}

fn through_a_file(cache: &StyleCache) -> StyleCache {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gdlstyle");
    cache.save(&path).unwrap();
    StyleCache::open(&path).unwrap()
}

#[test]
fn it_paints_as_the_pictures_do_bit_for_bit() {
    let mut settings = Vec::new();
    for statistics in [Statistics::Gram, Statistics::Covariance, Statistics::MeanStd, Statistics::Wasserstein]
    {
        settings.push(NstConfig { statistics, ..config() });
    }
    settings.push(NstConfig { histogram_weight: 5.0, style_levels: 2, ..config() });
    settings.push(NstConfig { init: Init::StyleStats, style_scale: 0.75, ..config() });
    settings.push(NstConfig { init: Init::Recoloured, style_size: Some(24), ..config() });
    // One larger and one smaller than the picture; and the two together.
    let (large, small) = (noise_picture(40, 50, 1), noise_picture(19, 22, 2));
    let mixed = vec![Style { weight: 3.0, ..Style::from(large.clone()) }, small.clone().into()];
    for config in settings {
        for styles in [vec![Style::from(large.clone())], vec![small.clone().into()], mixed.clone()] {
            let want = paint(&config, &styles).unwrap();
            let cache = measure(&config, &styles).unwrap();
            assert_bitwise(&paint(&config, &[cache.clone().into()]).unwrap(), &want, "in memory");
            let read = through_a_file(&cache);
            assert_eq!(read.sides(), cache.sides());
            assert_bitwise(&paint(&config, &[read.into()]).unwrap(), &want, "from a file");
        }
    }
}

#[test]
fn it_stands_beside_pictures_and_under_masks() {
    let (a, b) = (noise_picture(40, 50, 1), noise_picture(30, 22, 2));
    let cache = measure(&config(), &[a.clone().into()]).unwrap();
    let mask = Tensor::new(&[[1f32, 0.0]], &Device::Cpu).unwrap();
    let styles = |first: Style| {
        [
            vec![first.clone(), b.clone().into()],
            vec![Style { mask: Some(mask.clone()), weight: 2.0, ..first }, b.clone().into()],
        ]
    };
    for (with, without) in styles(cache.clone().into()).iter().zip(styles(a.clone().into())) {
        assert_bitwise(&paint(&config(), with).unwrap(), &paint(&config(), &without).unwrap(), "two styles");
    }
    // A cache of a cache and a picture is one of both pictures.
    let both = measure(&config(), &[cache.into(), b.clone().into()]).unwrap();
    let want = paint(&config(), &[a.into(), b.into()]).unwrap();
    assert_bitwise(&paint(&config(), &[both.into()]).unwrap(), &want, "of a cache");
}

#[test]
fn other_settings_are_free_as_far_as_it_reaches() {
    let style = noise_picture(20, 24, 1);
    let wide = NstConfig { size: 64, histogram_weight: 1.0, style_levels: 2, ..config() };
    let cache = measure(&wide, &[style.clone().into()]).unwrap();
    // 64 and 32 are beyond the picture's own 24.
    assert_eq!(cache.sides(), [16, 24]);
    for config in [
        config(),
        NstConfig { size: 48, min_size: 48, ..config() },
        NstConfig {
            style_layers: Some(vec!["relu2_1:3".parse().unwrap(), Tap::relu(1, 1).into()]),
            ..config()
        },
        NstConfig { content_weight: 3.0, content_layers: Some(vec![Tap::relu(2, 2).into()]), ..config() },
    ] {
        let want = paint(&config, &[style.clone().into()]).unwrap();
        assert_bitwise(&paint(&config, &[cache.clone().into()]).unwrap(), &want, "a part of it");
    }
    assert_eq!(cache.at(1000).unwrap().sides(), [24]);
    // Deeper weights that begin alike are the same network.
    let deep = VggConfig { widths: [8, 11, 16, 16, 16], upto: Tap::relu(4, 1), ..VggConfig::default() };
    let deep = VggWeights::random(&deep, 1).unwrap();
    assert_eq!(deep.fingerprint(Tap::relu(3, 1)).unwrap(), network(1).fingerprint(Tap::relu(3, 1)).unwrap());
    assert!(network(1).fingerprint(Tap::relu(4, 1)).is_err());
}

#[test]
fn what_it_does_not_go_with_is_told_in_a_line() {
    let cache = measure(&config(), &[noise_picture(40, 50, 1).into()]).unwrap();
    let narrow = NstConfig { style_layers: Some(vec![Tap::relu(1, 1).into()]), ..config() };
    let shallow = measure(&narrow, &[noise_picture(40, 50, 1).into()]).unwrap();
    let refused = |cache: &StyleCache, config: &NstConfig, weights: VggWeights, says: &str| {
        let error = StyleTransfer::new(config, &weights, &noise_picture(20, 28, 5), &[cache.clone().into()])
            .unwrap_err();
        assert!(matches!(error, Error::StyleCache { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(says) && error.lines().count() == 1, "{says:?} is not in: {error}");
    };
    refused(&cache, &config(), network(2), "another network");
    refused(&cache, &config(), network(1).with_preprocess(Preprocess::caffe()), "preprocess");
    for (config, says) in [
        (NstConfig { pooling: Pooling::Average, ..config() }, "pooling Max, not Average"),
        (NstConfig { statistics: Statistics::Gram, ..config() }, "statistics Wasserstein, not Gram"),
        (NstConfig { style_levels: 2, ..config() }, "levels 1, not 2"),
        (NstConfig { histogram_weight: 1.0, ..config() }, "no histograms"),
        // Of the second scale, but told at once.
        (NstConfig { scale_factor: 1.5, ..config() }, "16, 32 pixels, but is needed at 21"),
        (NstConfig { style_size: Some(20), ..config() }, "needed at 20"),
        (NstConfig { keep_color: Some(KeepColour::Match), ..config() }, "no picture"),
        (NstConfig { keep_color: Some(KeepColour::Luma), ..config() }, "no picture"),
    ] {
        refused(&cache, &config, network(1), says);
    }
    refused(&shallow, &config(), network(1), "no style at relu2_1, but at relu1_1");
}

#[test]
fn what_cannot_be_kept_is_not() {
    let style = || Style::from(noise_picture(20, 20, 1));
    let mask = Some(Tensor::ones((2, 2), DType::F32, &Device::Cpu).unwrap());
    let masked = Style { mask, ..style() };
    let scaled = Style { scale: 2.0, ..style() };
    let coloured = NstConfig { keep_color: Some(KeepColour::Luma), ..config() };
    for (config, styles, says) in [
        (config(), vec![masked], "masks"),
        (config(), vec![style(), scaled], "one scale"),
        (config(), vec![], "style"),
        (config(), vec![Style { weight: 0.0, ..style() }], "style"),
        (coloured, vec![style()], "keep_color"),
        (NstConfig { size: 0, ..config() }, vec![style()], "size"),
    ] {
        let error = measure(&config, &styles).unwrap_err().to_string();
        assert!(error.contains(says), "{says:?} is not in: {error}");
    }
}

/// A change to the tensors and the description of a file, and what is said of it.
type Damage = (&'static str, fn(&mut Tensors, &mut serde_json::Value));

#[test]
fn damaged_and_hostile_files_are_refused() {
    let config = NstConfig { histogram_weight: 1.0, ..config() };
    let cache = measure(&config, &[noise_picture(40, 50, 1).into()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (dir.path().join("good.gdlstyle"), dir.path().join("bad.gdlstyle"));
    cache.save(&good).unwrap();
    let refused = |says: &str| {
        let error = StyleCache::open(&bad).unwrap_err().to_string();
        assert!(
            error.contains("bad.gdlstyle") && error.contains(says) && error.lines().count() == 1,
            "{says:?} is not in: {error}"
        );
    };
    let bytes = std::fs::read(&good).unwrap();
    for n in [0, 5, 40, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&bad, &bytes[..n]).unwrap();
        refused("safetensors");
    }
    save_tensors(&bad, &Tensors::new(), &BTreeMap::new()).unwrap();
    refused("no style cache");

    let damages: [Damage; 19] = [
        ("there is no tensor 32.0.relu1_1.mean", |t, _| drop(t.remove("32.0.relu1_1.mean"))),
        ("there is a tensor more", |t, _| {
            drop(t.insert("more".into(), Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap()))
        }),
        ("16.0.relu2_1.moment: [3]", |t, _| {
            drop(t.insert("16.0.relu2_1.moment".into(), Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap()))
        }),
        ("expected [8] of F32", |t, _| {
            drop(t.insert("16.0.relu1_1.mean".into(), Tensor::zeros(8, DType::F64, &Device::Cpu).unwrap()))
        }),
        ("not finite", |t, _| {
            drop(t.insert("16.0.relu1_1.mean".into(), Tensor::full(f32::NAN, 8, &Device::Cpu).unwrap()))
        }),
        ("16.relu1_1.quantiles", |t, _| drop(t.remove("16.relu1_1.quantiles"))),
        ("is of version 2, and this program reads 1", |_, a| a["version"] = 2.into()),
        ("no version", |_, a| a["version"] = "one".into()),
        ("unknown field", |_, a| a["more"] = 1.into()),
        ("widths", |_, a| a["network"]["widths"][1] = 0.into()),
        ("widths", |_, a| a["network"]["widths"][1] = u64::MAX.into()),
        ("size", |_, a| a["full"] = 0.into()),
        ("sizes", |_, a| a["sizes"][0]["side"] = 1000.into()),
        ("sizes", |_, a| a["sizes"][0]["levels"] = u32::MAX.into()),
        ("order", |_, a| a["sizes"][1]["side"] = 16.into()),
        ("taps", |_, a| a["style"] = serde_json::json!(["relu2_1", "relu1_1"])),
        ("beyond", |_, a| a["style"] = serde_json::json!(["relu5_1"])),
        ("relu9_1", |_, a| a["style"] = serde_json::json!(["relu9_1"])),
        ("colours", |_, a| a["palette"]["mean"][0] = 1e30.into()),
    ];
    for (says, damage) in damages {
        let (mut tensors, mut metadata) = load_tensors(&good, &Device::Cpu).unwrap();
        let mut about = serde_json::from_str(&metadata["gdlstyle"]).unwrap();
        damage(&mut tensors, &mut about);
        metadata.insert("gdlstyle".to_string(), about.to_string());
        save_tensors(&bad, &tensors, &metadata).unwrap();
        refused(says);
    }
    let (tensors, mut metadata) = load_tensors(&good, &Device::Cpu).unwrap();
    metadata.insert("gdlstyle".to_string(), "{".to_string());
    save_tensors(&bad, &tensors, &metadata).unwrap();
    refused("no readable style cache");

    // Numbers that are no statistics of anything give an error or a picture, and no panic.
    let (mut tensors, metadata) = load_tensors(&good, &Device::Cpu).unwrap();
    for t in tensors.values_mut() {
        *t = t.affine(-1e6, -1e6).unwrap();
    }
    save_tensors(&bad, &tensors, &metadata).unwrap();
    let strange = StyleCache::open(&bad).unwrap();
    let _ = paint(&config, &[strange.into()]);
}
