//! The networks of the book *Generative Deep Learning* against their Keras code, written out in PyTorch.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{ModuleT, VarBuilder};
use gdl_cyclegan::{
    CycleGan, CycleGanConfig, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, Losses as _,
    Method as _, NetFile,
};
use gdl_patchgan::{BookGan, BookGanConfig, Discriminator as _, GanLoss};
use gdl_tests::{Fixture, assert_close};
use gdl_train::{ParamStore, save_pth};
use std::collections::HashMap;

const DEV: Device = Device::Cpu;

fn f64s(t: &Tensor) -> Tensor {
    t.to_dtype(DType::F64).unwrap()
}

fn parity(case: &str, build: impl Fn(VarBuilder<'static>) -> Box<dyn Fn(&Tensor) -> Result<Tensor>>) {
    let fixture = Fixture::load("book");
    let vars: HashMap<String, Var> = fixture
        .vars(&format!("{case}.weights"))
        .into_iter()
        .map(|(k, v)| (k, Var::from_tensor(&f64s(&v)).unwrap()))
        .collect();
    let tensors = vars.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
    let net = build(VarBuilder::from_tensors(tensors, DType::F64, &DEV));
    let get = |part: &str| f64s(&fixture.get(&format!("{case}.{part}")));
    let x = Var::from_tensor(&get("x")).unwrap();
    let y = net(&x).unwrap();
    // Both compute in f64; the fixture is rounded to f32 (6e-8 of each number).
    let check =
        |got: &Tensor, part: &str| assert_close(got, &get(part), 2e-7, 2e-7, &format!("{case}: {part}"));
    check(&y, "y");
    let grads = (y * get("gy")).unwrap().sum_all().unwrap().backward().unwrap();
    check(grads.get(&x).unwrap(), "dx");
    assert!(!vars.is_empty());
    for (name, var) in &vars {
        check(grads.get(var).unwrap_or_else(|| panic!("{name} is not used")), &format!("grads.{name}"));
    }
}

#[test]
fn they_compute_what_keras_does() {
    parity("unet", |vb| {
        let net = Generator::new(&GeneratorConfig::book_unet().base_channels(2), None, vb).unwrap();
        Box::new(move |x| net.forward_t(x, true))
    });
    for (case, halvings) in [("text", 4), ("code", 3)] {
        parity(case, |vb| {
            let config = BookGanConfig::new(3).base_channels(2).halvings(halvings);
            let net = BookGan::new(&config, vb).unwrap();
            Box::new(move |x| net.forward(x))
        });
    }
}

#[test]
fn sizes_are_the_book_s() {
    let vb = || VarBuilder::zeros(DType::F32, &DEV);
    let picture = Tensor::zeros((1, 3, 128, 128), DType::F32, &DEV).unwrap();
    for (config, side) in [(DiscriminatorConfig::book(3), 8), (DiscriminatorConfig::book_code(3), 16)] {
        let scores = Discriminator::new(&config.base_channels(1), vb()).unwrap().forward(&picture).unwrap();
        assert_eq!(scores.dims(), [1, 1, side, side]);
    }
    assert!(BookGan::new(&BookGanConfig::new(3).halvings(2), vb()).is_err());
    let odd = Tensor::zeros((1, 3, 13, 50), DType::F32, &DEV).unwrap();
    let generator = Generator::new(&GeneratorConfig::book_unet().base_channels(1), None, vb()).unwrap();
    assert_eq!(generator.translate(&odd).unwrap().dims(), [1, 3, 13, 50]);
}

#[test]
fn the_direction_is_the_limit_of_differences() {
    let rng = gdl_kernels::rng::SharedRng::seed(5);
    let store = ParamStore::new(DType::F64, &DEV, 6);
    let config = BookGanConfig::new(1).base_channels(2).init(gdl_kernels::init::InitScheme::Kaiming);
    let disc = BookGan::new(&config, store.vb()).unwrap();
    let [x, dx] = [(); 2].map(|()| rng.randn((1, 1, 35, 40), DType::F64, &DEV).unwrap());
    let (y, dy) = disc.forward_jvp(&x, &dx).unwrap();
    let step = (&dx * 1e-7).unwrap();
    let at = |x: Tensor| disc.forward(&x).unwrap();
    let slope = ((at((&x + &step).unwrap()) - at((&x - &step).unwrap())).unwrap() / 2e-7).unwrap();
    // f64 over a step of 1e-7: 1e-16 * 10 / 1e-7.
    assert_close(&dy, &slope, 1e-6, 1e-6, "direction");
    assert_close(&y, &at(x), 1e-12, 1e-12, "value");
}

#[test]
fn they_train_and_are_recognised() {
    let config = CycleGanConfig {
        generator: GeneratorConfig::book_unet().base_channels(1),
        discriminator: DiscriminatorConfig::book(3).base_channels(1),
        gan_loss: GanLoss::WassersteinGp,
        ..CycleGanConfig::default()
    };
    let mut model = CycleGan::new(&config, DType::F32, &DEV).unwrap();
    let rng = gdl_kernels::rng::SharedRng::seed(7);
    let [a, b] = [(); 2].map(|()| rng.rand((1, 3, 32, 32), -1.0, 1.0, DType::F32, &DEV).unwrap());
    assert!(model.train_step(&a, &b).unwrap().named().iter().all(|(_, loss)| loss.is_finite()));
    let dir = tempfile::tempdir().unwrap();
    for (net, store) in model.stores() {
        let path = dir.path().join(format!("{net}.pth"));
        save_pth(&path, &store.tensors()).unwrap();
        let file = NetFile::open(&path).unwrap();
        match net.starts_with("net_G") {
            true => assert_eq!(file.generator().unwrap(), config.generator),
            false => assert_eq!(file.discriminator().unwrap(), config.discriminator),
        }
    }
    for spoilt in [
        GeneratorConfig::book_unet().dropout(true),
        GeneratorConfig::book_unet().norm(gdl_cyclegan::NormKind::Batch),
        GeneratorConfig::resnet6().norm(gdl_cyclegan::NormKind::Keras),
    ] {
        assert!(spoilt.validate().unwrap_err().to_string().contains("the book's U-Net"));
    }
}
