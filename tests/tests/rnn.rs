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

/// Sizes of a drawn batch: rows, steps, inputs, H.
type Sizes = [usize; 4];

/// One step, one row, sizes that fill no vector, and some that fill several.
const SIZES: [Sizes; 8] = [
    [1, 1, 1, 1],
    [1, 2, 3, 1],
    [3, 1, 2, 5],
    [1, 9, 4, 7],
    [5, 2, 1, 16],
    [2, 6, 5, 33],
    [7, 4, 3, 13],
    [26, 3, 17, 40],
];

fn draw_lengths(rng: &SharedRng, [n, t, ..]: Sizes) -> Vec<usize> {
    rng.with(|rng| (0..n).map(|_| 1 + rng.below(t)).collect())
}

/// The outputs of an operator in one flat tensor, and the gradients of a weighted sum of them.
fn differentiate(
    inputs: &[Tensor],
    weigh: &Tensor,
    f: impl Fn(&[Tensor]) -> Result<Vec<Tensor>>,
) -> (Tensor, Vec<Tensor>) {
    let vars: Vec<_> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tracked: Vec<_> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let flat: Vec<_> = f(&tracked).unwrap().iter().map(|t| t.flatten_all().unwrap()).collect();
    let out = Tensor::cat(&flat, 0).unwrap();
    let weigh = weigh.narrow(0, 0, out.elem_count()).unwrap();
    let grads = (&out * weigh).unwrap().sum_all().unwrap().backward().unwrap();
    let zero = |v: &Var| v.zeros_like().unwrap();
    (out.detach(), vars.iter().map(|v| grads.get(v).cloned().unwrap_or_else(|| zero(v))).collect())
}

type Path<'a> = &'a dyn Fn(&[Tensor], SequenceParams<'_>) -> Result<Vec<Tensor>>;

/// Kernel and composition, in f64 and f32, for every direction, with and without lengths.
fn compare_paths(shapes: impl Fn(Sizes) -> Vec<Vec<usize>>, paths: [Path<'_>; 2]) {
    let rng = SharedRng::seed(8);
    for sizes in SIZES {
        let lengths = draw_lengths(&rng, sizes);
        // f32: sums of up to 26 rows x 3 steps, at 6e-8 each, of values of order one.
        for (dtype, tol) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
            let mut inputs: Vec<_> = shapes(sizes).iter().map(|s| randn(&rng, s, dtype)).collect();
            for w in &mut inputs[1..3] {
                // Weights as large as those of a trained layer: larger ones amplify every rounding at every step.
                *w = (&*w / (w.dims()[1] as f64).sqrt()).unwrap();
            }
            let weigh = randn(&rng, &[100_000], dtype);
            for (reverse, padded) in [(false, false), (true, false), (false, true), (true, true)] {
                let params = SequenceParams { reverse, lengths: padded.then_some(lengths.as_slice()) };
                let [got, want] = paths.map(|path| differentiate(&inputs, &weigh, |v| path(v, params)));
                let what = format!("{sizes:?} {dtype:?} reverse {reverse} padded {padded}");
                assert_close(&got.0, &want.0, tol, tol, &format!("{what}: outputs"));
                for (k, (got, want)) in got.1.iter().zip(&want.1).enumerate() {
                    assert_close(got, want, tol, tol, &format!("{what}: gradient of argument {k}"));
                }
            }
        }
    }
}

fn lstm_shapes([n, t, i, h]: Sizes) -> Vec<Vec<usize>> {
    vec![vec![n, t, i], vec![4 * h, i], vec![4 * h, h], vec![4 * h], vec![n, h], vec![n, h]]
}

fn gru_shapes([n, t, i, h]: Sizes) -> Vec<Vec<usize>> {
    vec![vec![n, t, i], vec![3 * h, i], vec![3 * h, h], vec![n, h], vec![3 * h], vec![h]]
}

type LstmPath = fn(
    &Tensor,
    &Tensor,
    &Tensor,
    Option<&Tensor>,
    &Tensor,
    &Tensor,
    SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)>;

type GruPath = fn(
    &Tensor,
    &Tensor,
    &Tensor,
    Option<&Tensor>,
    &Tensor,
    GruReset<'_>,
    SequenceParams<'_>,
) -> Result<(Tensor, Tensor)>;

fn lstm(path: LstmPath, v: &[Tensor], bias: bool, params: SequenceParams<'_>) -> Result<Vec<Tensor>> {
    let (y, h, c) = path(&v[0], &v[1], &v[2], bias.then_some(&v[3]), &v[4], &v[5], params)?;
    Ok(vec![y, h, c])
}

const GRU_FORMS: usize = 4;

fn gru(path: GruPath, v: &[Tensor], form: usize, params: SequenceParams<'_>) -> Result<Vec<Tensor>> {
    let (bias, reset) = match form {
        0 => (None, GruReset::Before),
        1 => (Some(&v[4]), GruReset::Before),
        2 => (None, GruReset::After(None)),
        _ => (Some(&v[4]), GruReset::After(Some(&v[5]))),
    };
    let (y, h) = path(&v[0], &v[1], &v[2], bias, &v[3], reset, params)?;
    Ok(vec![y, h])
}

#[test]
fn the_lstm_kernel_agrees_with_its_composition() {
    for bias in [true, false] {
        compare_paths(
            lstm_shapes,
            [&|v, p| lstm(lstm_sequence, v, bias, p), &|v, p| lstm(reference::lstm_sequence, v, bias, p)],
        );
    }
}

#[test]
fn the_gru_kernel_agrees_with_its_composition() {
    for form in 0..GRU_FORMS {
        compare_paths(
            gru_shapes,
            [&|v, p| gru(gru_sequence, v, form, p), &|v, p| gru(reference::gru_sequence, v, form, p)],
        );
    }
}

fn flat(tensors: Vec<Tensor>) -> Result<Tensor> {
    Tensor::cat(&tensors.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?, 0)
}

#[test]
fn sequence_gradients_are_slopes() {
    let rng = SharedRng::seed(5);
    for params in [
        SequenceParams::default(),
        SequenceParams { reverse: true, lengths: None },
        SequenceParams { reverse: false, lengths: Some(&[2, 3]) },
        SequenceParams { reverse: true, lengths: Some(&[1, 3]) },
    ] {
        let draw = |shapes: Vec<Vec<usize>>| -> Vec<_> {
            shapes.iter().map(|s| randn(&rng, s, DType::F64)).collect()
        };
        // Central differences: eps^2 of curvature and 1e-16 / eps of rounding, both near 1e-10.
        let inputs = draw(lstm_shapes([2, 3, 2, 2]));
        for path in [lstm_sequence, reference::lstm_sequence] {
            check_gradients(|v| flat(lstm(path, v, true, params)?), &inputs, 1e-5, 1e-8);
        }
        let inputs = draw(gru_shapes([2, 3, 2, 2]));
        for path in [gru_sequence, reference::gru_sequence] {
            for form in [1, 3] {
                check_gradients(|v| flat(gru(path, v, form, params)?), &inputs, 1e-5, 1e-8);
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let rng = SharedRng::seed(9);
    let sizes = [7, 5, 6, 20];
    let lengths = draw_lengths(&rng, sizes);
    let params = SequenceParams { reverse: true, lengths: Some(&lengths) };
    let draw =
        |shapes: Vec<Vec<usize>>| -> Vec<_> { shapes.iter().map(|s| randn(&rng, s, DType::F32)).collect() };
    let (lstm_inputs, gru_inputs) = (draw(lstm_shapes(sizes)), draw(gru_shapes(sizes)));
    let weigh = randn(&rng, &[10_000], DType::F32);
    let compute = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let a = differentiate(&lstm_inputs, &weigh, |v| lstm(lstm_sequence, v, true, params));
            let b = differentiate(&gru_inputs, &weigh, |v| gru(gru_sequence, v, 3, params));
            [vec![a.0], a.1, vec![b.0], b.1].concat()
        })
    };
    let one = compute(1);
    for threads in [2, 3, 8] {
        for (got, want) in compute(threads).iter().zip(&one) {
            assert_bitwise(got, want, &format!("{threads} threads"));
        }
    }
}

#[test]
fn a_frozen_layer_passes_gradients_on() {
    let rng = SharedRng::seed(3);
    let x = Var::from_tensor(&randn(&rng, &[2, 3, 4], DType::F32)).unwrap();
    let store = ParamStore::new(DType::F32, &DEV, 1);
    Lstm::new(&LstmConfig::new(4, 5), store.vb()).unwrap();
    let constants = store.tensors().into_iter().map(|(k, t)| (k, t.detach())).collect();
    let vb = VarBuilder::from_tensors(constants, DType::F32, &DEV);
    let frozen = Lstm::new(&LstmConfig::new(4, 5), vb).unwrap();
    let grads = frozen.forward(&x, None).unwrap().0.sum_all().unwrap().backward().unwrap();
    assert_eq!(grads.get(&x).unwrap().dims(), [2, 3, 4]);
    // And nothing to differentiate at all.
    frozen.forward(&x.as_tensor().detach(), None).unwrap();
}

#[test]
fn a_long_sequence_trains() {
    // candle walks the graph by recursion: composed of single steps, this overflows the stack.
    if gdl_kernels::force_reference() {
        return;
    }
    let x = Var::from_tensor(&randn(&SharedRng::seed(3), &[1, 20_000, 2], DType::F32)).unwrap();
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let lstm = Lstm::new(&LstmConfig::new(2, 3), store.vb().pp("lstm")).unwrap();
    let gru = Gru::new(&GruConfig::new(3, 3), store.vb().pp("gru")).unwrap();
    let (y, _) = gru.forward(&lstm.forward(&x, None).unwrap().0, None).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(grads.get(&x).unwrap().dims(), [1, 20_000, 2]);
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
