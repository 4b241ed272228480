//! Optimizers against PyTorch's trajectories (`fixtures/train.py`).
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var, backprop::GradStore};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, max_abs_diff};
use gdl_train::*;
use std::collections::BTreeMap;

type Vars = Vec<(String, Var)>;
type Make = fn(Vars) -> Box<dyn Optimizer>;

fn adam(c: AdamConfig) -> impl Fn(Vars) -> Box<dyn Optimizer> {
    move |v| Box::new(Adam::new(v, c.clone()).unwrap())
}

fn rms(c: RmsPropConfig) -> impl Fn(Vars) -> Box<dyn Optimizer> {
    move |v| Box::new(RmsProp::new(v, c.clone()).unwrap())
}

fn sgd(c: SgdConfig) -> impl Fn(Vars) -> Box<dyn Optimizer> {
    move |v| Box::new(Sgd::new(v, c.clone()).unwrap())
}

/// The variants of the fixture, with its settings.
const VARIANTS: [(&str, Make); 12] = [
    ("adam", |v| adam(AdamConfig { learning_rate: 0.02, ..Default::default() })(v)),
    ("adam_gan", |v| adam(AdamConfig { learning_rate: 0.02, ..AdamConfig::gan() })(v)),
    ("adam_l2", |v| {
        adam(AdamConfig {
            learning_rate: 0.02,
            beta1: 0.8,
            beta2: 0.95,
            eps: 1e-6,
            weight_decay: 0.1,
            decoupled: false,
        })(v)
    }),
    ("adamw", |v| {
        adam(AdamConfig { learning_rate: 0.02, weight_decay: 0.1, decoupled: true, ..Default::default() })(v)
    }),
    ("rmsprop", |v| rms(RmsPropConfig::default())(v)),
    ("rmsprop_momentum", |v| {
        rms(RmsPropConfig { alpha: 0.9, eps: 1e-6, momentum: 0.9, weight_decay: 0.1, ..Default::default() })(
            v,
        )
    }),
    ("rmsprop_centered", |v| rms(RmsPropConfig { centered: true, ..Default::default() })(v)),
    ("rmsprop_both", |v| rms(RmsPropConfig { centered: true, momentum: 0.5, ..Default::default() })(v)),
    ("sgd", |v| sgd(SgdConfig { learning_rate: 0.1, ..Default::default() })(v)),
    ("sgd_momentum", |v| {
        sgd(SgdConfig { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, ..Default::default() })(v)
    }),
    ("sgd_dampening", |v| {
        sgd(SgdConfig { learning_rate: 0.1, momentum: 0.9, dampening: 0.3, ..Default::default() })(v)
    }),
    ("sgd_nesterov", |v| {
        sgd(SgdConfig { learning_rate: 0.1, momentum: 0.9, nesterov: true, ..Default::default() })(v)
    }),
];

/// The problem of the fixture: `mean((tanh(x w + b) - y)^2)`, at odd steps with `sum(r^2)`.
struct Problem {
    x: Tensor,
    y: Tensor,
    vars: Vars,
}

impl Problem {
    fn new() -> Self {
        let f = Fixture::load("train");
        let vars = ["w", "b", "r"]
            .map(|k| (k.to_string(), Var::from_tensor(&f.get(&format!("{k}0"))).unwrap()))
            .to_vec();
        Self { x: f.get("x"), y: f.get("y"), vars }
    }

    fn gradients(&self, step: usize) -> GradStore {
        let [w, b, r] = [0, 1, 2].map(|i| self.vars[i].1.as_tensor());
        let out = self.x.matmul(w).unwrap().broadcast_add(b).unwrap().tanh().unwrap();
        let mut loss = (out - &self.y).unwrap().sqr().unwrap().mean_all().unwrap();
        if step % 2 == 1 {
            loss = (loss + r.sqr().unwrap().sum_all().unwrap()).unwrap();
        }
        loss.backward().unwrap()
    }

    fn run(&self, optimizer: &mut dyn Optimizer, steps: std::ops::Range<usize>) {
        for step in steps {
            optimizer.step(&self.gradients(step)).unwrap();
        }
    }
}

#[test]
fn thirty_steps_as_pytorch_takes_them() {
    let f = Fixture::load("train");
    for (name, make) in VARIANTS {
        let problem = Problem::new();
        let mut optimizer = make(problem.vars.clone());
        problem.run(&mut *optimizer, 0..1);
        let check = |steps: usize, atol: f64| {
            for (key, var) in &problem.vars {
                let want = f.get(&format!("{name}.{steps}.{key}"));
                println!("{name} {steps} {key}: {:e}", max_abs_diff(var, &want));
                assert_close(var, &want, atol, 0.0, &format!("{name}, step {steps}, {key}"));
            }
        };
        // One step: a few roundings of f32 numbers of size 1 (2^-23 = 1.2e-7). The first step of Adam and RMSprop is
        // lr * g / |g|, which does not amplify the gradient's own rounding.
        check(1, 1e-6);
        problem.run(&mut *optimizer, 1..30);
        // Thirty: the roundings add up, and division by sqrt(v) amplifies them where gradients have become small.
        check(30, 5e-6);
    }
}

#[test]
fn n_plus_m_steps_are_n_saved_loaded_m() {
    let dir = tempfile::tempdir().unwrap();
    for (name, make) in VARIANTS {
        let through = Problem::new();
        let mut optimizer = make(through.vars.clone());
        optimizer.set_learning_rate(0.1 + 0.2); // a number that needs all its digits
        through.run(&mut *optimizer, 0..13);

        let first = Problem::new();
        let mut optimizer = make(first.vars.clone());
        optimizer.set_learning_rate(0.1 + 0.2);
        first.run(&mut *optimizer, 0..6);
        let path = dir.path().join("state.safetensors");
        optimizer.state().unwrap().save(&path).unwrap();
        let tensors: Tensors = first.vars.iter().map(|(k, v)| (k.clone(), v.as_detached_tensor())).collect();
        save_tensors(dir.path().join("w.safetensors"), &tensors, &BTreeMap::new()).unwrap();

        let second = Problem::new();
        let (loaded, _) = load_tensors(dir.path().join("w.safetensors"), &DEV).unwrap();
        for (k, v) in &second.vars {
            v.set(&loaded[k]).unwrap();
        }
        let mut optimizer = make(second.vars.clone());
        optimizer.load_state(&OptimizerState::load(&path).unwrap()).unwrap();
        assert_eq!(optimizer.learning_rate(), 0.1 + 0.2);
        second.run(&mut *optimizer, 6..13);
        for ((k, a), (_, b)) in second.vars.iter().zip(&through.vars) {
            assert_bitwise(a, b, &format!("{name} {k}"));
        }
    }
}

#[test]
fn a_saved_state_is_not_changed_by_later_steps() {
    let problem = Problem::new();
    let mut adam = Adam::new(problem.vars.clone(), AdamConfig::default()).unwrap();
    problem.run(&mut adam, 0..2);
    let state = adam.state().unwrap();
    let before = state.tensors["exp_avg.w"].copy().unwrap();
    problem.run(&mut adam, 2..4);
    assert_bitwise(&state.tensors["exp_avg.w"], &before, "exp_avg.w");
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let problem = Problem::new();
    let mut adam = Adam::new(problem.vars.clone(), AdamConfig::default()).unwrap();
    problem.run(&mut adam, 0..3);
    let good = adam.state().unwrap();
    let mut fresh = Adam::new(problem.vars.clone(), AdamConfig::default()).unwrap();
    let zero = fresh.state().unwrap();
    let mut try_with = |change: &dyn Fn(&mut OptimizerState)| {
        let mut state = good.clone();
        change(&mut state);
        let error = fresh.load_state(&state).unwrap_err().to_string();
        let now = fresh.state().unwrap();
        assert_eq!(now.scalars, zero.scalars);
        for (k, t) in &now.tensors {
            assert_bitwise(t, &zero.tensors[k], k);
        }
        error
    };
    let error = try_with(&|s| s.kind = "rmsprop".into());
    assert!(error.contains("rmsprop") && error.contains("adam"), "{error}");
    let error = try_with(&|s| drop(s.tensors.remove("exp_avg_sq.b")));
    assert!(error.contains("missing: exp_avg_sq.b"), "{error}");
    let error = try_with(&|s| drop(s.tensors.insert("exp_avg.zz".into(), s.tensors["exp_avg.b"].clone())));
    assert!(error.contains("not in the model: exp_avg.zz"), "{error}");
    let error = try_with(&|s| drop(s.tensors.insert("exp_avg.w".into(), s.tensors["exp_avg.b"].clone())));
    assert!(error.contains("exp_avg.w (expected [4, 5], found [5])"), "{error}");
    let error = try_with(&|s| *s.scalars.get_mut("step.w").unwrap() = 2.5);
    assert!(error.contains("step.w"), "{error}");
    let error = try_with(&|s| s.scalars.retain(|k, _| k != "step.r"));
    assert!(error.contains("step.r"), "{error}");
}

#[test]
fn clipping_as_pytorch_does_it() {
    let f = Fixture::load("train");
    let problem = Problem::new();
    let mut grads = problem.gradients(1);
    let norm = clip_grad_norm(&problem.vars, &mut grads, 0.5).unwrap();
    // f32 roundings of the gradient itself.
    assert_close(&Tensor::new(&[norm as f32], &DEV).unwrap(), &f.get("clip.norm"), 0.0, 1e-6, "norm");
    for (i, key) in [(0, "clip.w"), (2, "clip.r")] {
        assert_close(grads.get(&problem.vars[i].1).unwrap(), &f.get(key), 1e-7, 1e-6, key);
    }
    let again = clip_grad_norm(&problem.vars, &mut grads, f64::INFINITY).unwrap();
    assert!((again - 0.5).abs() < 1e-5);

    clip_grad_value(&problem.vars, &mut grads, 0.01).unwrap();
    let largest: f32 =
        grads.get(&problem.vars[2].1).unwrap().abs().unwrap().max(0).unwrap().to_scalar().unwrap();
    assert_eq!(largest, 0.01);

    let nan = Tensor::new(&[f32::NAN, 0., 0.], &DEV).unwrap();
    grads.insert(&problem.vars[2].1, nan);
    let error = clip_grad_norm(&problem.vars, &mut grads, 1.0).unwrap_err().to_string();
    assert!(error.contains("gradient of r"), "{error}");
}

#[test]
fn a_step_held_back_is_the_clipped_one_or_none() {
    let scalar = |x: f32| Tensor::new(x, &DEV).unwrap();
    for (name, make) in VARIANTS {
        let (clipped, braked) = (Problem::new(), Problem::new());
        let (mut one, mut other) = (make(clipped.vars.clone()), make(braked.vars.clone()));
        for step in 0..3 {
            let mut grads = clipped.gradients(step);
            let norm = clip_grad_norm(&clipped.vars, &mut grads, 0.5).unwrap();
            one.step(&grads).unwrap();
            let grads = braked.gradients(step);
            let clipping = Clipping::new([&scalar(1.5)], &braked.vars, &grads, 0.5).unwrap();
            other.step_braked(&grads, clipping.brake()).unwrap();
            let ([value], same) = clipping.read().unwrap();
            assert_eq!(value, 1.5);
            assert!((norm - same).abs() <= 1e-6 * norm, "{name}: {norm}, {same}");
        }
        for ((key, want), (_, got)) in clipped.vars.iter().zip(&braked.vars) {
            assert_bitwise(got, want, &format!("{name}: {key}"));
        }

        let before: Vec<Tensor> =
            braked.vars.iter().map(|(_, v)| v.as_detached_tensor().copy().unwrap()).collect();
        let mut grads = braked.gradients(3);
        let clipping = Clipping::new([&scalar(f32::INFINITY)], &braked.vars, &grads, 0.5).unwrap();
        other.step_braked(&grads, clipping.brake()).unwrap();
        let ([value], norm) = clipping.read().unwrap();
        assert!(value.is_infinite() && norm.is_nan());
        let nan = Tensor::new(&[f32::NAN, 0., 0.], &DEV).unwrap();
        grads.insert(&braked.vars[2].1, nan);
        let clipping = Clipping::new([], &braked.vars, &grads, 0.5).unwrap();
        other.step_braked(&grads, clipping.brake()).unwrap();
        let error = clipping.read().unwrap_err().to_string();
        assert!(error.contains("gradient of r"), "{error}");
        other.step_braked(&grads, &Brake::where_finite(&scalar(f32::NAN)).unwrap()).unwrap();
        for ((key, var), before) in braked.vars.iter().zip(&before) {
            assert_eq!(max_abs_diff(var, before), 0.0, "{name}: {key} has changed");
        }
    }
}

// L-BFGS

fn rosenbrock(p: &Tensor) -> Tensor {
    let n = p.dim(0).unwrap();
    let (head, tail) = (p.narrow(0, 0, n - 1).unwrap(), p.narrow(0, 1, n - 1).unwrap());
    let a = head.affine(-1.0, 1.0).unwrap().sqr().unwrap();
    let b = (tail - head.sqr().unwrap()).unwrap().sqr().unwrap();
    (a + (b * 100.0).unwrap()).unwrap().sum_all().unwrap()
}

fn quadratic(f: &Fixture) -> impl Fn(&Tensor) -> Tensor {
    let (hessian, target) = (f.get("lbfgs.hessian"), f.get("lbfgs.target"));
    move |p| {
        let d = (p - &target).unwrap().unsqueeze(1).unwrap();
        ((hessian.matmul(&d).unwrap() * d).unwrap().sum_all().unwrap() * 0.5).unwrap()
    }
}

fn step(lbfgs: &mut Lbfgs, p: &Var, function: &dyn Fn(&Tensor) -> Tensor) -> LbfgsStep {
    lbfgs
        .step(|| {
            let loss = function(p.as_tensor());
            Ok((loss.to_scalar()?, loss.backward()?))
        })
        .unwrap()
}

#[test]
fn lbfgs_goes_where_pytorch_goes() {
    let f = Fixture::load("train");
    let base = LbfgsConfig { max_iter: 6, history: 10, ..LbfgsConfig::default() };
    let cases = [
        ("rosenbrock", 6, LbfgsConfig { max_iter: 5, history: 4, ..base.clone() }),
        ("quadratic", 3, base.clone()),
        ("quadratic_fixed", 3, LbfgsConfig { learning_rate: 0.3, strong_wolfe: false, ..base.clone() }),
        ("quadratic_short", 2, LbfgsConfig { learning_rate: 5.0, max_eval: Some(4), ..base }),
    ];
    for (name, calls, config) in cases {
        let function: Box<dyn Fn(&Tensor) -> Tensor> =
            if name == "rosenbrock" { Box::new(rosenbrock) } else { Box::new(quadratic(&f)) };
        let p = Var::from_tensor(&f.get(&format!("lbfgs.{name}.0"))).unwrap();
        let mut lbfgs = Lbfgs::new(vec![("p".into(), p.clone())], config).unwrap();
        let mut evaluations = 0;
        for call in 1..=calls {
            evaluations += step(&mut lbfgs, &p, &*function).evaluations;
            let want = f.get(&format!("lbfgs.{name}.{call}"));
            println!("{name} {call}: {:e}", max_abs_diff(&p, &want));
            // In f64. Sums are formed in another order; the curvature pairs amplify that from call to call.
            assert_close(&p, &want, 1e-10, 0.0, &format!("{name}, call {call}"));
        }
        let want = f.get(&format!("lbfgs.{name}.evals")).to_vec1::<i64>().unwrap()[0];
        assert_eq!(evaluations as i64, want, "{name}: evaluations");
    }
}

#[test]
fn lbfgs_in_f32_over_two_variables_finds_the_minimum() {
    let f = Fixture::load("train");
    let function = quadratic(&f);
    let start = f.get("lbfgs.start").to_dtype(DType::F32).unwrap();
    let a = Var::from_tensor(&start.narrow(0, 0, 5).unwrap()).unwrap();
    let b = Var::from_tensor(&start.narrow(0, 5, 7).unwrap().reshape((7, 1)).unwrap()).unwrap();
    let mut lbfgs = Lbfgs::new(
        vec![("a".into(), a.clone()), ("b".into(), b.clone())],
        LbfgsConfig { max_iter: 60, ..LbfgsConfig::default() },
    )
    .unwrap();
    lbfgs
        .step(|| {
            let p = Tensor::cat(&[a.as_tensor(), &b.flatten_all()?], 0)?.to_dtype(DType::F64)?;
            let loss = function(&p);
            Ok((loss.to_scalar()?, loss.backward()?))
        })
        .unwrap();
    let p = Tensor::cat(&[a.as_tensor(), &b.flatten_all().unwrap()], 0).unwrap();
    // The smallest curvature is 0.1: a gradient of f32's rounding, 1e-6, is a distance of 1e-5; ten times that.
    assert_close(&p, &f.get("lbfgs.target"), 1e-4, 0.0, "minimum");
}

#[test]
fn lbfgs_goes_on_from_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lbfgs.safetensors");
    let f = Fixture::load("train");
    let config = LbfgsConfig { max_iter: 3, history: 4, ..LbfgsConfig::default() };
    let make = || {
        let p = Var::from_tensor(&f.get("lbfgs.rosenbrock.0")).unwrap();
        (Lbfgs::new(vec![("p".into(), p.clone())], config.clone()).unwrap(), p)
    };
    let (mut through, p) = make();
    let (mut first, q) = make();
    for i in 0..5 {
        step(&mut through, &p, &rosenbrock);
        if i < 2 {
            step(&mut first, &q, &rosenbrock);
        }
    }
    first.state().unwrap().save(&path).unwrap();
    let (mut second, r) = make();
    r.set(&q.as_detached_tensor()).unwrap();
    let mut state = OptimizerState::load(&path).unwrap();
    second.load_state(&state).unwrap();
    for _ in 0..3 {
        step(&mut second, &r, &rosenbrock);
    }
    assert_bitwise(&r, &p, "resumed");

    state.tensors.remove("y.0");
    let error = second.load_state(&state).unwrap_err().to_string();
    assert!(error.contains("missing: y.0"), "{error}");
}

#[test]
fn lbfgs_leaves_the_variables_where_they_were_when_the_closure_fails() {
    let p = Var::new(&[-1.2f64, 1.0], &DEV).unwrap();
    let mut lbfgs = Lbfgs::new(vec![("p".into(), p.clone())], LbfgsConfig::default()).unwrap();
    let mut calls = 0;
    let outcome = lbfgs.step(|| {
        calls += 1;
        if calls == 2 {
            candle_core::bail!("interrupted")
        }
        let loss = rosenbrock(&p);
        Ok((loss.to_scalar()?, loss.backward()?))
    });
    assert!(outcome.unwrap_err().to_string().contains("interrupted"));
    assert_eq!(p.to_vec1::<f64>().unwrap(), [-1.2, 1.0]);
}

// Parameters and their files

fn small_store(seed: u64) -> ParamStore {
    use candle_nn::init;
    let store = ParamStore::new(DType::F32, &DEV, seed);
    let vb = store.vb();
    vb.get_with_hints((2, 3), "kaiming", init::DEFAULT_KAIMING_UNIFORM).unwrap();
    vb.get_with_hints((2, 3), "kaiming_normal", init::DEFAULT_KAIMING_NORMAL).unwrap();
    vb.get_with_hints(3, "normal", init::Init::Randn { mean: 1.0, stdev: 0.02 }).unwrap();
    vb.get_with_hints(3, "uniform", init::Init::Uniform { lo: -0.5, up: 0.5 }).unwrap();
    vb.get_with_hints(2, "constant", init::Init::Const(0.25)).unwrap();
    store
}

#[test]
fn seeded_values_stay_what_they_are() {
    let store = small_store(42);
    let first =
        |name: &str| store.vars()[name].flatten_all().unwrap().to_vec1::<f32>().unwrap()[..2].to_vec();
    assert_eq!(first("kaiming"), [0.021960769f32, 1.2203085]);
    assert_eq!(first("kaiming_normal"), [0.6079901f32, 0.12815294]);
    assert_eq!(first("normal"), [1.0000751f32, 0.983832]);
    assert_eq!(first("uniform"), [0.30016473f32, 0.433682]);
    assert_eq!(first("constant"), [0.25, 0.25]);
}

#[test]
fn weights_come_back_bitwise_in_every_type() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        let make = |seed| {
            let store = ParamStore::new(dtype, &DEV, seed);
            store.vb().get_with_hints((3, 5), "a.b", candle_nn::init::DEFAULT_KAIMING_NORMAL).unwrap();
            store
        };
        let (one, two) = (make(1), make(2));
        one.save(&path).unwrap();
        two.load(&path).unwrap();
        assert_bitwise(&two.vars()["a.b"], &one.vars()["a.b"], "a.b");
    }
}

#[test]
fn hostile_weight_files_change_nothing_and_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.safetensors");
    let store = small_store(1);
    let before = store.snapshot().unwrap();
    let other = small_store(2).snapshot().unwrap();
    let refused = |what: &[&str]| {
        let error = store.load(&path).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        for part in what.iter().chain(&["weights.safetensors"]) {
            assert!(error.contains(part), "{error:?} does not name {part:?}");
        }
        for (name, var) in store.vars() {
            assert_bitwise(&var, &before[&name], &name);
        }
    };
    let write = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = other.clone();
        change(&mut tensors);
        save_tensors(&path, &tensors, &BTreeMap::new()).unwrap();
    };

    refused(&["cannot read"]);
    write(&|t| drop(t.remove("uniform")));
    refused(&["missing: uniform"]);
    write(&|t| drop(t.insert("new".into(), t["uniform"].clone())));
    refused(&["not in the model: new"]);
    write(&|t| drop(t.insert("uniform".into(), t["constant"].clone())));
    refused(&["uniform (expected [3], found [2])"]);
    write(&|t| drop(t.insert("uniform".into(), t["uniform"].to_dtype(DType::F64).unwrap())));
    refused(&["uniform (expected f32, found f64)"]);
    // All at once are all told.
    write(&|t| {
        t.remove("constant");
        t.insert("kaiming".into(), t["uniform"].clone());
    });
    refused(&["missing: constant", "kaiming (expected [2, 3], found [3])"]);

    write(&|_| ());
    let good = std::fs::read(&path).unwrap();
    let hostile: [(&str, Vec<u8>); 7] = [
        ("empty", vec![]),
        ("shorter than its length field", good[..5].to_vec()),
        ("truncated header", good[..40].to_vec()),
        ("truncated data", good[..good.len() - 3].to_vec()),
        ("trailing data", [&good[..], &[0; 4]].concat()),
        ("a header of 2^63 bytes", [&(1u64 << 63).to_le_bytes()[..], &good[8..]].concat()),
        ("text", b"This is not a weight file at all.".to_vec()),
    ];
    for (what, bytes) in hostile {
        println!("{what}");
        std::fs::write(&path, bytes).unwrap();
        refused(&["not a readable safetensors file"]);
    }
    std::fs::write(&path, &good).unwrap();
    store.load(&path).unwrap();
    assert_bitwise(&store.vars()["uniform"], &other["uniform"], "uniform");
}

// A run from outside: noise from a generator, a schedule, checkpoints and a log.

/// Trains up to `until` and saves there; goes on from the run's checkpoint where there is one.
fn train(run: &RunDir, until: u64) -> ParamStore {
    let problem = Problem::new();
    let store = ParamStore::new(DType::F32, &DEV, 3);
    let w = store.vb().get_with_hints((4, 5), "w", candle_nn::init::DEFAULT_KAIMING_NORMAL).unwrap();
    let mut adam = Adam::new(store.trainable(), AdamConfig::gan()).unwrap();
    let base = adam.learning_rate();
    let schedule = Schedule::Linear { constant: 4, decay: 8 };
    let rng = SharedRng::seed(9);
    let mut log = run.metrics();
    let mut begin = 0;
    if run.has_checkpoint() {
        let checkpoint = run.load_checkpoint(&DEV).unwrap();
        store.load_tensors("checkpoint", &checkpoint.weights).unwrap();
        checkpoint.restore_optimizer("adam", &mut adam).unwrap();
        rng.set_state(&checkpoint.state::<RngState>().unwrap()).unwrap();
        log.truncate_after(checkpoint.step).unwrap();
        begin = checkpoint.step;
    }
    for step in begin..until {
        adam.set_learning_rate(base * schedule.factor(step));
        let noise = rng.randn((8, 4), DType::F32, &DEV).unwrap();
        let out = (&problem.x + noise).unwrap().matmul(&w).unwrap().tanh().unwrap();
        let loss = (out - &problem.y).unwrap().sqr().unwrap().mean_all().unwrap();
        adam.step(&loss.backward().unwrap()).unwrap();
        log.append(step + 1, &[("loss", f64::from(loss.to_scalar::<f32>().unwrap()))]).unwrap();
    }
    let checkpoint = Checkpoint::new(until, store.tensors())
        .with_optimizer("adam", &adam)
        .unwrap()
        .with_state(&rng.state())
        .unwrap();
    run.save_checkpoint(&checkpoint).unwrap();
    store
}

#[test]
fn a_run_broken_off_and_resumed_ends_where_an_unbroken_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let create = |name: &str| RunDir::create(dir.path().join(name), &"test", OnExisting::Refuse).unwrap();
    let (whole, parts) = (create("whole"), create("parts"));
    let a = train(&whole, 11);
    train(&parts, 6);
    // Killed after two more logged steps, before their checkpoint.
    let mut log = parts.metrics();
    log.append(7, &[("loss", 0.0)]).unwrap();
    log.append(8, &[("loss", 0.0)]).unwrap();
    let b = train(&RunDir::open(parts.path()).unwrap(), 11);
    assert_bitwise(&a.vars()["w"], &b.vars()["w"], "w");
    let text = |run: &RunDir| std::fs::read_to_string(run.metrics().path()).unwrap();
    assert_eq!(text(&whole), text(&parts));
    let states = |run: &RunDir| {
        let c = run.load_checkpoint(&DEV).unwrap();
        (c.state.clone(), c.optimizers["adam"].scalars.clone())
    };
    assert_eq!(states(&whole), states(&parts));
}
