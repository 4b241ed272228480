//! Steps along the mean gradient of several batches, and with blocks computed again: what one batch gives, and what a run needs.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor};
use gdl_cyclegan::{
    AlignedConfig, CycleGan, CycleGanConfig, DiscriminatorConfig, Event, GeneratorConfig, Length, Losses,
    Method, NormKind, Pix2Pix, Pix2PixConfig, Pix2PixTrainer, Pix2PixTrainerConfig, Trainer, TrainerConfig,
};
use gdl_kernels::rng::SharedRng;
use gdl_tests::{DEV, assert_bitwise, assert_close};
use gdl_train::{AdamConfig, OnExisting, Stateful, load_tensors};
use std::ops::ControlFlow;
use std::path::Path;

fn cyclegan() -> CycleGanConfig {
    CycleGanConfig {
        generator: GeneratorConfig::resnet(1).base_channels(2),
        discriminator: DiscriminatorConfig::basic(3).base_channels(2).n_layers(1),
        optimizer: AdamConfig { learning_rate: 1e-2, ..AdamConfig::gan() },
        pool_size: 0,
        ..CycleGanConfig::default()
    }
}

fn pix2pix() -> Pix2PixConfig {
    Pix2PixConfig {
        generator: GeneratorConfig::unet(4).base_channels(2),
        discriminator: DiscriminatorConfig::basic(6).base_channels(2).n_layers(1),
        optimizer: AdamConfig { learning_rate: 1e-2, ..AdamConfig::gan() },
        pool_size: 0,
        ..Pix2PixConfig::default()
    }
}

/// Two steps on four pictures at once, on two by two, and one by one. In f64, where noise in a gradient that is 0 but for
/// rounding (a bias before a norm) does not matter beside Adam's epsilon.
fn several_batches_are_one<M: Method>(build: impl Fn() -> M) {
    let data = SharedRng::seed(2);
    let pictures = || data.rand((4, 3, 16, 16), -1.0, 1.0, DType::F64, &DEV).unwrap();
    let steps = [(pictures(), pictures()), (pictures(), pictures())];
    let mut whole = build();
    let losses: Vec<_> =
        steps.iter().map(|pair| whole.train_step(std::slice::from_ref(pair)).unwrap().named()).collect();
    for count in [2, 4] {
        let mut parts = build();
        for ((a, b), want) in steps.iter().zip(&losses) {
            let (a, b) = (a.chunk(count, 0).unwrap(), b.chunk(count, 0).unwrap());
            let batches: Vec<(Tensor, Tensor)> = a.into_iter().zip(b).collect();
            let got = parts.train_step(&batches).unwrap().named();
            for ((name, got), (_, want)) in got.iter().zip(want) {
                assert!((got - want).abs() <= 1e-9 * want.abs(), "{count}: {name} is {got}, expected {want}");
            }
        }
        for ((net, got), (_, want)) in parts.stores().into_iter().zip(whole.stores()) {
            for (key, want) in want.tensors() {
                // Two steps of 0.01; gradients that are 0 but for rounding (1e-16) become 1e-8 of such a step by Adam's epsilon.
                assert_close(&got.tensors()[&key], &want, 1e-8, 1e-8, &format!("{count}: {net} {key}"));
            }
        }
        // Adam does not see by how much all gradients are too large; its moments do.
        for ((name, got), (_, want)) in parts.optimizers().into_iter().zip(whole.optimizers()) {
            let (got, want) = (got.state().unwrap(), want.state().unwrap());
            for (key, want) in &want.tensors {
                assert_close(&got.tensors[key], want, 1e-8, 1e-6, &format!("{count}: {name} {key}"));
            }
        }
    }
    assert!(build().train_step(&[]).is_err());
}

#[test]
fn several_batches_are_one_for_cyclegan() {
    several_batches_are_one(|| CycleGan::new(&cyclegan(), DType::F64, &DEV).unwrap());
}

#[test]
fn several_batches_are_one_for_pix2pix() {
    several_batches_are_one(|| Pix2Pix::new(&pix2pix(), DType::F64, &DEV).unwrap());
}

fn training() -> TrainerConfig {
    let mut config = TrainerConfig::demo();
    config.model = CycleGanConfig { optimizer: AdamConfig::gan(), ..cyclegan() };
    (config.data.size, config.data.builtin_count) = (16, 5);
    (config.length, config.sample_every) = (Length::Steps(6), 0);
    config
}

fn pair_training() -> Pix2PixTrainerConfig {
    let data =
        AlignedConfig { size: 16, builtin_count: 5, ..AlignedConfig::new("builtin:A".parse().unwrap()) };
    let model = Pix2PixConfig { pool_size: 3, optimizer: AdamConfig::gan(), ..pix2pix() };
    Pix2PixTrainerConfig {
        model,
        length: Length::Steps(6),
        sample_every: 0,
        ..Pix2PixTrainerConfig::new(data)
    }
}

/// The same pictures in the same order, epochs counted by pictures, and steps by the optimizers'.
#[test]
fn a_step_takes_its_batches_from_the_same_pictures() {
    let (mut at_once, mut in_turn) = (training(), training());
    at_once.batch = 4;
    (in_turn.batch, in_turn.accumulate) = (2, 2);
    let [mut at_once, mut in_turn] = [at_once, in_turn].map(|config| {
        let epochs = TrainerConfig { length: Length::Epochs(3), ..config };
        assert_eq!(Trainer::new(epochs.clone(), &DEV).unwrap().total_steps(), 4);
        Trainer::new(epochs, &DEV).unwrap()
    });
    for _ in 0..4 {
        let (want, got) = (at_once.train_step().unwrap(), in_turn.train_step().unwrap());
        assert_eq!((got.step, got.epoch, got.learning_rate), (want.step, want.epoch, want.learning_rate));
        for ((name, got), (_, want)) in got.losses.named().into_iter().zip(want.losses.named()) {
            // f32, whose noise Adam turns into steps for weights without a gradient.
            assert!((got - want).abs() <= 1e-3 * want.abs(), "{name} is {got}, expected {want}");
        }
    }
}

/// Stopped and resumed in the middle, with all that a step may draw and track: bit for bit.
#[test]
fn a_resumed_run_is_the_same_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = training();
    (config.accumulate, config.checkpoint_blocks) = (2, true);
    (config.model.pool_size, config.model.generator.norm) = (3, NormKind::Batch);
    config.model.generator.dropout = true;
    let mut pairs = pair_training();
    (pairs.accumulate, pairs.model.generator) =
        (2, GeneratorConfig::resnet(1).base_channels(2).norm(NormKind::Batch).dropout(true));
    let path = |name: &str| dir.path().join(name);
    for name in ["whole", "parts"] {
        let stop = if name == "parts" { 3 } else { 0 };
        let config = config.clone();
        Trainer::create(path(name), config, OnExisting::Refuse, &DEV).unwrap().run(until(stop)).unwrap();
        let (name, pairs) = (format!("{name}-pairs"), pairs.clone());
        Pix2PixTrainer::create(path(&name), pairs, OnExisting::Refuse, &DEV)
            .unwrap()
            .run(until(stop))
            .unwrap();
    }
    Trainer::resume(path("parts"), &DEV).unwrap().run(until(0)).unwrap();
    Pix2PixTrainer::resume(path("parts-pairs"), &DEV).unwrap().run(until(0)).unwrap();
    same(&path("parts"), &path("whole"));
    same(&path("parts-pairs"), &path("whole-pairs"));
}

#[test]
fn blocks_computed_again_train_the_same_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    for (name, on) in [("kept", false), ("again", true)] {
        let mut config = training();
        config.model.generator =
            GeneratorConfig::resnet(2).base_channels(2).norm(NormKind::Batch).dropout(true);
        (config.checkpoint_blocks, config.batch) = (on, 2);
        let path = dir.path().join(name);
        Trainer::create(&path, config, OnExisting::Refuse, &DEV).unwrap().run(until(0)).unwrap();
        let mut pairs = pair_training();
        (pairs.checkpoint_blocks, pairs.data.size) = (on, 64);
        pairs.model.generator = GeneratorConfig::unet(6).base_channels(2).norm(NormKind::Batch).dropout(true);
        let path = dir.path().join(format!("{name}-pairs"));
        Pix2PixTrainer::create(&path, pairs, OnExisting::Refuse, &DEV).unwrap().run(until(0)).unwrap();
    }
    same(&dir.path().join("again"), &dir.path().join("kept"));
    same(&dir.path().join("again-pairs"), &dir.path().join("kept-pairs"));
}

/// Runs to a step, or to the end.
fn until<L>(stop: u64) -> impl FnMut(&Event<L>) -> ControlFlow<()> {
    move |event| match event {
        Event::Step(step) if step.step == stop => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

fn same(got: &Path, want: &Path) {
    let [(got_weights, _), (want_weights, _)] =
        [got, want].map(|run| load_tensors(run.join("weights.safetensors"), &DEV).unwrap());
    assert_eq!(got_weights.len(), want_weights.len());
    for (key, tensor) in &want_weights {
        assert_bitwise(&got_weights[key], tensor, key);
    }
    let [got, want] = [got, want].map(|run| std::fs::read_to_string(run.join("metrics.jsonl")).unwrap());
    assert_eq!(got, want);
}
