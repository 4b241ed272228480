//! Networks computed in half precision from weights in f32. In a test binary of its own: the setting is the whole process's.

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::ModuleT;
use gdl_cyclegan::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use gdl_kernels::{compute_dtype, set_compute_dtype};
use gdl_train::{ParamStore, SharedRng};
use gdl_vgg::{Arch, Tap, Vgg, VggConfig};

/// What a network makes of a picture, and the gradients of its weights.
fn pass(store: &ParamStore, network: impl Fn() -> Result<Tensor>) -> Result<(Tensor, Vec<Tensor>)> {
    let y = network()?;
    let gradients = y.sqr()?.sum_all()?.backward()?;
    let gradients = store.trainable().iter().filter_map(|(_, var)| gradients.get(var).cloned()).collect();
    Ok((y, gradients))
}

fn distance(a: &Tensor, b: &Tensor) -> Result<f64> {
    let norm = |t: Tensor| t.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>();
    Ok((norm((a - b)?)? / norm(b.clone())?.max(1e-30)).sqrt())
}

#[test]
fn bf16_changes_the_arithmetic_and_neither_the_types_nor_much_of_the_result() {
    let picture = SharedRng::seed(3).randn((1, 3, 32, 32), DType::F32, &Device::Cpu).unwrap();
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    let generator = Generator::new(&GeneratorConfig::resnet(1).base_channels(8), None, store.vb()).unwrap();
    let judge_store = ParamStore::new(DType::F32, &Device::Cpu, 2);
    let judge = Discriminator::new(
        &DiscriminatorConfig { base_channels: 8, ..DiscriminatorConfig::basic(3) },
        judge_store.vb(),
    )
    .unwrap();
    let networks: [(&ParamStore, &dyn Fn() -> Result<Tensor>); 2] =
        [(&store, &|| generator.forward_t(&picture, true)), (&judge_store, &|| judge.forward(&picture))];
    for (store, network) in networks {
        let (full, full_gradients) = pass(store, network).unwrap();
        set_compute_dtype(Some(DType::BF16));
        assert_eq!(compute_dtype(), Some(DType::BF16));
        let (half, half_gradients) = pass(store, network).unwrap();
        set_compute_dtype(None);
        assert_eq!(half.dtype(), DType::F32);
        let apart = distance(&half, &full).unwrap();
        // A rounding of 2^-9 in each of a dozen layers; nothing at all would mean that it was not done.
        assert!(apart > 1e-4 && apart < 0.05, "{apart}");
        assert_eq!(half_gradients.len(), full_gradients.len());
        for (half, full) in half_gradients.iter().zip(&full_gradients) {
            assert_eq!((half.dtype(), half.dims()), (DType::F32, full.dims()));
        }
    }
    let vgg_store = ParamStore::new(DType::F32, &Device::Cpu, 3);
    let tap = Tap::relu(1, 2);
    let vgg = Vgg::new(&VggConfig { arch: Arch::Vgg16, upto: tap, ..VggConfig::default() }, vgg_store.vb())
        .unwrap();
    let full = vgg.features(&picture, &[tap]).unwrap();
    set_compute_dtype(Some(DType::F16));
    let half = vgg.features(&picture, &[tap]).unwrap();
    set_compute_dtype(None);
    let apart = distance(&half[0], &full[0]).unwrap();
    assert!(half[0].dtype() == DType::F32 && apart > 1e-5 && apart < 0.01, "{apart}");
}
