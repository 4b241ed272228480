//! Recurrent layers: parity with PyTorch, finite differences, state, padding, initial values, errors.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Module, Result, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{
    Embedding, EmbeddingConfig, Gru, GruConfig, GruReset, GruState, LayerNorm, Lstm, LstmCell, LstmConfig,
    LstmNorm, LstmState, SequenceParams, Zoneout, gru_sequence, linear, lstm_sequence, reference,
};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, check_gradients, on_device};
use gdl_train::ParamStore;
use std::collections::HashMap;

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
        Self::load_from("rnn", name, dtype, tol)
    }

    fn load_from(file: &str, name: &str, dtype: DType, tol: f64) -> Self {
        let fixture = Fixture::load(file);
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
///
/// In f32: sums of up to 26 rows x 3 steps, at 6e-8 each, of values of order one; `amplify` times that.
fn compare_paths(shapes: impl Fn(Sizes) -> Vec<Vec<usize>>, amplify: f64, paths: [Path<'_>; 2]) {
    let rng = SharedRng::seed(8);
    for sizes in SIZES {
        let lengths = draw_lengths(&rng, sizes);
        for (dtype, tol) in [(DType::F64, 1e-12 * amplify), (DType::F32, 2e-5 * amplify)] {
            let mut inputs: Vec<_> = shapes(sizes).iter().map(|s| randn(&rng, s, dtype)).collect();
            // The matrices: to the gates, and the projection, if there is one.
            for w in inputs
                .iter_mut()
                .enumerate()
                .filter(|(k, w)| [1, 2, 6].contains(k) && w.rank() == 2)
                .map(|(_, w)| w)
            {
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

/// What is unusual about an LSTM cell.
#[derive(Debug, Clone, Copy, Default)]
struct Options {
    bias: bool,
    proj: bool,
    norm: bool,
    zoneout: bool,
}

const OPTIONS: [Options; 6] = [
    Options { bias: false, proj: false, norm: false, zoneout: false },
    Options { bias: true, proj: false, norm: false, zoneout: false },
    Options { bias: true, proj: true, norm: false, zoneout: false },
    Options { bias: false, proj: false, norm: true, zoneout: false },
    Options { bias: true, proj: false, norm: false, zoneout: true },
    Options { bias: false, proj: true, norm: true, zoneout: true },
];

impl Options {
    /// Features of an output.
    fn outputs(self, h: usize) -> usize {
        if self.proj { h.div_ceil(2) } else { h }
    }

    /// x, `w_ih`, `w_hh`, bias, h0, c0, `w_hr`, and the gains and shifts of the three norms.
    fn shapes(self, [n, t, i, h]: Sizes) -> Vec<Vec<usize>> {
        let p = self.outputs(h);
        let mut shapes = vec![
            vec![n, t, i],
            vec![4 * h, i],
            vec![4 * h, p],
            vec![4 * h],
            vec![n, p],
            vec![n, h],
            vec![p, h],
        ];
        shapes.extend([4 * h, 4 * h, 4 * h, 4 * h, h, h].map(|size| vec![size]));
        shapes
    }
}

fn gru_shapes([n, t, i, h]: Sizes) -> Vec<Vec<usize>> {
    vec![vec![n, t, i], vec![3 * h, i], vec![3 * h, h], vec![n, h], vec![3 * h], vec![h]]
}

type LstmPath =
    fn(&Tensor, &LstmCell<'_>, &Tensor, &Tensor, SequenceParams<'_>) -> Result<(Tensor, Tensor, Tensor)>;

type GruPath = fn(
    &Tensor,
    &Tensor,
    &Tensor,
    Option<&Tensor>,
    &Tensor,
    GruReset<'_>,
    SequenceParams<'_>,
) -> Result<(Tensor, Tensor)>;

fn lstm(path: LstmPath, v: &[Tensor], options: Options, params: SequenceParams<'_>) -> Result<Vec<Tensor>> {
    let norm = |k: usize| LayerNorm { weight: &v[k], bias: &v[k + 1] };
    let (n, t, _) = v[0].dims3()?;
    // Drawn once more for every call, but the same.
    let rng = SharedRng::seed(77);
    let keep = |size: usize| rng.rand((n, t, size), 0., 1., v[0].dtype(), &DEV);
    let (keep_h, keep_c) = (keep(v[4].dim(1)?)?, keep(v[5].dim(1)?)?);
    let cell = LstmCell {
        bias: options.bias.then_some(&v[3]),
        w_hr: options.proj.then_some(&v[6]),
        norm: options.norm.then(|| LstmNorm { ih: norm(7), hh: norm(9), c: norm(11) }),
        zoneout: options.zoneout.then_some(Zoneout { h: &keep_h, c: &keep_c }),
        ..LstmCell::new(&v[1], &v[2])
    };
    let (y, h, c) = path(&v[0], &cell, &v[4], &v[5], params)?;
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
    for options in OPTIONS {
        // A normalisation divides by a standard deviation, which may be small, and so do all gradients through it: a row
        // of four drawn numbers has one below 0.1 now and then, and several steps follow each other.
        let amplify = if options.norm { 100. } else { 1. };
        compare_paths(
            |sizes| options.shapes(sizes),
            amplify,
            [&|v, p| lstm(lstm_sequence, v, options, p), &|v, p| {
                lstm(reference::lstm_sequence, v, options, p)
            }],
        );
    }
}

#[test]
fn the_gru_kernel_agrees_with_its_composition() {
    for form in 0..GRU_FORMS {
        compare_paths(
            gru_shapes,
            1.,
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
        for options in OPTIONS {
            let inputs = draw(options.shapes([2, 3, 2, 3]));
            // Layer normalisation bends more.
            let tol = if options.norm { 1e-6 } else { 1e-8 };
            for path in [lstm_sequence, reference::lstm_sequence] {
                check_gradients(|v| flat(lstm(path, v, options, params)?), &inputs, 1e-5, tol);
            }
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
    let gru_inputs = draw(gru_shapes(sizes));
    let lstm_inputs = OPTIONS.map(|options| (options, draw(options.shapes(sizes))));
    let weigh = randn(&rng, &[10_000], DType::F32);
    let compute = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (y, grads) = differentiate(&gru_inputs, &weigh, |v| gru(gru_sequence, v, 3, params));
            let mut all = [vec![y], grads].concat();
            for (options, inputs) in &lstm_inputs {
                let (y, grads) = differentiate(inputs, &weigh, |v| lstm(lstm_sequence, v, *options, params));
                all.push(y);
                all.extend(grads);
            }
            all
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
    // candle walks the graph by recursion: composed of single steps, this overflows the stack. On CUDA layers with
    // normalisation, projection or zoneout are.
    if gdl_kernels::force_reference() || on_device() {
        return;
    }
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let table = Embedding::new(&EmbeddingConfig::new(5, 2), store.vb().pp("table")).unwrap();
    let config = LstmConfig::new(2, 4).num_layers(2).bidirectional(true).proj_size(3).layer_norm(true);
    let config = config.zoneout(0.1, 0.1).weight_drop(0.2).dropout(0.1).locked_dropout(true);
    let lstm = Lstm::new(&config, store.vb().pp("lstm")).unwrap().with_rng(SharedRng::seed(1));
    let gru = Gru::new(&GruConfig::new(6, 3), store.vb().pp("gru")).unwrap();
    let ids = Tensor::from_vec((0..20_000u32).map(|i| i * i % 5).collect(), (1, 20_000), &DEV).unwrap();
    let (y, _) = lstm.forward_tokens(&table, &ids, None, true).unwrap();
    let (y, _) = gru.forward(&y, None).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    for (name, var) in store.vars() {
        let sum = grads.get(&var).unwrap().abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(sum.is_finite() && sum > 0., "{name}: {sum}");
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
    // A GPU would have to be waited for; there such a row is NaN.
    assert!(on_device() || embedding.forward(&Tensor::new(&[4u32], &DEV).unwrap()).is_err());
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
    for (config, want) in [
        (LstmConfig::new(4, 5).proj_size(5), "proj_size"),
        (LstmConfig::new(4, 5).weight_drop(1.), "weight_drop"),
        (LstmConfig::new(4, 5).zoneout(-0.1, 0.), "zoneout_h"),
        (LstmConfig::new(4, 5).zoneout(0., 2.), "zoneout_c"),
    ] {
        assert!(Lstm::new(&config, store.vb().pp("bad")).unwrap_err().to_string().contains(want), "{want}");
    }
    let (w_ih, w_hh, h, c) = (zeros(&[8, 4]), zeros(&[8, 2]), zeros(&[2, 2]), zeros(&[2, 2]));
    let plain = LstmCell::new(&w_ih, &w_hh);
    let run = |cell: LstmCell<'_>| lstm_sequence(&x, &cell, &h, &c, SequenceParams::default()).unwrap_err();
    let short = zeros(&[7]);
    assert!(run(LstmCell { bias: Some(&short), ..plain }).to_string().contains("bias (gates * H)"));
    assert!(run(LstmCell { w_hr: Some(&w_ih), ..plain }).to_string().contains("w_hh"));
    let keep = Zoneout { h: &h, c: &c };
    assert!(run(LstmCell { zoneout: Some(keep), ..plain }).to_string().contains("zoneout h (N, T, P)"));
    let norm = LayerNorm { weight: &short, bias: &short };
    let norm = LstmNorm { ih: norm, hh: norm, c: norm };
    assert!(run(LstmCell { norm: Some(norm), ..plain }).to_string().contains("norm ih weight"));
}

#[test]
fn old_configurations_load_and_unknown_keys_do_not() {
    let old = r#"{"input_size": 4, "hidden_size": 5, "num_layers": 2, "bidirectional": false, "dropout": 0.1, "bias": true}"#;
    let config: LstmConfig = serde_json::from_str(old).unwrap();
    assert_eq!(config, LstmConfig::new(4, 5).num_layers(2).dropout(0.1));
    let config: GruConfig = serde_json::from_str(r#"{"input_size": 4, "hidden_size": 5}"#).unwrap();
    assert_eq!(config, GruConfig::new(4, 5));
    let unknown = r#"{"input_size": 4, "hidden_size": 5, "peepholes": true}"#;
    assert!(serde_json::from_str::<LstmConfig>(unknown).is_err());
}

/// PyTorch itself for the projection; loops over its tensors for what `torch.nn.LSTM` does not have.
#[test]
fn lstm_options_agree_with_pytorch() {
    let config = LstmConfig::new(4, 5);
    for (name, config) in [
        ("lstm_proj", config.clone().proj_size(3)),
        ("lstm_proj_padded", config.clone().proj_size(2).num_layers(2).bidirectional(true)),
        ("lstm_norm", config.clone().layer_norm(true).num_layers(2).bidirectional(true)),
        ("lstm_norm_proj_zoneout", config.clone().layer_norm(true).proj_size(3).zoneout(0.1, 0.3)),
        ("lstm_zoneout", config.clone().num_layers(2).bidirectional(true).zoneout(0.2, 0.4)),
        ("lstm_forget_bias", config.clone().forget_bias(1.)),
        ("lstm_norm_forget_bias", config.layer_norm(true).forget_bias(1.)),
    ] {
        for (dtype, tol) in TOLERANCES {
            // As in the comparison of kernel and composition: normalising amplifies.
            let tol = if config.layer_norm { tol * 20. } else { tol };
            let case = Case::load_from("rnn_options", name, dtype, tol);
            let lstm = Lstm::new(&config, case.vb()).unwrap();
            let state = LstmState { h: case.var("h0").unwrap(), c: case.var("c0").unwrap() };
            let x = case.var("x").unwrap();
            let (y, end) = match lengths(name) {
                Some(lengths) => lstm.forward_padded(&x, lengths, Some(&state), false),
                None => lstm.forward(&x, Some(&state)),
            }
            .unwrap();
            case.finish(&y, &end.h, Some(&end.c));
        }
    }
}

/// Masks drawn by PyTorch, applied where AWD-LSTM and zoneout apply them.
#[test]
fn lstm_with_masks_agrees_with_pytorch() {
    for (dtype, tol) in TOLERANCES {
        let case = Case::load_from("rnn_options", "lstm_masks", dtype, tol);
        let var = |key: &str| case.var(key).unwrap();
        let (h0, c0) = (var("h0"), var("c0"));
        let mut x = var("x");
        let (mut hs, mut cs) = (Vec::new(), Vec::new());
        for layer in 0..2 {
            let name = |key: &str| var(&format!("{key}_l{layer}"));
            let w_hh = (name("weight_hh") * name("mask_hh")).unwrap(); // weight drop
            let bias = (name("bias_ih") + name("bias_hh")).unwrap();
            let (w_ih, keep_h, keep_c) = (name("weight_ih"), name("keep_h"), name("keep_c"));
            let zoneout = Some(Zoneout { h: &keep_h, c: &keep_c });
            let cell = LstmCell { bias: Some(&bias), zoneout, ..LstmCell::new(&w_ih, &w_hh) };
            let state = (h0.get(layer).unwrap(), c0.get(layer).unwrap());
            let (y, h, c) = lstm_sequence(&x, &cell, &state.0, &state.1, SequenceParams::default()).unwrap();
            // Locked dropout: one mask for all steps.
            x = if layer == 0 { y.broadcast_mul(&var("mask_locked")).unwrap() } else { y };
            hs.push(h);
            cs.push(c);
        }
        case.finish(&x, &Tensor::stack(&hs, 0).unwrap(), Some(&Tensor::stack(&cs, 0).unwrap()));
    }
}

/// Largest absolute difference from zero.
fn largest(t: &Tensor) -> f64 {
    t.abs().unwrap().max_all().unwrap().to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

#[test]
fn weight_drop_drops_recurrent_weights_once_per_call() {
    let store = ParamStore::new(DType::F64, &DEV, 1);
    let x = randn(&SharedRng::seed(1), &[3, 4, 4], DType::F64);
    let dropping = Lstm::new(&LstmConfig::new(4, 6).weight_drop(0.5), store.vb()).unwrap();
    let error = dropping.forward_t(&x, None, true).unwrap_err().to_string();
    assert!(error.contains("with_rng"), "{error}");
    let (plain, _) = dropping.forward(&x, None).unwrap();
    let dropping = dropping.with_rng(SharedRng::seed(4));
    let (y, _) = dropping.forward_t(&x, None, true).unwrap();

    let w = store.vars()["weight_hh_l0"].clone();
    let dropout = gdl_kernels::rng::Dropout::new(0.5, SharedRng::seed(4)).unwrap();
    let mask = dropout.mask(w.shape(), DType::F64, &DEV).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    let grad = grads.get(&w).unwrap();
    let off = mask.eq(0f64).unwrap().to_dtype(DType::F64).unwrap();
    assert_eq!(largest(&(grad * &off).unwrap()), 0., "a dropped weight has no gradient");
    assert!(largest(&(grad * &mask).unwrap()) > 0.);

    let mut tensors: HashMap<String, Tensor> = store.tensors().into_iter().collect();
    tensors.insert("weight_hh_l0".into(), (w.as_detached_tensor() * mask).unwrap());
    let vb = VarBuilder::from_tensors(tensors, DType::F64, &DEV);
    let by_hand = Lstm::new(&LstmConfig::new(4, 6), vb).unwrap();
    assert_bitwise(&y, &by_hand.forward(&x, None).unwrap().0, "the mask is that of the generator");
    assert!(largest(&(&y - &plain).unwrap()) > 0.);
    assert_bitwise(&dropping.forward(&x, None).unwrap().0, &plain, "no weight drop outside training");
}

#[test]
fn locked_dropout_drops_the_same_features_at_every_step() {
    let x = Tensor::ones((3, 5, 40), DType::F32, &DEV).unwrap();
    let dropout = gdl_kernels::rng::Dropout::new(0.5, SharedRng::seed(4)).unwrap();
    let y = dropout.forward_locked(&x).unwrap();
    let first = y.narrow(1, 0, 1).unwrap().broadcast_as((3, 5, 40)).unwrap();
    assert_bitwise(&y, &first.contiguous().unwrap(), "all steps");
    let rows = y.get(0).unwrap().get(0).unwrap().ne(&y.get(1).unwrap().get(0).unwrap()).unwrap();
    let differing = rows.to_dtype(DType::F32).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(differing > 0., "rows have masks of their own");

    // Between the layers of a stack: the same network with and without the lock differs.
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let x = randn(&SharedRng::seed(1), &[3, 4, 4], DType::F32);
    let config = GruConfig::new(4, 6).num_layers(2).dropout(0.5);
    let run = |locked: bool| {
        let gru = Gru::new(&config.clone().locked_dropout(locked), store.vb()).unwrap();
        gru.with_rng(SharedRng::seed(4)).forward_t(&x, None, true).unwrap().0
    };
    assert!(largest(&(run(true) - run(false)).unwrap()) > 0.);
}

#[test]
fn zoneout_keeps_state_in_training_and_its_mean_outside() {
    let store = ParamStore::new(DType::F64, &DEV, 1);
    let lstm = |h: f64, c: f64| Lstm::new(&LstmConfig::new(4, 50).zoneout(h, c), store.vb()).unwrap();
    let x = randn(&SharedRng::seed(1), &[3, 2, 4], DType::F64);
    let error = lstm(0.5, 0.).forward_t(&x, None, true).unwrap_err().to_string();
    assert!(error.contains("with_rng"), "{error}");
    let (y, _) = lstm(0.5, 0.).with_rng(SharedRng::seed(2)).forward_t(&x, None, true).unwrap();
    let (first, second) = (y.narrow(1, 0, 1).unwrap(), y.narrow(1, 1, 1).unwrap());
    let share =
        |kept: Tensor| kept.to_dtype(DType::F64).unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap();
    // 150 draws at 1/2: standard deviation 0.04; five of those.
    assert!((share(first.eq(0f64).unwrap()) - 0.5).abs() < 0.2, "from the initial zeros");
    assert!((share(second.eq(&first).unwrap()) - 0.5).abs() < 0.2, "from the step before");
    // Outside training: a mixture, which for the first step is half of what there is without.
    let (mixed, _) = lstm(0.5, 0.).forward(&x, None).unwrap();
    let (plain, _) = lstm(0., 0.).forward(&x, None).unwrap();
    let half = (plain.narrow(1, 0, 1).unwrap() * 0.5).unwrap();
    assert_close(&mixed.narrow(1, 0, 1).unwrap(), &half, 1e-15, 0., "expectation");
}

#[test]
fn tokens_are_their_vectors() {
    let rng = SharedRng::seed(6);
    for (vocab, dtype, tol) in [(5, DType::F64, 1e-12), (5, DType::F32, 1e-5), (90, DType::F64, 1e-12)] {
        // 21 steps: more than 5 tokens, fewer than 90.
        let ids = rng.with(|rng| (0..21).map(|_| rng.below(vocab) as u32).collect::<Vec<_>>());
        let ids = Tensor::from_vec(ids, (3, 7), &DEV).unwrap();
        let store = ParamStore::new(dtype, &DEV, 1);
        let table = Embedding::new(&EmbeddingConfig::new(vocab, 4), store.vb().pp("table")).unwrap();
        let config = LstmConfig::new(4, 6).num_layers(2).bidirectional(true);
        let lstm = |norm: bool, name: &str| {
            Lstm::new(&config.clone().layer_norm(norm), store.vb().pp(name)).unwrap()
        };
        let (plain, normed) = (lstm(false, "plain"), lstm(true, "normed"));
        let gru = Gru::new(&GruConfig::new(4, 6), store.vb().pp("gru")).unwrap();
        let weigh = randn(&rng, &[3, 7, 12], dtype);
        let gradients = |y: &Tensor| {
            let weigh = weigh.narrow(2, 0, y.dim(2).unwrap()).unwrap();
            (y * weigh).unwrap().sum_all().unwrap().backward().unwrap()
        };
        let x = table.forward(&ids).unwrap();
        for (what, by_tokens, by_vectors) in [
            (
                "plain",
                plain.forward_tokens(&table, &ids, None, true).unwrap().0,
                plain.forward(&x, None).unwrap().0,
            ),
            (
                "normed",
                normed.forward_tokens(&table, &ids, None, true).unwrap().0,
                normed.forward(&x, None).unwrap().0,
            ),
            (
                "gru",
                gru.forward_tokens(&table, &ids, None, true).unwrap().0,
                gru.forward(&x, None).unwrap().0,
            ),
        ] {
            // Sums over 21 steps in another order; the normed one divides by a deviation of its gates.
            let tol = if what == "normed" { 10. * tol } else { tol };
            assert_close(&by_tokens, &by_vectors, tol, tol, what);
            let (got, want) = (gradients(&by_tokens), gradients(&by_vectors));
            for (name, var) in store.vars() {
                let (got, want) = (got.get(&var), want.get(&var));
                assert_eq!(got.is_some(), want.is_some(), "{what} {name}");
                if let (Some(got), Some(want)) = (got, want) {
                    assert_close(got, want, tol, tol, &format!("{what} {name}"));
                }
            }
        }
        let outside = Tensor::full(vocab as u32, (1, 2), &DEV).unwrap();
        // A GPU would have to be waited for; there such a row is NaN.
        assert!(on_device() || plain.forward_tokens(&table, &outside, None, false).is_err());
    }
}
