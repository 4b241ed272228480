//! Encoder-decoder: parity with PyTorch, padding, learning a task, errors.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_kernels::rng::{Rng, SharedRng};
use gdl_seq2seq::{Cell, Seq2Seq, Seq2SeqConfig, Sources, State, Targets};
use gdl_tests::{Fixture, assert_bitwise, assert_close};
use gdl_train::{Adam, AdamConfig, Optimizer, ParamStore, clip_grad_norm};
use std::collections::HashMap;

const DEV: Device = Device::Cpu;
const SOURCES: [&[u32]; 4] = [&[3, 4, 5, 6], &[7, 3], &[4, 4, 4], &[5]];
const TARGETS: [&[u32]; 4] = [&[3, 4], &[5, 6, 3, 3], &[], &[6, 4, 5]];

fn small() -> Seq2SeqConfig {
    Seq2SeqConfig { embedding: 3, hidden: 4, ..Seq2SeqConfig::new(8, 7) }
}

#[test]
fn agrees_with_pytorch() {
    let fixture = Fixture::load("seq2seq");
    for (name, cell, layers, bidirectional_encoder) in [
        ("lstm_uni", Cell::Lstm, 2, false),
        ("lstm_bi", Cell::Lstm, 2, true),
        ("gru_uni", Cell::Gru, 1, false),
        ("gru_bi", Cell::Gru, 2, true),
    ] {
        // f64: both sides round some hundred operations at 1e-16 each. f32 against it: the same at 6e-8, and
        // weights of up to 5 that amplify.
        for (dtype, tol) in [(DType::F64, 1e-12), (DType::F32, 3e-5)] {
            let vars: HashMap<String, Var> = fixture
                .vars(&format!("{name}.model"))
                .into_iter()
                .map(|(k, v)| (k, Var::from_tensor(&v.to_dtype(dtype).unwrap()).unwrap()))
                .collect();
            let tensors = vars.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
            let config = Seq2SeqConfig { cell, layers, bidirectional_encoder, ..small() };
            let model = Seq2Seq::new(&config, VarBuilder::from_tensors(tensors, dtype, &DEV)).unwrap();
            let sources = Sources::new(&SOURCES, &config, &DEV).unwrap();
            let targets = Targets::new(&TARGETS, &config, &DEV).unwrap();

            let check = |key: &str, got: &Tensor| {
                let want = fixture.get(&format!("{name}.{key}"));
                assert_close(got, &want, tol, tol, &format!("{name} {key} {dtype:?}"));
            };
            let logits = model.forward_t(&sources, &targets, true).unwrap();
            check("logits", &logits);
            let loss = model.loss(&logits, &targets).unwrap();
            check("loss", &loss);
            let grads = loss.backward().unwrap();
            for (key, var) in &vars {
                check(&format!("grad.{key}"), grads.get(var).unwrap());
            }

            let rows = fixture.get(&format!("{name}.greedy")).to_vec2::<i64>().unwrap();
            let lengths = fixture.get(&format!("{name}.greedy_lengths")).to_vec1::<i64>().unwrap();
            let want: Vec<Vec<u32>> = rows
                .iter()
                .zip(lengths)
                .map(|(row, len)| row.iter().take(len as usize).map(|&t| t as u32).collect())
                .collect();
            assert_eq!(model.greedy(&sources, 6).unwrap(), want, "{name} {dtype:?}");
        }
    }
}

#[test]
fn a_row_is_translated_the_same_alone_and_in_a_batch() {
    let store = ParamStore::new(DType::F64, &DEV, 1);
    let config = Seq2SeqConfig { layers: 2, ..small() };
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let sources = Sources::new(&SOURCES, &config, &DEV).unwrap();
    let State::Lstm(all) = model.encode(&sources, false).unwrap() else { panic!("an LSTM's state") };
    for (n, row) in SOURCES.iter().enumerate() {
        let alone = Sources::new(&[row], &config, &DEV).unwrap();
        let State::Lstm(state) = model.encode(&alone, false).unwrap() else { panic!("an LSTM's state") };
        // Only GEMMs of other heights, summed in another order.
        assert_close(&all.h.narrow(1, n, 1).unwrap(), &state.h, 1e-14, 0., "h");
        assert_close(&all.c.narrow(1, n, 1).unwrap(), &state.c, 1e-14, 0., "c");
    }
}

#[test]
fn the_decoder_goes_on_step_by_step_as_in_one_pass() {
    let store = ParamStore::new(DType::F64, &DEV, 2);
    let config = Seq2SeqConfig { cell: Cell::Gru, ..small() };
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let sources = Sources::new(&SOURCES, &config, &DEV).unwrap();
    let targets = Targets::new(&TARGETS, &config, &DEV).unwrap();
    let whole = model.forward_t(&sources, &targets, false).unwrap();
    let mut state = model.encode(&sources, false).unwrap();
    for t in 0..whole.dim(1).unwrap() {
        let (step, next) = model.decode(&targets.inputs().narrow(1, t, 1).unwrap(), &state, false).unwrap();
        state = next;
        assert_close(&step, &whole.narrow(1, t, 1).unwrap(), 1e-14, 0., "logits");
    }
}

#[test]
fn learns_to_reverse_a_string() {
    let config = Seq2SeqConfig { cell: Cell::Gru, embedding: 16, hidden: 48, ..Seq2SeqConfig::new(8, 8) };
    let store = ParamStore::new(DType::F32, &DEV, 3);
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let adam = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
    let mut optimizer = Adam::new(store.trainable(), adam).unwrap();
    let mut rng = Rng::seed(7);
    let mut draw = |n: usize| -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
        let rows = (0..n).map(|_| (0..1 + rng.below(4)).map(|_| 3 + rng.below(5) as u32).collect::<Vec<_>>());
        rows.map(|row| (row.clone(), row.into_iter().rev().collect())).unzip()
    };
    for _ in 0..200 {
        let (sources, targets) = draw(32);
        let sources = Sources::new(&sources, &config, &DEV).unwrap();
        let targets = Targets::new(&targets, &config, &DEV).unwrap();
        let loss = model.loss(&model.forward_t(&sources, &targets, true).unwrap(), &targets).unwrap();
        let mut grads = loss.backward().unwrap();
        clip_grad_norm(&store.trainable(), &mut grads, 1.).unwrap();
        optimizer.step(&grads).unwrap();
    }
    let (sources, targets) = draw(200);
    let written = model.greedy(&Sources::new(&sources, &config, &DEV).unwrap(), 10).unwrap();
    let exact = written.iter().zip(&targets).filter(|(a, b)| a == b).count();
    // 780 strings exist and 6,400 were seen, so most of these were; a decoder that ignores the source gets 2.
    assert!(exact >= 180, "{exact} of 200");
}

#[test]
fn dropout_draws_from_the_generator_given() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let config = Seq2SeqConfig { dropout: 0.4, layers: 2, ..small() };
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let sources = Sources::new(&SOURCES, &config, &DEV).unwrap();
    let targets = Targets::new(&TARGETS, &config, &DEV).unwrap();
    let error = model.forward_t(&sources, &targets, true).unwrap_err().to_string();
    assert!(error.contains("with_rng"), "{error}");
    let eval = model.forward_t(&sources, &targets, false).unwrap();
    let drop =
        |seed| model.clone().with_rng(SharedRng::seed(seed)).forward_t(&sources, &targets, true).unwrap();
    assert_bitwise(&drop(1), &drop(1), "one seed, one mask");
    let other = |a: &Tensor, b: &Tensor| gdl_tests::max_abs_diff(a, b) > 1e-3;
    assert!(other(&drop(1), &drop(2)) && other(&drop(1), &eval));
}

#[test]
fn wrong_input_is_named() {
    let config = small();
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let text = |r: candle_core::Error| r.to_string();
    let none: [&[u32]; 0] = [];
    let sources = Sources::new(&SOURCES, &config, &DEV).unwrap();
    let targets = Targets::new(&TARGETS[..2], &config, &DEV).unwrap();
    let bad = |config: Seq2SeqConfig| text(Seq2Seq::new(&config, store.vb().pp("bad")).unwrap_err());
    for (got, want) in [
        (text(Sources::new(&none, &config, &DEV).unwrap_err()), "at least one source row"),
        (text(Sources::new(&[&[3u32][..], &[]], &config, &DEV).unwrap_err()), "source row 1 is empty"),
        (text(Sources::new(&[[8u32]], &config, &DEV).unwrap_err()), "source row 0 holds token 8"),
        (text(Targets::new(&[[7u32]], &config, &DEV).unwrap_err()), "target row 0 holds token 7"),
        (text(model.forward_t(&sources, &targets, false).unwrap_err()), "4 source rows, but 2 target rows"),
        (bad(Seq2SeqConfig { eos: 7, ..small() }), "eos is token 7"),
        (bad(Seq2SeqConfig { eos: 0, ..small() }), "eos and pad"),
        (bad(Seq2SeqConfig { hidden: 0, ..small() }), "at least 1"),
    ] {
        assert!(got.contains(want), "{got:?} does not say {want:?}");
    }
    assert_eq!(model.greedy(&sources, 0).unwrap(), vec![Vec::<u32>::new(); 4]);
}
