//! Trainings that fail: what is said, what they go back to, and that nothing bad is written.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_cyclegan::{
    CycleGanConfig, DiscriminatorConfig, Error, Event, GeneratorConfig, KeepBest, Length, Method, Metric,
    OnFailure, Rollback, Step, Symptom, Trainer, TrainerConfig,
};
use gdl_tests::assert_bitwise;
use gdl_train::{OnExisting, ParamStore, RunDir, load_tensors};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

const DEV: Device = Device::Cpu;

fn tiny(steps: u64) -> TrainerConfig {
    let mut config = TrainerConfig::demo();
    config.model = CycleGanConfig {
        generator: GeneratorConfig::resnet(1).base_channels(2).dropout(true),
        discriminator: DiscriminatorConfig::basic(3).base_channels(2).n_layers(1),
        pool_size: 3,
        ..CycleGanConfig::default()
    };
    (config.data.size, config.data.builtin_count) = (16, 5);
    (config.length, config.sample_every) = (Length::Steps(steps), 0);
    config
}

fn store(trainer: &Trainer, net: &str) -> ParamStore {
    let stores = trainer.model().stores();
    stores.into_iter().find(|(name, _)| *name == net).unwrap().1.clone()
}

/// Fills a weight with one number.
fn fill(store: &ParamStore, key: &str, value: f32) {
    let var = &store.vars()[key];
    var.set(&Tensor::full(value, var.shape(), &DEV).unwrap()).unwrap();
}

/// What a run did: its steps with their learning rates, its rollbacks, and its end.
type Told = (Vec<Step>, Vec<Rollback>, gdl_cyclegan::Result<()>);

/// Runs to the end, or to a step, and calls `meddle` with the steps as they are taken.
fn run(trainer: &mut Trainer, stop: u64, mut meddle: impl FnMut(u64)) -> Told {
    let (mut steps, mut rollbacks) = (Vec::new(), Vec::new());
    let end = trainer.run(|event| {
        match event {
            Event::Step(step) => {
                steps.push(*step);
                meddle(step.step);
                if step.step == stop {
                    return ControlFlow::Break(());
                }
            }
            Event::RolledBack(rollback) => rollbacks.push(rollback.clone()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    (steps, rollbacks, end)
}

const KEY: &str = "model.4.weight";

/// Spoils a weight of `G_B` the first time that a step has been taken.
fn spoil(trainer: &Trainer, at: u64) -> impl FnMut(u64) + use<> {
    let (store, mut done) = (store(trainer, "net_G_B"), false);
    move |step| {
        if step == at && !done {
            done = true;
            fill(&store, KEY, f32::NAN);
        }
    }
}

#[test]
fn a_spoilt_weight_is_named_and_the_run_goes_on_from_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = tiny(12);
    (config.guard.snapshot_every, config.checkpoint_every, config.decay) = (3, 0, 0.0);
    let mut trainer = Trainer::create(dir.path(), config, OnExisting::Refuse, &DEV).unwrap();
    let meddle = spoil(&trainer, 7);
    let (steps, rollbacks, end) = run(&mut trainer, 0, meddle);
    end.unwrap();
    let [rollback] = rollbacks.as_slice() else { panic!("{rollbacks:?}") };
    assert_eq!((rollback.failure.step, rollback.to, rollback.count, rollback.limit), (8, 6, 1, 3));
    let Symptom::Weight { key, value } = &rollback.failure.symptom else { panic!("{rollback:?}") };
    assert!(key == "net_G_B.model.4.weight" && value.is_nan());
    let line = rollback.to_string();
    assert!(line.contains("step 8: the weight net_G_B.model.4.weight holds NaN; back to step 6"), "{line}");
    let rates: Vec<_> = steps.iter().map(|s| (s.step, s.learning_rate / 2e-4)).collect();
    let want: Vec<_> = (1..8).map(|i| (i, 1.0)).chain((7..13).map(|i| (i, 0.5))).collect();
    assert_eq!(rates, want);
    // The log tells the steps that counted, each once, and from when on the rate is another.
    let records = RunDir::open(dir.path()).unwrap().metrics().read().unwrap();
    let logged: Vec<_> = records.iter().map(|r| (r.step, r.values.get("rollbacks").copied())).collect();
    let want: Vec<_> = (1..13).map(|i| (i, (i > 6).then_some(1.0))).collect();
    assert_eq!(logged, want);
    for (net, store) in trainer.model().stores() {
        assert_eq!(gdl_train::first_not_finite(&store.tensors()).unwrap(), None, "{net}");
    }
}

/// Stopped between a good state and the failure after it, and again after that, and resumed: the same as at once, bit for bit.
#[test]
fn a_run_with_a_rollback_resumes_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let mut config = tiny(13);
    (config.guard.snapshot_every, config.checkpoint_every) = (6, 0);
    let create = |path: &Path| Trainer::create(path, config.clone(), OnExisting::Refuse, &DEV).unwrap();
    let mut trainer = create(&whole);
    let meddle = spoil(&trainer, 9);
    let (_, want, end) = run(&mut trainer, 0, meddle);
    end.unwrap();
    assert_eq!((want.len(), want[0].to), (1, 6));

    run(&mut create(&parts), 7, |_| ()).2.unwrap();
    let mut trainer = Trainer::resume(&parts, &DEV).unwrap();
    let meddle = spoil(&trainer, 9);
    let (_, got, end) = run(&mut trainer, 11, meddle);
    end.unwrap();
    assert_eq!(got[0].to_string(), want[0].to_string());
    let (steps, rollbacks, end) = run(&mut Trainer::resume(&parts, &DEV).unwrap(), 0, |_| ());
    end.unwrap();
    assert_eq!((steps[0].step, rollbacks.len()), (12, 0));

    for file in ["weights", "state/step-00000013/optimizer-G", "state/step-00000013/tensors-pool_A"] {
        let [(whole, _), (parts, _)] =
            [&whole, &parts].map(|run| load_tensors(run.join(format!("{file}.safetensors")), &DEV).unwrap());
        assert_eq!(whole.len(), parts.len(), "{file}");
        for (key, tensor) in &whole {
            assert_bitwise(&parts[key], tensor, &format!("{file} {key}"));
        }
    }
    for file in ["metrics.jsonl", "state/step-00000013/trainer.json"] {
        let [whole, parts] = [&whole, &parts].map(|run| std::fs::read_to_string(run.join(file)).unwrap());
        assert_eq!(whole, parts, "{file}");
    }
}

#[test]
fn it_goes_back_so_often_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut config = tiny(9);
    // Weights of 1e36: the next step's maps overflow.
    config.model.optimizer.learning_rate = 1e36;
    config.guard.rollbacks = 2;
    let mut trainer = Trainer::create(&path, config.clone(), OnExisting::Refuse, &DEV).unwrap();
    let (_, rollbacks, end) = run(&mut trainer, 0, |_| ());
    assert_eq!(rollbacks.iter().map(|r| (r.to, r.count)).collect::<Vec<_>>(), [(0, 1), (0, 2)]);
    let error = end.unwrap_err();
    let message = error.to_string();
    let Error::Failed { failure, rollbacks: 2 } = error else { panic!("{error:?}") };
    assert!(matches!(&failure.symptom, Symptom::Loss { largest, .. } if largest.1 > 1e35), "{failure:?}");
    for part in [
        "step 2: the loss validity_a is NaN",
        "largest is",
        "net_",
        "going back 2 times",
        "lower learning rate",
    ] {
        assert!(message.contains(part) && !message.contains('\n'), "{part} is not in {message}");
    }
    assert!(!path.join("weights.safetensors").exists());

    config.guard.on_failure = OnFailure::Stop;
    let (steps, rollbacks, end) = run(&mut Trainer::new(config, &DEV).unwrap(), 0, |_| ());
    assert!(matches!(end, Err(Error::Failed { rollbacks: 0, .. })));
    assert_eq!((steps.len(), rollbacks.len()), (1, 0));
}

/// Adam would go on with an infinite second moment, and never move that weight again. It is seen before anybody looks at what
/// has come of it.
#[test]
fn a_gradient_without_bounds_is_named() {
    let mut config = tiny(3);
    (config.model.lambda_a, config.model.lambda_b) = (1e34, 1e34);
    config.guard.rollbacks = 0;
    let mut kept = config.clone();
    kept.guard.snapshot_every = 1;
    let mut shown = config.clone();
    shown.sample_every = 1;
    config.keep_best = Some(KeepBest { every: 1, count: Some(1), ..KeepBest::by(Metric::Psnr) });
    for config in [kept, shown, config] {
        let (_, _, end) = run(&mut Trainer::new(config, &DEV).unwrap(), 0, |_| ());
        let Err(Error::Failed { failure, .. }) = end else { panic!("{end:?}") };
        let Symptom::Gradient { key, .. } = &failure.symptom else { panic!("{failure:?}") };
        assert!(failure.step == 1 && key.starts_with("net_G_A.model."), "{failure}");
    }
}

/// Networks that are dead from the start, and a rate at which nothing moves.
fn collapsed(net: &str, key: &str, value: f32) -> (Told, HashSet<String>) {
    let mut config = tiny(40);
    config.model.optimizer.learning_rate = 1e-30;
    config.model.generator.dropout = false;
    (config.guard.collapse_after, config.guard.rollbacks) = (20, 1);
    let mut trainer = Trainer::new(config, &DEV).unwrap();
    let store = store(&trainer, net);
    for name in store.vars().into_keys().filter(|name| name.starts_with(key)) {
        fill(&store, &name, value);
    }
    let told = run(&mut trainer, 0, |_| ());
    let lines = told.1.iter().map(|r| r.failure.to_string()).collect();
    (told, lines)
}

#[test]
fn a_discriminator_that_does_not_learn_is_named() {
    let ((steps, rollbacks, end), _) = collapsed("net_D_A", "model.", 0.0);
    assert_eq!((steps.len(), rollbacks.len(), rollbacks[0].to), (38, 1, 0));
    let message = end.unwrap_err().to_string();
    let says = "step 20: the discriminator net_D_A has not learnt since step 1 (its loss stands at 0.5";
    assert!(message.starts_with(says) && message.contains("smaller discriminator"), "{message}");
}

#[test]
fn a_generator_that_paints_black_is_named() {
    // The last convolution's bias: tanh of -50 is -1, whatever the picture.
    let ((_, rollbacks, end), lines) = collapsed("net_G_B", "model.18.bias", -50.0);
    assert_eq!((rollbacks.len(), lines.len()), (1, 1));
    let message = end.unwrap_err().to_string();
    let says = "step 20: the generator net_G_B has painted pictures of one colour since step 1";
    assert!(message.starts_with(says), "{message}");
}

#[test]
fn nothing_is_seen_where_nothing_is_wrong() {
    let mut config = tiny(40);
    config.guard.collapse_after = 5;
    let (steps, rollbacks, end) = run(&mut Trainer::new(config, &DEV).unwrap(), 0, |_| ());
    end.unwrap();
    assert_eq!((steps.len(), rollbacks.len()), (40, 0));
}

/// Neither by the run itself nor by whoever holds the trainer.
#[test]
fn a_good_checkpoint_is_not_overwritten_with_a_bad_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut config = tiny(6);
    (config.checkpoint_every, config.guard.on_failure) = (2, OnFailure::Stop);
    let mut trainer = Trainer::create(&path, config, OnExisting::Refuse, &DEV).unwrap();
    let meddle = spoil(&trainer, 5);
    let (_, _, end) = run(&mut trainer, 0, meddle);
    assert!(end.unwrap_err().to_string().contains("net_G_B.model.4.weight holds NaN"));
    let error = trainer.save().unwrap_err().to_string();
    assert!(error.contains("net_G_B.model.4.weight holds NaN"), "{error}");
    let resumed = Trainer::resume(&path, &DEV).unwrap();
    assert_eq!(resumed.step(), 4);
    for (net, store) in resumed.model().stores() {
        assert_eq!(gdl_train::first_not_finite(&store.tensors()).unwrap(), None, "{net}");
    }
}

/// A run that begins with weights that are none.
#[test]
fn bad_weights_to_begin_with_are_named_at_once() {
    let mut trainer = Trainer::new(tiny(3), &DEV).unwrap();
    fill(&store(&trainer, "net_D_B"), "model.0.bias", f32::INFINITY);
    let (steps, _, end) = run(&mut trainer, 0, |_| ());
    let message = end.unwrap_err().to_string();
    assert!(
        steps.is_empty() && message.starts_with("step 0: the weight net_D_B.model.0.bias holds inf"),
        "{message}"
    );
}
