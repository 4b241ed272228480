//! Recurrent layers: parity with PyTorch, finite differences, state, padding, initial values, errors.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{
    Embedding, EmbeddingConfig, Gru, GruConfig, GruReset, GruState, Lstm, LstmConfig, LstmState,
    SequenceParams, gru_sequence, linear, lstm_sequence, reference,
};
use gdl_tests::{Fixture, assert_bitwise, assert_close, check_gradients};
use gdl_train::ParamStore;
use std::collections::HashMap;

const DEV: Device = Device::Cpu;

/// f64: both sides round some hundred operations at 1e-16 each. f32 against the f64 fixture: the same at 6e-8.
const TOLERANCES: [(DType, f64); 2] = [(DType::F64, 1e-12), (DType::F32, 1e-5)];

struct Case {
    name: String,
    dtype: DType,
    tol: f64,
    fixture: Fixture,
    vars: HashMap<String, Var>,
}

impl Case {
    fn load(name: &str, dtype: DType, tol: f64) -> Self {
        let fixture = Fixture::load("rnn");
        let vars = fixture
            .vars(name)
            .into_iter()
            .map(|(k, v)| (k, Var::from_tensor(&v.to_dtype(dtype).unwrap()).unwrap()))
            .collect();
        Self { name: name.into(), dtype, tol, fixture, vars }
    }

    fn vb(&self) -> VarBuilder<'static> {
        let tensors = self.vars.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
        VarBuilder::from_tensors(tensors, self.dtype, &DEV)
    }

    fn var(&self, key: &str) -> Option<Tensor> {
        self.vars.get(key).map(|v| v.as_tensor().clone())
    }

    fn check(&self, key: &str, got: &Tensor) {
        let (name, dtype) = (&self.name, self.dtype);
        let want = self.fixture.get(&format!("{name}.{key}"));
        assert_close(got, &want, self.tol, self.tol, &format!("{name} {key} {dtype:?}"));
    }

    /// Compares outputs, and every gradient there is in the fixture.
    fn finish(&self, y: &Tensor, h: &Tensor, c: Option<&Tensor>) {
        self.check("y", y);
        self.check("h_n", h);
        let dot = |a: &Tensor, key: &str| (a * self.var(key).unwrap()).unwrap().sum_all().unwrap();
        let mut loss = (dot(y, "gy") + dot(h, "gh")).unwrap();
        if let Some(c) = c {
            self.check("c_n", c);
            loss = (loss + dot(c, "gc")).unwrap();
        }
        let grads = loss.backward().unwrap();
        let mut checked = 0;
        for (key, var) in &self.vars {
            let grad_key = format!("grad.{key}");
            if self.vars.contains_key(&grad_key) {
                self.check(&grad_key, grads.get(var).unwrap());
                checked += 1;
            }
        }
        assert!(checked >= 3, "{}: only {checked} gradients compared", self.name);
    }
}

fn lengths(name: &str) -> Option<&'static [usize]> {
    name.contains("padded").then_some(&[3, 5, 1])
}

#[test]
fn lstm_agrees_with_pytorch() {
    for (name, layers, bi) in [
        ("lstm_l1_d1", 1, false),
        ("lstm_l1_d2", 1, true),
        ("lstm_l2_d1", 2, false),
        ("lstm_l2_d2", 2, true),
        ("lstm_no_state", 1, false),
        ("lstm_no_bias", 1, false),
        ("lstm_padded", 2, true),
    ] {
        for (dtype, tol) in TOLERANCES {
            let case = Case::load(name, dtype, tol);
            let config =
                LstmConfig::new(4, 3).num_layers(layers).bidirectional(bi).bias(name != "lstm_no_bias");
            let lstm = Lstm::new(&config, case.vb()).unwrap();
            let state = case.var("h0").map(|h| LstmState { h, c: case.var("c0").unwrap() });
            let x = case.var("x").unwrap();
            let (y, end) = match lengths(name) {
                Some(lengths) => lstm.forward_padded(&x, lengths, state.as_ref(), true),
                None => lstm.forward(&x, state.as_ref()),
            }
            .unwrap();
            case.finish(&y, &end.h, Some(&end.c));
        }
    }
}

#[test]
fn gru_agrees_with_pytorch_in_both_forms() {
    for (name, layers, bi) in [
        ("gru_l1_d1", 1, false),
        ("gru_l1_d2", 1, true),
        ("gru_l2_d1", 2, false),
        ("gru_l2_d2", 2, true),
        ("gru_no_state", 1, false),
        ("gru_no_bias", 1, false),
        ("gru_padded", 2, true),
        ("gru_before_l1_d1", 1, false),
        ("gru_before_l2_d2", 2, true),
    ] {
        for (dtype, tol) in TOLERANCES {
            let case = Case::load(name, dtype, tol);
            let config = GruConfig::new(4, 3)
                .num_layers(layers)
                .bidirectional(bi)
                .bias(name != "gru_no_bias")
                .reset_after(!name.contains("before"));
            let gru = Gru::new(&config, case.vb()).unwrap();
            let state = case.var("h0").map(|h| GruState { h });
            let x = case.var("x").unwrap();
            let (y, end) = match lengths(name) {
                Some(lengths) => gru.forward_padded(&x, lengths, state.as_ref(), true),
                None => gru.forward(&x, state.as_ref()),
            }
            .unwrap();
            case.finish(&y, &end.h, None);
        }
    }
}

fn randn(rng: &SharedRng, shape: &[usize], dtype: DType) -> Tensor {
    rng.randn(shape, dtype, &DEV).unwrap()
}

const DIRECTIONS: [SequenceParams<'static>; 4] = [
    SequenceParams { reverse: false, lengths: None },
    SequenceParams { reverse: true, lengths: None },
    SequenceParams { reverse: false, lengths: Some(&[2, 3]) },
    SequenceParams { reverse: true, lengths: Some(&[1, 3]) },
];

#[test]
fn lstm_sequence_gradients_are_right() {
    let rng = SharedRng::seed(5);
    let inputs = [[2, 3, 8].as_slice(), &[8, 2], &[2, 2], &[2, 2]].map(|s| randn(&rng, s, DType::F64));
    for params in DIRECTIONS {
        for path in [lstm_sequence, reference::lstm_sequence] {
            let f = |v: &[Tensor]| -> Result<Tensor> {
                let (y, h, c) = path(&v[0], &v[1], &v[2], &v[3], params)?;
                Tensor::cat(&[y.flatten_all()?, h.flatten_all()?, c.flatten_all()?], 0)
            };
            // Central differences: eps^2 of curvature and 1e-16 / eps of rounding, both near 1e-10.
            check_gradients(f, &inputs, 1e-5, 1e-8);
        }
    }
}

#[test]
fn gru_sequence_gradients_are_right() {
    let rng = SharedRng::seed(6);
    let inputs = [[2, 3, 6].as_slice(), &[6, 2], &[2, 2], &[2]].map(|s| randn(&rng, s, DType::F64));
    for params in DIRECTIONS {
        for path in [gru_sequence, reference::gru_sequence] {
            for form in 0..3 {
                let f = |v: &[Tensor]| -> Result<Tensor> {
                    let reset = match form {
                        0 => GruReset::Before,
                        1 => GruReset::After(None),
                        _ => GruReset::After(Some(&v[3])),
                    };
                    let (y, h) = path(&v[0], &v[1], &v[2], reset, params)?;
                    Tensor::cat(&[y.flatten_all()?, h.flatten_all()?], 0)
                };
                check_gradients(f, &inputs, 1e-5, 1e-8);
            }
        }
    }
}

#[test]
fn the_state_carries_a_sequence_on() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let x = randn(&SharedRng::seed(1), &[2, 7, 4], DType::F32);
    let (a, b) = (x.narrow(1, 0, 3).unwrap(), x.narrow(1, 3, 4).unwrap());
    let lstm = Lstm::new(&LstmConfig::new(4, 5).num_layers(2), store.vb().pp("lstm")).unwrap();
    let (whole, end) = lstm.forward(&x, None).unwrap();
    let (first, state) = lstm.forward(&a, None).unwrap();
    let (second, state) = lstm.forward(&b, Some(&state.detach())).unwrap();
    // GEMMs of other heights may sum in another order: a few roundings of 6e-8.
    assert_close(&Tensor::cat(&[first, second], 1).unwrap(), &whole, 1e-6, 0., "lstm outputs");
    assert_close(&state.c, &end.c, 1e-6, 0., "lstm c");
    for reset_after in [true, false] {
        let config = GruConfig::new(4, 5).num_layers(2).reset_after(reset_after);
        let gru = Gru::new(&config, store.vb().pp("gru")).unwrap();
        let (whole, _) = gru.forward(&x, None).unwrap();
        let (first, state) = gru.forward(&a, None).unwrap();
        let (second, _) = gru.forward(&b, Some(&state.detach())).unwrap();
        assert_close(&Tensor::cat(&[first, second], 1).unwrap(), &whole, 1e-6, 0., "gru outputs");
    }
}

#[test]
fn padding_influences_nothing() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let rng = SharedRng::seed(1);
    let config = LstmConfig::new(4, 5).num_layers(2).bidirectional(true);
    let lstm = Lstm::new(&config, store.vb()).unwrap();
    let x = randn(&rng, &[2, 6, 4], DType::F32);
    // The same first row, with other things after its end.
    let other =
        Tensor::cat(&[x.narrow(1, 0, 3).unwrap(), (randn(&rng, &[2, 3, 4], DType::F32) * 100.).unwrap()], 1)
            .unwrap();
    let (y, s) = lstm.forward_padded(&x, &[3, 3], None, false).unwrap();
    let (y2, s2) = lstm.forward_padded(&other, &[3, 3], None, false).unwrap();
    let (alone, s3) = lstm.forward(&x.narrow(1, 0, 3).unwrap(), None).unwrap();
    assert_bitwise(&y, &y2, "outputs");
    assert_bitwise(&s.c, &s2.c, "state");
    // Other GEMM heights, a few roundings.
    assert_close(&y.narrow(1, 0, 3).unwrap(), &alone, 1e-6, 0., "outputs");
    assert_close(&s.h, &s3.h, 1e-6, 0., "state");
    assert_eq!(y.narrow(1, 3, 3).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap(), 0.);
}

#[test]
fn dropout_acts_between_layers_only_and_only_in_training() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let x = randn(&SharedRng::seed(1), &[3, 4, 4], DType::F32);
    for (layers, differs) in [(1, false), (2, true)] {
        let config = LstmConfig::new(4, 6).num_layers(layers).dropout(0.5);
        let plain = Lstm::new(&config, store.vb()).unwrap();
        let error = plain.forward_t(&x, None, true).map(|_| ());
        let dropping = plain.clone().with_rng(SharedRng::seed(4));
        let again = plain.clone().with_rng(SharedRng::seed(4));
        let (eval, _) = plain.forward(&x, None).unwrap();
        let (train, _) = dropping.forward_t(&x, None, true).unwrap();
        let (same_seed, _) = again.forward_t(&x, None, true).unwrap();
        assert_bitwise(&train, &same_seed, "one seed, one mask");
        assert_bitwise(&dropping.forward(&x, None).unwrap().0, &eval, "no dropout outside training");
        assert_eq!(
            (&train - &eval).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 0.,
            differs
        );
        if differs {
            assert!(error.unwrap_err().to_string().contains("with_rng"));
        }
    }
}

#[test]
fn initial_values_are_pytorchs() {
    let store = ParamStore::new(DType::F32, &DEV, 3);
    Lstm::new(&LstmConfig::new(7, 16).num_layers(2).bidirectional(true), store.vb().pp("rnn")).unwrap();
    Gru::new(&GruConfig::new(7, 16), store.vb().pp("gru")).unwrap();
    linear(16, 50, store.vb().pp("head")).unwrap();
    let vars = store.vars();
    assert_eq!(vars.len(), 16 + 4 + 2);
    for (name, shape) in [
        ("rnn.weight_ih_l0", vec![64, 7]),
        ("rnn.weight_ih_l1_reverse", vec![64, 32]),
        ("rnn.weight_hh_l1", vec![64, 16]),
        ("rnn.bias_hh_l0_reverse", vec![64]),
        ("gru.weight_ih_l0", vec![48, 7]),
        ("head.weight", vec![50, 16]),
    ] {
        assert_eq!(vars[name].dims(), shape, "{name}");
    }
    for (name, var) in &vars {
        // All layers here have H or fan-in 16: U(-1/4, 1/4). The largest of 48 or more draws is above 0.2 with
        // a probability of at least 1 - 0.8^48.
        let max = var.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((0.2..=0.25).contains(&max), "{name}: {max}");
    }
    let embedding = Embedding::new(&EmbeddingConfig::new(200, 50), store.vb().pp("e")).unwrap();
    let sqr = embedding.weight().sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
    // Variance of 10,000 normal draws: standard error sqrt(2 / 10000) = 0.014; five of those.
    assert!((sqr - 1.).abs() < 0.07, "{sqr}");
}

#[test]
fn embedding_gradients_add_up_over_repeated_tokens() {
    let weight = Var::zeros((4, 2), DType::F32, &DEV).unwrap();
    let vb = VarBuilder::from_tensors(
        HashMap::from([("weight".to_string(), weight.as_tensor().clone())]),
        DType::F32,
        &DEV,
    );
    let embedding = Embedding::new(&EmbeddingConfig::new(4, 2), vb).unwrap();
    let ids = Tensor::new(&[[1u32, 1, 3], [1, 0, 3]], &DEV).unwrap();
    let grads = embedding.forward(&ids).unwrap().sum_all().unwrap().backward().unwrap();
    let grad = grads.get(&weight).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(grad, [[1., 1.], [3., 3.], [0., 0.], [2., 2.]]);
    assert!(embedding.forward(&Tensor::new(&[4u32], &DEV).unwrap()).is_err());
}

#[test]
fn wrong_sizes_are_named() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let lstm = Lstm::new(&LstmConfig::new(4, 5), store.vb().pp("l")).unwrap();
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &DEV).unwrap();
    let state = |shape: &[usize]| LstmState { h: zeros(shape), c: zeros(&[1, 2, 5]) };
    let x = zeros(&[2, 3, 4]);
    let message = |r: Result<(Tensor, LstmState)>| r.unwrap_err().to_string();
    for (got, want) in [
        (message(lstm.forward(&zeros(&[2, 3, 7]), None)), "(N, T, 4)"),
        (message(lstm.forward(&zeros(&[3, 4]), None)), "(N, T, 4)"),
        (message(lstm.forward(&zeros(&[2, 0, 4]), None)), "T = 0"),
        (message(lstm.forward(&zeros(&[0, 3, 4]), None)), "N = 0"),
        (message(lstm.forward(&x, Some(&state(&[1, 3, 5])))), "(1, 2, 5)"),
        (message(lstm.forward_padded(&x, &[3], None, false)), "one length per row"),
        (message(lstm.forward_padded(&x, &[3, 0], None, false)), "row 1"),
        (message(lstm.forward_padded(&x, &[4, 1], None, false)), "row 0"),
    ] {
        assert!(got.contains(want), "{got:?} does not say {want:?}");
    }
    for config in [LstmConfig::new(0, 5), LstmConfig::new(4, 5).num_layers(0)] {
        assert!(Lstm::new(&config, store.vb().pp("bad")).unwrap_err().to_string().contains("at least 1"));
    }
    let dropout = GruConfig::new(4, 5).dropout(1.);
    assert!(Gru::new(&dropout, store.vb().pp("bad")).unwrap_err().to_string().contains("dropout"));
}
