//! gdl-text: the AWD-LSTM recipe against PyTorch, presets, the best weights, early stopping, the book's windows.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_tests::{Fixture, assert_bitwise, assert_close};
use gdl_text::{
    Anneal, Cell, Corpus, EpochDecay, Event, Layout, Length, ModelConfig, NeuralCache, OptimizerKind, Preset,
    Split, TextModel, TrainConfig, Trainer,
};
use gdl_train::{OnExisting, RunDir, load_tensors};
use std::ops::ControlFlow::{Break, Continue};

const CPU: Device = Device::Cpu;

fn rhyme() -> Corpus {
    Corpus::from_text("rhyme", "the crow sat in the bow; the fox ate an ox.\n".repeat(20)).unwrap()
}

/// What each validation gave, and whether it was the best so far.
fn validations(events: &mut Vec<(usize, f64, bool)>) -> impl FnMut(&Event) -> std::ops::ControlFlow<()> {
    |event| {
        if let Event::Validation { step, report, best } = event {
            events.push((*step, report.loss, *best));
        }
        Continue(())
    }
}

/// The settings of tests/fixtures/text_awd.py.
fn fixture_config() -> TrainConfig {
    TrainConfig {
        model: ModelConfig::new(Cell::Lstm, 7, 3).embedding(5).tied(true),
        batch: 3,
        seq: 4,
        length: Length::Steps(30),
        optimizer: OptimizerKind::NtAsgd,
        learning_rate: 4.0,
        clip: 0.5,
        weight_decay: 0.01,
        activation_reg: 2.0,
        temporal_reg: 1.0,
        non_monotone: 2,
        eval_every: 2,
        split: Split { valid: 0.2, test: 0.0, ..Split::default() },
        ..Default::default()
    }
}

#[test]
fn tied_layers_of_two_widths_and_averaged_weights_are_pytorch_s() {
    let fixture = Fixture::load("text_awd");
    let text = String::from_utf8(fixture.get("text").to_vec1().unwrap()).unwrap();
    let corpus = Corpus::from_text("fixture", text).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(&corpus, fixture_config(), &CPU).unwrap();
    let initial = fixture.vars("initial");
    let initial = initial.into_iter().map(|(name, var)| (name, var.as_tensor().clone())).collect();
    trainer.store().load_tensors("the fixture", &initial).unwrap();
    let run = trainer.create_run(dir.path().join("run"), OnExisting::Refuse).unwrap();
    let (mut losses, mut valid) = (Vec::new(), Vec::new());
    let summary = trainer.run(Some(&run), |event| {
        match event {
            Event::Step { report, .. } => losses.push(report.loss as f32),
            Event::Validation { report, .. } => valid.push(report.loss as f32),
            _ => {}
        }
        Continue(())
    });
    let column = |values: &[f32]| Tensor::new(values, &CPU).unwrap();
    // f32 on both sides, summed in another order; 30 steps at a rate of 4 magnify that.
    assert_close(&column(&losses), &fixture.get("losses"), 1e-4, 1e-4, "losses");
    assert_close(&column(&valid), &fixture.get("valid"), 1e-4, 1e-4, "validations");
    for (name, var) in trainer.store().vars() {
        assert_close(&var, &fixture.get(&format!("final.{name}")), 1e-3, 1e-3, &format!("{name} at the end"));
    }
    // The best was a mean of the weights, and is what is written with.
    let (step, loss) = summary.unwrap().best.unwrap();
    let (best, metadata) = load_tensors(run.best_path(), &CPU).unwrap();
    assert_eq!(
        (metadata["step"].as_str(), metadata["valid_loss"].as_str()),
        (&*step.to_string(), &*loss.to_string())
    );
    assert_eq!(best.len(), trainer.store().vars().len());
    let model = TextModel::load_best(run.path(), &CPU).unwrap();
    let parts = corpus.split(&fixture_config().split).unwrap();
    let scored = model.eval(&Corpus::from_text("valid", parts.valid).unwrap()).unwrap();
    assert!((scored.loss - loss).abs() < 1e-6, "{} {loss}", scored.loss);
}

/// Everything random and everything that a checkpoint has to keep.
fn awd() -> TrainConfig {
    TrainConfig {
        model: ModelConfig {
            dropout: 0.2,
            input_dropout: Some(0.3),
            output_dropout: Some(0.1),
            locked_dropout: true,
            embedding_dropout: 0.1,
            weight_drop: 0.4,
            tied: true,
            init_range: Some(0.1),
            ..ModelConfig::new(Cell::Lstm, 9, 3).embedding(6)
        },
        batch: 3,
        seq: 20,
        random_seq: true,
        length: Length::Steps(40),
        optimizer: OptimizerKind::NtAsgd,
        learning_rate: 20.0,
        non_monotone: 1,
        clip: 1.0,
        eval_every: 2,
        activation_reg: 2.0,
        temporal_reg: 1.0,
        ..Default::default()
    }
}

#[test]
fn an_awd_lstm_stopped_and_resumed_is_bit_for_bit_the_same() {
    let (dir, corpus) = (tempfile::tempdir().unwrap(), rhyme());
    for cell in [Cell::Lstm, Cell::Gru] {
        let mut config = awd();
        config.model.cell = cell;
        let (mut want, mut got) = (Vec::new(), Vec::new());
        let mut whole = Trainer::new(&corpus, config.clone(), &CPU).unwrap();
        let summary = whole.run(None, validations(&mut want)).unwrap();
        assert!(want.iter().any(|(_, _, best)| !best), "the mean never began: {want:?}");

        let mut first = Trainer::new(&corpus, config, &CPU).unwrap();
        let run = first.create_run(dir.path().join(cell.to_string()), OnExisting::Refuse).unwrap();
        let mut note = validations(&mut got);
        let stopped = first.run(Some(&run), |event| match event {
            Event::Saved { step: 26, .. } => Break(()),
            event => note(event),
        });
        drop(note);
        assert!(stopped.unwrap().stopped);
        let run = RunDir::open(run.path()).unwrap();
        let mut second = Trainer::resume(&run, &corpus, None, &CPU).unwrap();
        assert_eq!(second.steps_left(), 14);
        let resumed = second.run(Some(&run), validations(&mut got)).unwrap();
        assert_eq!((&got, resumed.last, resumed.best), (&want, summary.last, summary.best));
        for (name, var) in whole.store().vars() {
            assert_bitwise(&second.store().vars()[&name], &var, &format!("{cell} {name}"));
        }
    }
}

#[test]
fn the_best_weights_are_kept_and_patience_ends() {
    let (dir, corpus) = (tempfile::tempdir().unwrap(), rhyme());
    let config = TrainConfig {
        model: ModelConfig::new(Cell::Gru, 12, 1),
        batch: 4,
        seq: 10,
        learning_rate: 0.5, // Too much: it soon gets worse.
        length: Length::Steps(500),
        eval_every: 3,
        patience: Some(4),
        ..Default::default()
    };
    let mut trainer = Trainer::new(&corpus, config, &CPU).unwrap();
    let run = trainer.create_run(dir.path().join("run"), OnExisting::Refuse).unwrap();
    let mut seen = Vec::new();
    let summary = trainer.run(Some(&run), validations(&mut seen)).unwrap();
    let least = seen.iter().map(|(_, loss, _)| *loss).fold(f64::INFINITY, f64::min);
    let (step, loss) = summary.best.unwrap();
    assert!(summary.out_of_patience && !summary.stopped && summary.steps < 500);
    assert_eq!((loss, summary.steps), (least, step + 4 * 3));
    let split = corpus.split(&Split::default()).unwrap();
    let valid = Corpus::from_text("valid", split.valid).unwrap();
    let scored = |model: gdl_text::Result<TextModel>| model.unwrap().eval(&valid).unwrap().loss;
    assert_eq!(scored(TextModel::load_best(run.path(), &CPU)), least);
    assert_eq!(scored(TextModel::load(run.path(), &CPU)), seen.last().unwrap().1);
}

#[test]
fn windows_predict_what_follows_them_and_learn() {
    let corpus = Corpus::from_text("a scale", "do re mi fa so la ti ".repeat(40)).unwrap();
    let config = TrainConfig {
        model: ModelConfig::new(Cell::Lstm, 24, 1).embedding(10),
        layout: Layout::Windows,
        optimizer: OptimizerKind::RmsProp,
        learning_rate: 0.01,
        batch: 16,
        seq: 6,
        length: Length::Epochs(5),
        eval_every: 0,
        eval_each_epoch: true,
        ..Default::default()
    };
    let mut trainer = Trainer::new(&corpus, config, &CPU).unwrap();
    let mut seen = Vec::new();
    let (per_epoch, all) = (trainer.steps_per_epoch(), trainer.steps_left());
    let summary = trainer.run(None, validations(&mut seen)).unwrap();
    assert_eq!((all, summary.steps), (5 * per_epoch, 5 * per_epoch));
    assert_eq!(
        seen.iter().map(|(step, ..)| *step).collect::<Vec<_>>(),
        (1..6).map(|e| e * per_epoch).collect::<Vec<_>>()
    );
    assert!(summary.best.unwrap().1 < 0.3, "{seen:?}");
}

#[test]
fn rates_fall_as_told() {
    let text = "do re mi fa so la ti ".repeat(10);
    let corpus = Corpus::from_text("a scale", text).unwrap();
    let base = TrainConfig {
        model: ModelConfig::new(Cell::Gru, 4, 1),
        batch: 2,
        seq: 30,
        learning_rate: 1.0,
        length: Length::Steps(12),
        ..Default::default()
    };
    let rates = |config: TrainConfig| {
        let mut trainer = Trainer::new(&corpus, config, &CPU).unwrap();
        assert_eq!(trainer.steps_per_epoch(), 3);
        (0..12).map(|_| trainer.step().unwrap().learning_rate).collect::<Vec<_>>()
    };
    let decay = Some(EpochDecay { after: 1, every: 2, gamma: 0.5 });
    let want = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25];
    assert_eq!(rates(TrainConfig { decay, ..base.clone() }), want);
    let linear = rates(TrainConfig { anneal: Anneal::Linear, ..base.clone() });
    assert!((0..12).all(|i| (linear[i] - (1.0 - i as f64 / 12.0)).abs() < 1e-12), "{linear:?}");
    let cosine = rates(TrainConfig { anneal: Anneal::Cosine, ..base });
    assert!(cosine.is_sorted_by(|a, b| a > b) && (cosine[6] - 0.5).abs() < 1e-12, "{cosine:?}");
}

#[test]
fn presets_are_valid_and_named() {
    for preset in Preset::ALL {
        assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        let json = serde_json::to_string(&preset.config()).unwrap();
        assert_eq!(serde_json::from_str::<TrainConfig>(&json).unwrap(), preset.config());
    }
    assert!("awful".parse::<Preset>().unwrap_err().to_string().contains("torch-rnn"));
    let awd = Preset::Awd.config().model;
    assert_eq!(awd.widths(), [1150, 1150, 400]);
    // A run that was begun before these settings were there.
    let mut old: serde_json::Value = serde_json::to_value(TrainConfig::default()).unwrap();
    for key in ["optimizer", "layout", "random_seq", "patience", "anneal", "decay", "weight_decay"] {
        old.as_object_mut().unwrap().remove(key).unwrap();
    }
    old["model"].as_object_mut().unwrap().remove("tied").unwrap();
    assert_eq!(serde_json::from_value::<TrainConfig>(old).unwrap(), TrainConfig::default());
}

#[test]
fn what_does_not_go_together_is_named() {
    for (key, config) in [
        ("tied", TrainConfig { model: ModelConfig::new(Cell::Lstm, 8, 1).embedding(4).tied(true), ..awd() }),
        ("random seq", TrainConfig { layout: Layout::Windows, ..awd() }),
        ("temporal reg", TrainConfig { layout: Layout::Windows, random_seq: false, ..awd() }),
        ("patience", TrainConfig { patience: Some(0), ..awd() }),
        ("weight drop", TrainConfig { model: ModelConfig { weight_drop: 1.0, ..awd().model }, ..awd() }),
        ("decay gamma", TrainConfig { decay: Some(EpochDecay { after: 1, every: 1, gamma: 0.0 }), ..awd() }),
    ] {
        let error = Trainer::new(&rhyme(), config, &CPU).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{key}: ")), "{key}: {error}");
    }
}

#[test]
fn a_cache_makes_what_comes_back_likelier() {
    let corpus = rhyme();
    let config =
        TrainConfig { length: Length::Steps(20), batch: 4, seq: 10, eval_every: 0, ..Default::default() };
    let mut trainer = Trainer::new(&corpus, config, &CPU).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let run = trainer.create_run(dir.path().join("run"), OnExisting::Refuse).unwrap();
    trainer.run(Some(&run), |_| Continue(())).unwrap();
    let model = TextModel::load(run.path(), &CPU).unwrap();
    let text = Corpus::from_text("short", &corpus.text().unwrap()[..440]).unwrap();
    let plain = model.eval(&text).unwrap();
    let with =
        |lambda: f64| model.eval_with_cache(&text, &NeuralCache { window: 200, theta: 3.0, lambda }).unwrap();
    // So short a text is one stream either way; f32 features, sums in f64.
    assert_eq!((with(0.0).tokens, with(0.0).unknown), (plain.tokens, plain.unknown));
    assert!((with(0.0).loss - plain.loss).abs() < 1e-5, "{} {}", with(0.0).loss, plain.loss);
    assert!(with(0.3).loss < plain.loss - 0.1, "{} {}", with(0.3).loss, plain.loss);
    let error = model.eval_with_cache(&text, &NeuralCache { lambda: 1.0, ..Default::default() });
    assert!(error.unwrap_err().to_string().starts_with("cache lambda"));
}
