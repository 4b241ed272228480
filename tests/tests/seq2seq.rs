//! Encoder-decoder: parity with PyTorch, padding, learning a task, errors.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_kernels::rng::{Rng, SharedRng};
use gdl_seq2seq::{
    Attention, Bridge, Cell, Features, LossConfig, Seq2Seq, Seq2SeqConfig, Sources, State, Targets, Tied,
};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close};
use gdl_train::{Adam, AdamConfig, Optimizer, ParamStore, clip_grad_norm};
use std::collections::HashMap;

const SOURCES: [&[u32]; 4] = [&[4, 5, 6, 7], &[8, 4], &[5, 5, 5], &[6]];
const FEATURES: [&[u32]; 4] = [&[0, 1, 2, 0], &[2, 2], &[0, 0, 1], &[1]];
const PLACES: [&[u32]; 4] = [&[4, 8, 6, 9], &[8, 4], &[5, 5, 5], &[6]];
const TARGETS: [&[u32]; 4] = [&[4, 5], &[6, 7, 4, 4], &[], &[7, 5, 6]];
const COPIED: [&[u32]; 4] = [&[8, 9, 4], &[6, 8, 4, 1], &[], &[7, 6]];

fn small() -> Seq2SeqConfig {
    let config = Seq2SeqConfig::new(9, 8);
    Seq2SeqConfig { embedding: 3, hidden: 4, bidirectional_encoder: false, attention: None, ..config }
}

/// The models of tests/fixtures/seq2seq.py.
fn models() -> Vec<(&'static str, Seq2SeqConfig, LossConfig)> {
    let plain = Seq2SeqConfig { cell: Cell::Gru, ..small() };
    let both = Seq2SeqConfig { bidirectional_encoder: true, ..small() };
    let smooth = LossConfig { label_smoothing: 0.1, coverage: 0. };
    let attends = |kind, config: &Seq2SeqConfig| Seq2SeqConfig { attention: Some(kind), ..config.clone() };
    let (dot, general) = (attends(Attention::Dot, &both), attends(Attention::General, &both));
    let additive = Seq2SeqConfig { input_feeding: true, ..attends(Attention::Additive, &both) };
    let features = Some(Features { values: 3, size: 2 });
    vec![
        ("plain", plain.clone(), LossConfig::default()),
        ("bridge", Seq2SeqConfig { layers: 2, bridge: Bridge::Dense, ..both }, LossConfig::default()),
        ("dot", Seq2SeqConfig { cell: Cell::Gru, layers: 2, ..dot.clone() }, LossConfig::default()),
        ("general", general.clone(), smooth),
        ("additive", Seq2SeqConfig { layers: 2, ..additive.clone() }, LossConfig::default()),
        (
            "tied",
            Seq2SeqConfig { input_feeding: true, tied: Tied::Target, ..attends(Attention::General, &plain) },
            LossConfig::default(),
        ),
        ("one", Seq2SeqConfig { target_vocab: 9, tied: Tied::All, ..dot }, LossConfig::default()),
        ("copy", Seq2SeqConfig { cell: Cell::Gru, copy: true, ..general }, LossConfig::default()),
        (
            "pointer",
            Seq2SeqConfig { bridge: Bridge::Dense, copy: true, coverage: true, features, ..additive },
            LossConfig { coverage: 0.7, ..smooth },
        ),
        (
            "covered",
            Seq2SeqConfig { coverage: true, ..attends(Attention::Dot, &plain) },
            LossConfig { coverage: 0.5, ..Default::default() },
        ),
    ]
}

/// The batch that the fixture has for a model.
fn batch(config: &Seq2SeqConfig) -> (Sources, Targets) {
    let mut sources = Sources::new(&SOURCES, config, &DEV).unwrap();
    if config.features.is_some() {
        sources = sources.with_features(&FEATURES, config).unwrap();
    }
    if config.copy {
        let sources = sources.copying(&PLACES, config).unwrap();
        let targets = Targets::copied(&COPIED, &sources, config).unwrap();
        return (sources, targets);
    }
    (sources, Targets::new(&TARGETS, config, &DEV).unwrap())
}

#[test]
fn agrees_with_pytorch() {
    let fixture = Fixture::load("seq2seq");
    for (name, config, losses) in models() {
        // f64: both sides round some hundred operations at 1e-16 each. f32 against it: the same at 6e-8, and
        // weights that amplify.
        for (dtype, tol) in [(DType::F64, 1e-11), (DType::F32, 5e-5)] {
            let vars: HashMap<String, Var> = fixture
                .vars(&format!("{name}.model"))
                .into_iter()
                .map(|(k, v)| (k, Var::from_tensor(&v.to_dtype(dtype).unwrap()).unwrap()))
                .collect();
            let tensors = vars.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
            let model = Seq2Seq::new(&config, VarBuilder::from_tensors(tensors, dtype, &DEV)).unwrap();
            let (sources, targets) = batch(&config);

            let check = |key: &str, got: &Tensor| {
                let want = fixture.get(&format!("{name}.{key}"));
                assert_close(got, &want, tol, tol, &format!("{name} {key} {dtype:?}"));
            };
            let decoded = model.forward_t(&sources, &targets, true).unwrap();
            check("logits", &model.logits(&decoded).unwrap());
            if let Some(attention) = &decoded.attention {
                check("attention", attention);
            }
            let loss = model.loss(&decoded, &sources, &targets, &losses).unwrap();
            check("loss", &loss);
            let grads = loss.backward().unwrap();
            for (key, var) in &vars {
                check(
                    &format!("grad.{key}"),
                    grads.get(var).unwrap_or_else(|| panic!("{name}: no gradient of {key}")),
                );
            }

            let rows = fixture.get(&format!("{name}.greedy")).to_vec2::<i64>().unwrap();
            let lengths = fixture.get(&format!("{name}.greedy_lengths")).to_vec1::<i64>().unwrap();
            let want: Vec<Vec<u32>> = rows
                .iter()
                .zip(lengths)
                .map(|(row, len)| row.iter().take(len as usize).map(|&t| t as u32).collect())
                .collect();
            assert_eq!(model.greedy(&sources, 6).unwrap(), want, "{name} {dtype:?}");

            // Step by step, what the targets read: the same probabilities, with those of copied words, and a sum of one.
            let want = fixture.get(&format!("{name}.p"));
            let mut decoding = model.start(&sources).unwrap();
            for t in 0..targets.inputs().dim(1).unwrap() {
                let tokens =
                    targets.inputs().narrow(1, t, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                let p = model.step(&mut decoding, &tokens).unwrap().log_probs.exp().unwrap();
                assert_close(&p, &want.narrow(1, t, 1).unwrap().squeeze(1).unwrap(), tol, tol, name);
                let sums = p.sum(1).unwrap();
                assert_close(&sums, &sums.ones_like().unwrap(), tol, 0., name);
            }
        }
    }
}

#[test]
fn a_row_is_translated_the_same_alone_and_in_a_batch() {
    let store = ParamStore::new(DType::F64, &DEV, 1);
    let config = Seq2SeqConfig { layers: 2, ..small() };
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let sources = Sources::new(&SOURCES, &config, &DEV).unwrap();
    let State::Lstm(all) = model.encode(&sources, false).unwrap().state else { panic!("an LSTM's state") };
    for (n, row) in SOURCES.iter().enumerate() {
        let alone = Sources::new(&[row], &config, &DEV).unwrap();
        let State::Lstm(state) = model.encode(&alone, false).unwrap().state else {
            panic!("an LSTM's state")
        };
        // Only GEMMs of other heights, summed in another order.
        assert_close(&all.h.narrow(1, n, 1).unwrap(), &state.h, 1e-14, 0., "h");
        assert_close(&all.c.narrow(1, n, 1).unwrap(), &state.c, 1e-14, 0., "c");
    }
}

#[test]
fn one_pass_says_what_single_steps_say_whatever_rows_there_are() {
    let store = ParamStore::new(DType::F64, &DEV, 2);
    let config =
        Seq2SeqConfig { bidirectional_encoder: true, attention: Some(Attention::Additive), ..small() };
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let (sources, targets) = batch(&config);
    let whole = model.forward_t(&sources, &targets, false).unwrap();
    let logits = model.logits(&whole).unwrap();
    let whole = candle_nn::ops::log_softmax(&logits, 2).unwrap();
    let mut decoding = model.start(&sources).unwrap();
    // Rows change their places at every step, and one comes twice.
    let mut rows: Vec<usize> = vec![0, 1, 2, 3];
    for t in 0..whole.dim(1).unwrap() {
        let inputs = targets.inputs().to_vec2::<u32>().unwrap();
        let tokens: Vec<u32> = rows.iter().map(|&row| inputs[row][t]).collect();
        let step = model.step(&mut decoding, &tokens).unwrap();
        assert_eq!(decoding.sources(), rows);
        for (k, &row) in rows.iter().enumerate() {
            let want = whole.get(row).unwrap().get(t).unwrap();
            assert_close(&step.log_probs.get(k).unwrap(), &want, 1e-13, 0., "log-probabilities");
        }
        let order = [rows.len() - 1, 0, 1, 2];
        decoding.select(&order).unwrap();
        rows = order.iter().map(|&k| rows[k]).collect();
    }
    assert!(decoding.select(&[4]).is_err() && decoding.select(&[]).is_err());
}

#[test]
fn scheduled_sampling_puts_in_what_the_model_says() {
    let store = ParamStore::new(DType::F64, &DEV, 2);
    for copy in [false, true] {
        let config = Seq2SeqConfig { attention: Some(Attention::Dot), copy, ..small() };
        let model = Seq2Seq::new(&config, store.vb()).unwrap();
        let (sources, targets) = batch(&config);
        let sampled = |probability: f64, seed: u64| {
            let rng = SharedRng::seed(seed);
            model.scheduled_sampling(&sources, &targets, probability, &rng).unwrap()
        };
        assert_bitwise(sampled(0., 1).inputs(), targets.inputs(), "never");
        let counts = |drawn: &Targets| {
            assert_bitwise(drawn.labels(), targets.labels(), "labels");
            let (drawn, inputs) =
                (drawn.inputs().to_vec2::<u32>().unwrap(), targets.inputs().to_vec2::<u32>().unwrap());
            for (drawn, inputs) in drawn.iter().zip(&inputs) {
                for (t, (drawn, &input)) in drawn.iter().zip(inputs).enumerate() {
                    assert!(*drawn < 8 && (t > 0 && input != 0 || *drawn == input), "bos and padding stay");
                }
            }
            drawn.concat().iter().zip(inputs.concat()).filter(|(a, b)| **a != *b).count()
        };
        // A row of an untrained model says any of 8 tokens: seven of eight are others than the right one.
        let always: usize = (0..40).map(|seed| counts(&sampled(1., seed))).sum();
        let half: usize = (0..40).map(|seed| counts(&sampled(0.5, seed))).sum();
        let places = if copy { 10 } else { 9 } * 40;
        assert!(always > places * 3 / 5 && always < places, "{always} of {places}");
        assert!(half > always / 3 && half < always * 2 / 3, "{half}, {always}");
    }
}

#[test]
fn learns_to_reverse_a_string() {
    let config = Seq2SeqConfig { cell: Cell::Gru, embedding: 16, hidden: 48, ..Seq2SeqConfig::new(9, 9) };
    let store = ParamStore::new(DType::F32, &DEV, 3);
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    let adam = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
    let mut optimizer = Adam::new(store.trainable(), adam).unwrap();
    let mut rng = Rng::seed(7);
    let mut draw = |n: usize| -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
        let rows = (0..n).map(|_| (0..1 + rng.below(4)).map(|_| 4 + rng.below(5) as u32).collect::<Vec<_>>());
        rows.map(|row| (row.clone(), row.into_iter().rev().collect())).unzip()
    };
    for step in 0..200 {
        let (sources, targets) = draw(32);
        let sources = Sources::new(&sources, &config, &DEV).unwrap();
        let targets = Targets::new(&targets, &config, &DEV).unwrap();
        let decoded = model.forward_t(&sources, &targets, true).unwrap();
        let loss = model.loss(&decoded, &sources, &targets, &LossConfig::default()).unwrap();
        // Less at the end: whether the last step is one of those that go too far would be chance.
        optimizer.set_learning_rate(if step < 150 { 0.01 } else { 0.002 });
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
    let (sources, targets) = batch(&config);
    let output = |model: &Seq2Seq, train| model.forward_t(&sources, &targets, train).map(|d| d.output);
    let error = output(&model, true).unwrap_err().to_string();
    assert!(error.contains("with_rng"), "{error}");
    let eval = output(&model, false).unwrap();
    let drop = |seed| output(&model.clone().with_rng(SharedRng::seed(seed)), true).unwrap();
    assert_bitwise(&drop(1), &drop(1), "one seed, one mask");
    let other = |a: &Tensor, b: &Tensor| gdl_tests::max_abs_diff(a, b) > 1e-3;
    assert!(other(&drop(1), &drop(2)) && other(&drop(1), &eval));
}

#[test]
fn wrong_input_is_named() {
    let config = small();
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let model = Seq2Seq::new(&config, store.vb()).unwrap();
    fn text<T>(r: candle_core::Result<T>) -> String {
        r.err().unwrap().to_string()
    }
    let none: [&[u32]; 0] = [];
    let sources = || Sources::new(&SOURCES, &config, &DEV).unwrap();
    let targets = Targets::new(&TARGETS[..2], &config, &DEV).unwrap();
    let bad = |config: Seq2SeqConfig| text(Seq2Seq::new(&config, store.vb().pp("bad")));
    let copying = Seq2SeqConfig { copy: true, attention: Some(Attention::Dot), ..small() };
    let copier = Seq2Seq::new(&copying, store.vb().pp("copier")).unwrap();
    let featured = Seq2SeqConfig { features: Some(Features { values: 2, size: 1 }), ..small() };
    let reader = Seq2Seq::new(&featured, store.vb().pp("reader")).unwrap();
    let all = Targets::new(&TARGETS, &config, &DEV).unwrap();
    for (got, want) in [
        (text(Sources::new(&none, &config, &DEV)), "at least one source row"),
        (text(Sources::new(&[&[3u32][..], &[]], &config, &DEV)), "source row 1 is empty"),
        (text(Sources::new(&[[9u32]], &config, &DEV)), "source row 0 holds token 9"),
        (text(Targets::new(&[[8u32]], &config, &DEV)), "target row 0 holds token 8"),
        (text(sources().copying(&SOURCES[..3], &config)), "one target token for each"),
        (
            text(sources().copying(&[&[4u32, 9, 6, 7][..], &[8, 4], &[5, 5, 5], &[6]], &config)),
            "row 0 copies token 9",
        ),
        (text(sources().with_features(&FEATURES, &config)), "the vocabulary has only 0"),
        (text(model.forward_t(&sources(), &targets, false)), "4 source rows, but 2 target rows"),
        (text(copier.start(&sources())), "Sources::copying"),
        (
            text(
                copier
                    .forward_t(&sources(), &all, false)
                    .and_then(|d| copier.loss(&d, &sources(), &all, &LossConfig::default())),
            ),
            "Sources::copying",
        ),
        (text(reader.start(&sources())), "reads features"),
        (text(model.step(&mut model.start(&sources()).unwrap(), &[2])), "one token for each of 4 rows"),
        (bad(Seq2SeqConfig { eos: 8, ..small() }), "eos is token 8"),
        (bad(Seq2SeqConfig { eos: 0, ..small() }), "eos and pad"),
        (bad(Seq2SeqConfig { hidden: 0, ..small() }), "at least 1"),
        (bad(Seq2SeqConfig { hidden: 5, bidirectional_encoder: true, ..small() }), "the odd 5"),
        (bad(Seq2SeqConfig { copy: true, ..small() }), "copy needs attention"),
        (bad(Seq2SeqConfig { tied: Tied::All, ..small() }), "takes one vocabulary"),
    ] {
        assert!(got.contains(want), "{got:?} does not say {want:?}");
    }
    assert_eq!(model.greedy(&sources(), 0).unwrap(), vec![Vec::<u32>::new(); 4]);
}
