use super::*;
use crate::NstConfig;
use candle_core::{DType, Device};
use gdl_vgg::Tap;

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn mean_difference(a: &Tensor, b: &Tensor) -> f32 {
    let (a, b) = (values(a), values(b));
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32
}

#[test]
fn pictures_come_out_the_same_in_range_and_not_flat() {
    type Draw = (&'static str, fn() -> Result<Tensor>);
    let draws: [Draw; 5] = [
        ("harbour", || content(40)),
        ("swirl", || style(Style::Swirl, 40)),
        ("glass", || style(Style::Glass, 40)),
        ("woodcut", || style(Style::Woodcut, 40)),
        ("meadow", || style(Style::Meadow, 40)),
    ];
    for (name, draw) in draws {
        let v = values(&draw().unwrap());
        assert_eq!(v, values(&draw().unwrap()), "{name}");
        assert!(v.iter().all(|v| (0.0..=1.0).contains(v)), "{name}");
        let mean = v.iter().sum::<f32>() / v.len() as f32;
        let deviation = (v.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / v.len() as f32).sqrt();
        assert!((0.2..0.8).contains(&mean) && deviation > 0.12, "{name}: {mean} {deviation}");
    }
}

#[test]
fn another_size_is_the_same_picture() {
    for s in Style::ALL {
        let small = style(s, 32).unwrap();
        let large = resize(&style(s, 96).unwrap(), 32, 32, Filter::Box).unwrap();
        let off = mean_difference(&small, &large);
        // The woodcut's lines are finer than the pixels of the small one.
        assert!(off < 0.075, "{s:?}: {off}");
    }
    let large = resize(&content(128).unwrap(), 24, 32, Filter::Box).unwrap();
    let off = mean_difference(&content(32).unwrap(), &large);
    assert!(off < 0.03, "{off}");
}

#[test]
fn styles_differ_and_have_names() {
    let drawn: Vec<Tensor> = Style::ALL.map(|s| style(s, 24).unwrap()).into();
    for (i, a) in drawn.iter().enumerate() {
        assert!(drawn[i + 1..].iter().all(|b| mean_difference(a, b) > 0.08));
        assert_eq!(Style::ALL[i].name().parse(), Ok(Style::ALL[i]));
    }
    assert!("cubism".parse::<Style>().unwrap_err().contains("swirl"));
}

#[test]
fn sizes_of_one_work_and_of_zero_are_refused() {
    assert_eq!(content(1).unwrap().dims(), [3, 1, 1]);
    for s in Style::ALL {
        assert_eq!(style(s, 1).unwrap().dims(), [3, 1, 1]);
        assert!(style(s, 0).is_err());
    }
    assert!(content(0).is_err());
}

#[test]
fn the_network_is_small_and_complete_and_what_its_settings_ask_for() {
    let weights = network().unwrap();
    assert_eq!((weights.arch(), weights.last_tap()), (gdl_vgg::Arch::Vgg16, Tap::relu(4, 1)));
    assert_eq!(weights.widths()[..4], [32, 64, 128, 192]);
    let numbers: usize = weights.tensors().values().map(Tensor::elem_count).sum();
    assert!((500_000..1_000_000).contains(&numbers), "{numbers}: 2 MB in half precision at most");
    let config = NstConfig::builtin();
    config.check().unwrap();
    for layer in config.style_layers_of(&weights).into_iter().chain(config.content_layers_of(&weights)) {
        assert!(weights.has(layer.tap), "{layer}");
    }
    // A channel that answers to nothing would be dead weight; a few are let pass.
    let vgg = weights.vgg(&weights.config(weights.last_tap()).unwrap(), DType::F32, &Device::Cpu).unwrap();
    let picture =
        weights.preprocess().apply(&style(Style::Swirl, 64).unwrap().unsqueeze(0).unwrap()).unwrap();
    for tap in (1..=4).map(|block| Tap::relu(block, 1)) {
        let f = vgg.features(&picture, &[tap]).unwrap().remove(0);
        let peaks: Vec<f32> =
            f.flatten_from(2).unwrap().max(2).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let dead = peaks.iter().filter(|p| **p == 0.0).count();
        assert!(dead * 4 < peaks.len(), "{tap}: {dead} of {}", peaks.len());
    }
}
