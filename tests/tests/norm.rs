//! Batch normalisation against PyTorch: values, gradients and running statistics.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use candle_nn::ModuleT;
use gdl_kernels::{Activation, init::InitScheme, rng::SharedRng};
use gdl_norm::{BatchNorm2d, BatchNormConfig, Norm2d, NormConfig, NormKind};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, check_gradients};
use gdl_train::ParamStore;

#[test]
fn training_and_inference_are_pytorch_s() {
    let fixture = Fixture::load("norm");
    for case in ["one", "many"] {
        let get = |name: &str| fixture.get(&format!("{case}.{name}"));
        let store = ParamStore::new(DType::F32, &DEV, 1);
        let channels = get("weight").dims()[0];
        let config = BatchNormConfig::new(channels).activation(Activation::Relu);
        let norm = BatchNorm2d::new(&config, store.vb()).unwrap();
        let vars = store.vars();
        for name in ["weight", "bias"] {
            vars[name].set(&get(name)).unwrap();
        }
        for step in 0..2 {
            let at = |name: &str| get(&format!("{name}{step}"));
            // f32 against f64: means of up to 60 numbers around 3 and a division by a deviation around 2, a few roundings of
            // 6e-8 each of numbers of up to 10.
            let check = |got: &Tensor, name: &str| {
                assert_close(got, &at(name), 5e-6, 5e-6, &format!("{case} {step}: {name}"));
            };
            let x = Var::from_tensor(&at("x")).unwrap();
            let y = norm.forward_t(&x, true).unwrap();
            check(&y, "y");
            let grads = (y * at("gy")).unwrap().sum_all().unwrap().backward().unwrap();
            check(grads.get(&x).unwrap(), "dx");
            check(grads.get(&vars["weight"]).unwrap(), "dweight");
            check(grads.get(&vars["bias"]).unwrap(), "dbias");
            check(&vars["running_mean"], "mean");
            check(&vars["running_var"], "var");
        }
        let y = norm.forward_t(&get("eval.x"), false).unwrap();
        assert_close(&y, &get("eval.y"), 2e-6, 2e-6, &format!("{case}: inference"));
        assert_close(&vars["running_mean"], &get("mean1"), 5e-6, 5e-6, "inference moves nothing");
    }
}

#[test]
fn statistics_are_no_parameters() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let config = NormConfig::new(NormKind::Batch, 4).init(InitScheme::Normal(0.02));
    Norm2d::new(&config, store.vb().pp("model.2")).unwrap();
    let names: Vec<_> = store.trainable().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["model.2.bias", "model.2.weight"]);
    assert_eq!(store.num_parameters(), 8);
    assert_eq!(store.tensors().len(), 4);
    // Drawn around 1, as the reference draws it.
    let scale: Vec<f32> = store.vars()["model.2.weight"].to_vec1().unwrap();
    assert!(scale.iter().all(|s| *s != 1.0 && (s - 1.0).abs() < 0.1), "{scale:?}");
}

#[test]
fn directions_and_finite_differences() {
    let rng = SharedRng::seed(3);
    let store = ParamStore::new(DType::F64, &DEV, 2);
    let config = BatchNormConfig::new(2).activation(Activation::LeakyRelu(0.2)).init(InitScheme::Kaiming);
    let norm = BatchNorm2d::new(&config, store.vb()).unwrap();
    let [x, dx] = [(); 2].map(|()| rng.randn((2, 2, 3, 4), DType::F64, &DEV).unwrap());
    // Central differences with 1e-6 in f64 are good to about 1e-9 times the second derivatives.
    check_gradients(|t| norm.forward_t(&t[0], true), std::slice::from_ref(&x), 1e-6, 1e-6);
    let mean = store.vars()["running_mean"].copy().unwrap();
    let (y, dy) = norm.forward_jvp(&x, &dx).unwrap();
    assert_bitwise(&store.vars()["running_mean"], &mean, "a direction moves no statistics");
    let step = (&dx * 1e-7).unwrap();
    let at = |x: Tensor| norm.forward_t(&x, true).unwrap();
    let slope = ((at((&x + &step).unwrap()) - at((&x - &step).unwrap())).unwrap() / 2e-7).unwrap();
    // f64 over a step of 1e-7: 1e-16 * 10 / 1e-7.
    assert_close(&dy, &slope, 1e-6, 1e-6, "direction");
    assert_close(&y, &at(x), 1e-12, 1e-12, "value");
}

#[test]
fn what_does_not_fit_is_said() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let norm = BatchNorm2d::new(&BatchNormConfig::new(2), store.vb()).unwrap();
    let run = |shape, train| norm.forward_t(&Tensor::zeros(shape, DType::F32, &DEV).unwrap(), train);
    assert!(run((1, 2, 1, 1), true).unwrap_err().to_string().contains("two values per channel"));
    assert!(run((1, 2, 1, 1), false).is_ok());
    assert!(run((1, 3, 4, 4), false).unwrap_err().to_string().contains("(N, 2, H, W)"));
    assert!(BatchNorm2d::new(&BatchNormConfig::new(0), store.vb().pp("a")).is_err());
    assert!(BatchNorm2d::new(&BatchNormConfig::new(1).momentum(2.0), store.vb().pp("b")).is_err());
    assert!(NormKind::Instance.conv_bias() && !NormKind::Batch.conv_bias() && !NormKind::None.conv_bias());
}
