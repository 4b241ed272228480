//! Discriminators, adversarial losses and the gradient penalty against PyTorch.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Module, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_kernels::{init::InitScheme, rng::SharedRng};
use gdl_patchgan::{
    Discriminator, GanLoss, PatchGan, PatchGanConfig, PixelGan, PixelGanConfig, gradient_penalty,
};
use gdl_tests::{DEV, Fixture, assert_close, check_gradients};
use gdl_train::ParamStore;
use std::collections::HashMap;

const CASES: [&str; 4] = ["patch1", "patch2", "patch3", "pixel"];

fn build(case: &str, init: InitScheme, vb: VarBuilder) -> Box<dyn Discriminator> {
    let patch = |channels, base, layers| {
        PatchGanConfig::new(channels).base_channels(base).n_layers(layers).init(init)
    };
    match case {
        "patch1" => Box::new(PatchGan::new(&patch(3, 3, 1), vb).unwrap()),
        "patch2" => Box::new(PatchGan::new(&patch(2, 3, 2), vb).unwrap()),
        "patch3" => Box::new(PatchGan::new(&patch(3, 2, 3), vb).unwrap()),
        _ => Box::new(PixelGan::new(&PixelGanConfig::new(3).base_channels(4).init(init), vb).unwrap()),
    }
}

struct Case {
    name: &'static str,
    fixture: Fixture,
    vars: HashMap<String, Var>,
    disc: Box<dyn Discriminator>,
}

impl Case {
    fn load(name: &'static str) -> Self {
        let fixture = Fixture::load("patchgan");
        let vars = fixture.vars(&format!("{name}.weights"));
        let disc = build(name, InitScheme::default(), Fixture::vb(&vars));
        Self { name, fixture, vars, disc }
    }

    fn get(&self, part: &str) -> Tensor {
        self.fixture.get(&format!("{}.{part}", self.name))
    }

    fn check_grads(&self, loss: &Tensor, part: &str, atol: f64) {
        let grads = loss.backward().unwrap();
        assert!(!self.vars.is_empty());
        for (name, var) in &self.vars {
            let want = self.get(&format!("{part}.{name}"));
            let what = format!("{}: {part} of {name}", self.name);
            match grads.get(var) {
                Some(got) => assert_close(got, &want, atol, 1e-5, &what),
                None => assert_close(&want.zeros_like().unwrap(), &want, 0.0, 0.0, &what),
            }
        }
    }
}

#[test]
fn parity_with_pytorch() {
    for name in CASES {
        let case = Case::load(name);
        let x = Var::from_tensor(&case.get("x")).unwrap();
        let y = case.disc.forward(&x).unwrap();
        // f32 against f64: sums of up to 256 products of order 1 and a division by deviations of order 1, at most five
        // times after another.
        assert_close(&y, &case.get("y"), 1e-5, 5e-6, &format!("{name}: y"));
        let loss = (&y * case.get("gy")).unwrap().sum_all().unwrap();
        let grads = loss.backward().unwrap();
        assert_close(grads.get(&x).unwrap(), &case.get("dx"), 5e-6, 5e-6, &format!("{name}: dx"));
        case.check_grads(&loss, "grads", 1e-5);
    }
}

#[test]
fn gradient_penalty_is_pytorch_s_double_backward() {
    for name in CASES {
        let case = Case::load(name);
        let [real, fake, alpha] = ["real", "fake", "alpha"].map(|part| case.get(&format!("gp.{part}")));
        let penalty = gradient_penalty(case.disc.as_ref(), &real, &fake, &alpha, 10.0, 1.0).unwrap();
        // f32 against f64. The value is 10 times the square of a norm, some hundred in places.
        assert_close(&penalty, &case.get("gp.value"), 0.0, 3e-6, &format!("{name}: penalty"));
        let scale = case.get("gp.value").to_scalar::<f32>().unwrap().max(1.0);
        // Gradients of second order, of the penalty's magnitude: measured at up to 5e-7 of it.
        case.check_grads(&penalty, "gp.grads", 1e-5 * f64::from(scale));
    }
}

#[test]
fn the_penalty_s_gradient_is_its_slope() {
    // In f64, against differences of the value itself: no other implementation involved.
    let rng = SharedRng::seed(31);
    for name in CASES {
        let store = ParamStore::new(DType::F64, &DEV, 32);
        let disc = build(name, InitScheme::Kaiming, store.vb());
        let (channels, size) = if name == "patch2" { (2, 17) } else { (3, 26) };
        let shape = (2, channels, size, size + 1);
        let [real, fake] = [(); 2].map(|()| rng.randn(shape, DType::F64, &DEV).unwrap());
        let alpha = rng.rand(2, 0.0, 1.0, DType::F64, &DEV).unwrap();
        let penalty = || gradient_penalty(disc.as_ref(), &real, &fake, &alpha, 10.0, 1.0).unwrap();
        let grads = penalty().backward().unwrap();
        for (key, var) in store.vars() {
            let base = var.as_detached_tensor().copy().unwrap();
            let grad = grads.get(&var).map_or_else(|| base.zeros_like().unwrap(), Clone::clone);
            let grad: Vec<f64> = grad.flatten_all().unwrap().to_vec1().unwrap();
            let values: Vec<f64> = base.flatten_all().unwrap().to_vec1().unwrap();
            // A few elements of each parameter, spread over it.
            for i in (0..values.len()).step_by(values.len() / 3 + 1) {
                let at = |step: f64| {
                    let mut moved = values.clone();
                    moved[i] += step;
                    var.set(&Tensor::from_vec(moved, var.shape(), &DEV).unwrap()).unwrap();
                    penalty().to_scalar::<f64>().unwrap()
                };
                let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                var.set(&base).unwrap();
                // Central differences of a value of order 10 are good to 1e-9 / 1e-6 in f64. The slope of leaky ReLU
                // jumps at its kink, which the seed keeps out of reach.
                assert!(
                    (slope - grad[i]).abs() < 1e-5 * (1.0 + slope.abs()),
                    "{name}: {key}[{i}]: {} and {slope}",
                    grad[i]
                );
            }
        }
    }
}

#[test]
fn the_direction_is_the_limit_of_differences() {
    let rng = SharedRng::seed(33);
    for name in CASES {
        let store = ParamStore::new(DType::F64, &DEV, 34);
        let disc = build(name, InitScheme::Kaiming, store.vb());
        let shape = (2, if name == "patch2" { 2 } else { 3 }, 24, 27);
        let [x, dx] = [(); 2].map(|()| rng.randn(shape, DType::F64, &DEV).unwrap());
        let (y, dy) = disc.forward_jvp(&x, &dx).unwrap();
        let step = (&dx * 1e-7).unwrap();
        let hi = disc.forward(&(&x + &step).unwrap()).unwrap();
        let lo = disc.forward(&(&x - &step).unwrap()).unwrap();
        let slope = ((hi - lo).unwrap() / 2e-7).unwrap();
        // f64 over a step of 1e-7: 1e-16 * 10 / 1e-7.
        assert_close(&dy, &slope, 1e-6, 1e-6, name);
        assert_close(&y, &disc.forward(&x).unwrap(), 1e-12, 1e-12, name);
    }
}

#[test]
fn a_penalty_of_zero_slope_is_finite() {
    // All weights 0: the scores do not depend on the image, and the norm of the gradient has no derivative there.
    let vars = candle_nn::VarMap::new();
    let disc = {
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &DEV);
        let disc = PatchGan::new(&PatchGanConfig::new(3).base_channels(2).n_layers(1), vb).unwrap();
        for var in vars.all_vars() {
            var.set(&var.zeros_like().unwrap()).unwrap();
        }
        disc
    };
    let x = Tensor::ones((1, 3, 12, 12), DType::F32, &DEV).unwrap();
    let alpha = Tensor::ones(1, DType::F32, &DEV).unwrap();
    let penalty = gradient_penalty(&disc, &x, &x, &alpha, 10.0, 1.0).unwrap();
    assert_eq!(penalty.to_scalar::<f32>().unwrap(), 10.0);
    let grads = penalty.backward().unwrap();
    for var in vars.all_vars() {
        let Some(grad) = grads.get(&var) else { continue };
        let sum: f32 = grad.abs().unwrap().sum_all().unwrap().to_scalar().unwrap();
        assert!(sum.is_finite());
    }
}

#[test]
fn losses_are_pytorch_s() {
    let fixture = Fixture::load("patchgan");
    for (name, loss) in
        [("lsgan", GanLoss::Lsgan), ("vanilla", GanLoss::Vanilla), ("wgangp", GanLoss::WassersteinGp)]
    {
        for (target, real) in [("True", true), ("False", false)] {
            let scores = Var::from_tensor(&fixture.get("loss.scores")).unwrap();
            let value = loss.loss(&scores, real).unwrap();
            let what = format!("{name} {target}");
            // Means of eight numbers in f32, the scores of up to 100 cancelling.
            assert_close(&value, &fixture.get(&format!("loss.{name}.{target}.value")), 1e-6, 1e-6, &what);
            let grads = value.backward().unwrap();
            let want = fixture.get(&format!("loss.{name}.{target}.grad"));
            assert_close(grads.get(&scores).unwrap(), &want, 1e-8, 1e-6, &format!("{what}: gradient"));
        }
    }
    let none = Tensor::zeros((0, 1, 2, 2), DType::F32, &DEV).unwrap();
    assert!(GanLoss::Lsgan.loss(&none, true).unwrap_err().to_string().contains("no scores"));
}

#[test]
fn the_hinge_rests_the_discriminator_and_drives_the_generator() {
    let scores = Tensor::new(&[-2f64, -0.5, 0.5, 2.0], &DEV).unwrap();
    let value = |loss: Tensor| loss.to_scalar::<f64>().unwrap();
    // (3 + 1.5 + 0.5 + 0) / 4 short of 1, (0 + 0.5 + 1.5 + 3) / 4 above -1.
    assert_eq!(value(GanLoss::Hinge.loss(&scores, true).unwrap()), 1.25);
    assert_eq!(value(GanLoss::Hinge.loss(&scores, false).unwrap()), 1.25);
    let far = (&scores + 9.0).unwrap();
    assert_eq!(value(GanLoss::Hinge.loss(&far, true).unwrap()), 0.0);
    assert_eq!(value(GanLoss::Hinge.generator_loss(&far).unwrap()), -9.0);
    assert_eq!(
        value(GanLoss::Lsgan.generator_loss(&far).unwrap()),
        value(GanLoss::Lsgan.loss(&far, true).unwrap())
    );
}

#[test]
fn finite_differences() {
    let rng = SharedRng::seed(35);
    let scores = rng.randn((2, 1, 3, 3), DType::F64, &DEV).unwrap();
    for loss in [GanLoss::Lsgan, GanLoss::Vanilla, GanLoss::WassersteinGp, GanLoss::Hinge] {
        for real in [true, false] {
            // Smooth functions: 1e-6 squared and f64 rounding over 1e-6.
            check_gradients(|t| loss.loss(&t[0], real), std::slice::from_ref(&scores), 1e-6, 1e-8);
        }
    }
    for name in ["patch1", "pixel"] {
        let store = ParamStore::new(DType::F64, &DEV, 36);
        let disc = build(name, InitScheme::Kaiming, store.vb());
        let x = rng.randn((1, 3, 8, 9), DType::F64, &DEV).unwrap();
        check_gradients(|t| disc.forward(&t[0]), &[x], 1e-6, 1e-6);
    }
}

#[test]
fn sizes_and_keys_are_the_reference_s() {
    let store = ParamStore::new(DType::F32, &DEV, 37);
    let disc = PatchGan::new(&PatchGanConfig::new(3).base_channels(2), store.vb()).unwrap();
    let names: Vec<_> = store.vars().into_keys().filter(|k| k.ends_with("weight")).collect();
    let want = [0, 11, 2, 5, 8].map(|n| format!("model.{n}.weight"));
    assert_eq!(names, want);
    let shape = |n: usize| store.vars()[&format!("model.{n}.weight")].dims().to_vec();
    assert_eq!([shape(0), shape(8), shape(11)], [[2, 3, 4, 4], [16, 8, 4, 4], [1, 16, 4, 4]]);
    assert_eq!(disc.output_size(256, 256), Some((30, 30)));
    for (h, w) in [(24, 24), (31, 70), (65, 48)] {
        let y = disc.forward(&Tensor::zeros((1, 3, h, w), DType::F32, &DEV).unwrap()).unwrap();
        assert_eq!(disc.output_size(h, w), Some((y.dims()[2], y.dims()[3])));
    }
    assert_eq!(disc.output_size(23, 256), None);
    let error =
        disc.forward(&Tensor::zeros((1, 3, 23, 256), DType::F32, &DEV).unwrap()).unwrap_err().to_string();
    assert!(error.contains("3 layers 23x256"), "{error}");
    let error =
        disc.forward(&Tensor::zeros((1, 6, 64, 64), DType::F32, &DEV).unwrap()).unwrap_err().to_string();
    assert!(error.contains("expected 3 channels"), "{error}");

    // The width stops doubling at eight times; no layers still leave three convolutions.
    for (n_layers, want) in [(0, vec![1, 1]), (1, vec![1, 2]), (5, vec![1, 2, 4, 8, 8, 8])] {
        let store = ParamStore::new(DType::F32, &DEV, 38);
        let config = PatchGanConfig::new(1).base_channels(1).n_layers(n_layers);
        PatchGan::new(&config, store.vb()).unwrap();
        let mut widths: Vec<_> =
            store.vars().values().filter(|v| v.rank() == 4).map(|v| v.dims()[0]).collect();
        widths.sort();
        let mut want: Vec<_> = want.into_iter().chain([1]).collect();
        want.sort();
        assert_eq!(widths, want, "{n_layers} layers");
    }

    let store = ParamStore::new(DType::F32, &DEV, 39);
    PixelGan::new(&PixelGanConfig::new(3), store.vb()).unwrap();
    let names: Vec<_> = store.vars().into_keys().filter(|k| k.ends_with("weight")).collect();
    assert_eq!(names, [0, 2, 5].map(|n| format!("net.{n}.weight")));
}

#[test]
fn the_penalty_says_what_does_not_fit() {
    let disc = PixelGan::new(&PixelGanConfig::new(3), VarBuilder::zeros(DType::F32, &DEV)).unwrap();
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &DEV).unwrap();
    let error = |real: &[usize], fake: &[usize], alpha: &[usize]| {
        gradient_penalty(&disc, &zeros(real), &zeros(fake), &zeros(alpha), 10.0, 1.0).unwrap_err().to_string()
    };
    assert!(error(&[2, 3, 4, 4], &[2, 3, 4, 5], &[2]).contains("of one shape"));
    assert!(error(&[0, 3, 4, 4], &[0, 3, 4, 4], &[0]).contains("at least one"));
    assert!(error(&[2, 3, 4, 4], &[2, 3, 4, 4], &[1]).contains("shape [2]"));
}
