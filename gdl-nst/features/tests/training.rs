//! Training from outside: resumed runs, both lessons, what comes out.
#![allow(clippy::unwrap_used)]

use gdl_features::{TrainConfig, Trainer, weights_of_run};
use gdl_train::OnExisting;
use gdl_vgg::{Tap, VggConfig, VggWeights};
use std::path::Path;

fn small(teacher: Option<&Path>, steps: u64) -> TrainConfig {
    TrainConfig {
        teacher: teacher.map(Into::into),
        widths: [4, 6, 8, 8, 8],
        upto: Tap::relu(2, 2),
        steps,
        batch: 3,
        size: 16,
        positions: 8,
        ..TrainConfig::default()
    }
}

/// A teacher of random weights, twice as wide.
fn teacher(dir: &Path) -> std::path::PathBuf {
    let file = dir.join("teacher.safetensors");
    let config = VggConfig { widths: [8, 12, 16, 16, 16], upto: Tap::relu(2, 2), ..VggConfig::default() };
    VggWeights::random(&config, 5).unwrap().save(&file).unwrap();
    file
}

fn values(weights: &VggWeights) -> Vec<f32> {
    weights.tensors().values().flat_map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

#[test]
fn a_resumed_run_is_the_same_to_the_last_bit() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = teacher(dir.path());
    for teacher in [Some(teacher.as_path()), None] {
        let mut whole =
            Trainer::create(small(teacher, 5), &dir.path().join("a"), OnExisting::Overwrite).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| whole.step().unwrap()).collect();
        assert_eq!(all.len(), 5);

        let path = dir.path().join("b");
        let mut first = Trainer::create(small(teacher, 5), &path, OnExisting::Overwrite).unwrap();
        for step in &all[..2] {
            assert_eq!(first.step().unwrap().as_ref(), Some(step));
        }
        first.save().unwrap();
        // A step that is lost.
        first.step().unwrap();
        drop(first);
        let mut second = Trainer::resume(&path).unwrap();
        let rest: Vec<_> = std::iter::from_fn(|| second.step().unwrap()).collect();
        assert_eq!(rest, all[2..]);
        second.save().unwrap();
        assert_eq!(values(&second.weights().unwrap()), values(&whole.weights().unwrap()));
        assert_eq!(values(&weights_of_run(&path).unwrap()), values(&whole.weights().unwrap()));
    }
}

#[test]
fn the_loss_falls() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = teacher(dir.path());
    let config = TrainConfig { learning_rate: 1e-2, ..small(Some(&teacher), 60) };
    let mut trainer = Trainer::create(config, &dir.path().join("run"), OnExisting::Refuse).unwrap();
    let losses: Vec<f64> = std::iter::from_fn(|| trainer.step().unwrap()).map(|s| s.loss).collect();
    let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
    let (early, late) = (mean(&losses[..10]), mean(&losses[50..]));
    assert!(late < 0.6 * early, "{early} {late}");
}

#[test]
fn what_is_exported_opens_as_vgg_weights() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut trainer = Trainer::create(small(None, 1), &run, OnExisting::Refuse).unwrap();
    trainer.step().unwrap();
    trainer.save().unwrap();
    let file = dir.path().join("network.safetensors");
    weights_of_run(&run).unwrap().save_as(&file, candle_core::DType::F16).unwrap();
    let read = VggWeights::open(&file).unwrap();
    assert_eq!((read.last_tap(), read.widths()), (Tap::relu(2, 2), [4, 6, 8, 8, 8]));
    for (a, b) in values(&read).iter().zip(values(&trainer.weights().unwrap())) {
        // Half precision keeps 11 bits.
        assert!((a - b).abs() <= b.abs() / 2048.0 + 1e-7, "{a} {b}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for (config, key) in [
        (TrainConfig { steps: 0, ..small(None, 1) }, "steps"),
        (TrainConfig { size: 1, ..small(None, 1) }, "size"),
        (TrainConfig { learning_rate: f64::NAN, ..small(None, 1) }, "learning_rate"),
        (small(Some(Path::new("gone.safetensors")), 1), "gone.safetensors"),
    ] {
        let error = Trainer::create(config, &dir.path().join("run"), OnExisting::Refuse).unwrap_err();
        assert!(format!("{error:#}").contains(key), "{error:#}");
        assert!(!dir.path().join("run").exists());
    }
}
