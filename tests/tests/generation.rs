//! Writing: token by token through the stepper, and through the composed path, from the same seed.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor};
use gdl_rnn::{Embedding, EmbeddingConfig, Gru, GruConfig, Lstm, LstmConfig, Stepper, linear};
use gdl_tests::assert_close;
use gdl_text::{Cell, Corpus, GenerateConfig, Level, ModelConfig, TokenizerConfig, TrainConfig, Trainer};
use gdl_train::ParamStore;
use std::ops::ControlFlow::Continue;
use std::process::Command;

/// Says where the texts begin in the output of the process that wrote them by the composed path.
const MARK: &str = "composed path:";

/// Texts by models of both cells, of characters and of words, untrained: their logits lie close together, so that a
/// difference in any of them shows soon.
fn texts() -> Vec<String> {
    let text = "the quick brown fox jumps over the lazy dog while seven wizards mix pots of jam\n".repeat(30);
    let corpus = Corpus::from_text("a pangram", text).unwrap();
    let mut texts = Vec::new();
    for cell in [Cell::Lstm, Cell::Gru] {
        // Below 28 characters the first layer's gates come from a table, above from its weights.
        for (level, hidden) in [(Level::Char, 70), (Level::Char, 12), (Level::Word, 300)] {
            let config = TrainConfig {
                model: ModelConfig::new(cell, hidden, 2),
                tokenizer: TokenizerConfig::new(level),
                batch: 2,
                seq: 8,
                ..TrainConfig::default()
            };
            let trainer = Trainer::new(&corpus, config, &Device::Cpu).unwrap();
            for temperature in [0., 0.8] {
                let prompt = "the quick".into();
                let config = GenerateConfig { prompt, length: 150, ..GenerateConfig::default() }
                    .temperature(temperature);
                texts.push(trainer.generate(&config, |_| Continue(())).unwrap());
            }
        }
    }
    texts
}

#[test]
fn the_same_seed_writes_the_same_text_as_the_composed_path() {
    let here = format!("{:?}", texts());
    if std::env::var_os("GDL_REFERENCE").is_some() {
        println!("{MARK}{here}");
        return;
    }
    // The choice is made once per process, so that the other path needs one of its own.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["the_same_seed_writes_the_same_text_as_the_composed_path", "--exact", "--nocapture"])
        .env("GDL_REFERENCE", "1")
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let line = output.lines().find_map(|line| line.split_once(MARK)).unwrap_or_else(|| panic!("{output}"));
    assert_eq!(line.1, here);
}

#[test]
fn a_stepper_goes_on_from_a_state() {
    if gdl_kernels::force_reference() {
        return;
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    // More and fewer tokens than features; sizes that fill no vector, and some that take two threads.
    for (vocab, size, hidden) in [(7, 9, 13), (50, 9, 13), (65, 512, 512)] {
        let vb = store.vb().pp(format!("{vocab}-{size}"));
        let table = Embedding::new(&EmbeddingConfig::new(vocab, size), vb.pp("table")).unwrap();
        let head = linear(hidden, vocab, vb.pp("head")).unwrap();
        let ids = Tensor::from_vec((0..9u32).map(|i| i * i % 7).collect(), (1, 9), &Device::Cpu).unwrap();
        let (before, after) = (ids.narrow(1, 0, 4).unwrap(), ids.narrow(1, 4, 5).unwrap());
        let after_ids: Vec<u32> = after.flatten_all().unwrap().to_vec1().unwrap();
        let check = |mut stepper: Stepper, whole: Tensor, what: &str| {
            let want = candle_core::Module::forward(&head, &whole).unwrap().get(0).unwrap();
            for (k, &id) in after_ids.iter().enumerate() {
                let got = Tensor::new(&*stepper.step(id).unwrap(), &Device::Cpu).unwrap();
                // Sums of up to 512 terms in another order, over five steps.
                assert_close(&got, &want.get(k).unwrap(), 1e-5, 1e-5, &format!("{what} {vocab} {k}"));
            }
            assert!(stepper.step(vocab as u32).is_err());
        };
        for forget_bias in [0., 1.] {
            let config = LstmConfig::new(size, hidden).num_layers(2).forget_bias(forget_bias);
            let lstm = Lstm::new(&config, vb.pp("lstm")).unwrap();
            let (_, state) = lstm.forward_tokens(&table, &before, None, false).unwrap();
            let (whole, _) = lstm.forward_tokens(&table, &after, Some(&state), false).unwrap();
            check(Stepper::lstm(&table, &lstm, &head, Some(&state)).unwrap().unwrap(), whole, "lstm");
        }
        for reset_after in [true, false] {
            let config = GruConfig::new(size, hidden).num_layers(2).reset_after(reset_after);
            let gru = Gru::new(&config, vb.pp("gru")).unwrap();
            let (_, state) = gru.forward_tokens(&table, &before, None, false).unwrap();
            let (whole, _) = gru.forward_tokens(&table, &after, Some(&state), false).unwrap();
            check(Stepper::gru(&table, &gru, &head, Some(&state)).unwrap().unwrap(), whole, "gru");
        }
    }
}

#[test]
fn rows_side_by_side_are_each_as_if_alone() {
    if gdl_kernels::force_reference() {
        return;
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    // A table of gates and one of vectors; two layers, and sizes that fill no vector.
    for (vocab, size, hidden) in [(7, 9, 13), (50, 9, 13), (30, 200, 200)] {
        let vb = store.vb().pp(format!("{vocab}-{size}"));
        let table = Embedding::new(&EmbeddingConfig::new(vocab, size), vb.pp("table")).unwrap();
        let head = linear(hidden, vocab, vb.pp("head")).unwrap();
        let lstm = Lstm::new(&LstmConfig::new(size, hidden).num_layers(2), vb.pp("lstm")).unwrap();
        let grus = [true, false].map(|after| {
            let config = GruConfig::new(size, hidden).num_layers(2).reset_after(after);
            Gru::new(&config, vb.pp(format!("gru{after}"))).unwrap()
        });
        let stepper = |kind: usize| match kind {
            0 => Stepper::lstm(&table, &lstm, &head, None).unwrap().unwrap(),
            kind => Stepper::gru(&table, &grus[kind - 1], &head, None).unwrap().unwrap(),
        };
        for kind in 0..3 {
            let token = |row: usize, step: usize| ((row * 5 + step * 3 + row * step) % vocab) as u32;
            // Twenty-nine rows of one beginning; then some of them, one twice.
            let mut rows: Vec<usize> = (0..29).collect();
            let mut many = stepper(kind);
            many.step(1).unwrap();
            many.select(&[0; 29]).unwrap();
            let mut alone: Vec<Stepper> = (0..29)
                .map(|_| {
                    let mut stepper = stepper(kind);
                    stepper.step(1).unwrap();
                    stepper
                })
                .collect();
            for step in 0..4 {
                let tokens: Vec<u32> = rows.iter().map(|&row| token(row, step)).collect();
                let got = many.step_rows(&tokens).unwrap().to_vec();
                let mut want = vec![Vec::new(); 29];
                for &row in &rows {
                    if want[row].is_empty() {
                        want[row] = alone[row].step(token(row, step)).unwrap().to_vec();
                    }
                }
                let want: Vec<f32> = rows.iter().flat_map(|&row| want[row].clone()).collect();
                assert!(got == want, "{vocab} {kind}, step {step}: not bit for bit the same");
                if step == 1 {
                    let keep = [28, 3, 3, 0, 17, 9];
                    many.select(&keep).unwrap();
                    rows = keep.map(|row| row as usize).to_vec();
                }
            }
            assert_eq!(many.rows(), 6);
            assert!(many.step(0).is_err() && many.step_rows(&[0; 5]).is_err() && many.select(&[6]).is_err());
            many.select(&[]).unwrap();
            assert_eq!(many.step_rows(&[]).unwrap().len(), 0);
        }
    }
}

#[test]
fn what_a_stepper_does_not_do_is_left_to_forward() {
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    let table = Embedding::new(&EmbeddingConfig::new(7, 4), store.vb().pp("table")).unwrap();
    let config = LstmConfig::new(4, 6);
    for (k, (config, outputs)) in [
        (config.clone().bidirectional(true), 12),
        (config.clone().proj_size(2), 2),
        (config.clone().layer_norm(true), 6),
        (config.zoneout(0.1, 0.), 6),
    ]
    .into_iter()
    .enumerate()
    {
        let head = linear(outputs, 7, store.vb().pp(format!("head{k}"))).unwrap();
        let lstm = Lstm::new(&config, store.vb().pp(format!("lstm{k}"))).unwrap();
        assert!(Stepper::lstm(&table, &lstm, &head, None).unwrap().is_none(), "{config:?}");
    }
    if gdl_kernels::force_reference() {
        return;
    }
    let lstm = Lstm::new(&LstmConfig::new(4, 6), store.vb().pp("plain")).unwrap();
    let head = linear(5, 7, store.vb().pp("narrow")).unwrap();
    let error = Stepper::lstm(&table, &lstm, &head, None).unwrap_err().to_string();
    assert!(error.contains("a head that reads 6"), "{error}");
}
