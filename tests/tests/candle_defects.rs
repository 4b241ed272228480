//! What candle 0.11.1 gets wrong, and why gdl has operators and stores of its own.
//!
//! Each test pins one defect. A test that fails here is good news: candle has mended the defect, and the piece of
//! gdl that its message names may no longer be needed.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use candle_nn::VarMap;

const DEVICE: &Device = &Device::Cpu;

/// The message of a test that fails because candle no longer does the wrong thing.
fn mended(what: &str, ours: &str) -> String {
    format!("candle has mended {what}: see whether {ours} is still needed, and drop this test")
}

fn ones(shape: &[usize]) -> Var {
    Var::ones(shape, DType::F32, DEVICE).unwrap()
}

fn gradients(y: &Tensor) -> Result<GradStore> {
    y.sum_all()?.backward()
}

fn sum(t: &Tensor) -> f32 {
    t.sum_all().unwrap().to_scalar().unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn max_pool2d_scales_its_gradient_down() {
    // No ties: the gradient of a sum of four maxima must sum to 4.
    let x =
        Var::from_tensor(&Tensor::arange(0f32, 16., DEVICE).unwrap().reshape((1, 1, 4, 4)).unwrap()).unwrap();
    let grads = gradients(&x.max_pool2d(2).unwrap()).unwrap();
    let got = sum(grads.get(&x).unwrap());
    assert_eq!(got, 1., "{}", mended("the gradient of max_pool2d", "gdl_conv::max_pool2d"));
}

#[test]
fn max_pool2d_has_no_gradient_for_overlapping_windows() {
    let x = ones(&[1, 1, 5, 5]);
    let result = gradients(&x.max_pool2d_with_stride(3, 2).unwrap());
    assert!(result.is_err(), "{}", mended("overlapping max_pool2d", "gdl_conv::max_pool2d"));
}

#[test]
fn avg_pool2d_has_no_gradient_for_overlapping_windows() {
    let x = ones(&[1, 1, 5, 5]);
    let result = gradients(&x.avg_pool2d_with_stride(3, 2).unwrap());
    assert!(result.is_err(), "{}", mended("overlapping avg_pool2d", "gdl_conv::avg_pool2d"));
}

#[test]
fn avg_pool2d_gives_a_gradient_to_pixels_that_no_window_sees() {
    // Of 5 columns, two windows of 2 see four: the gradient must sum to 2 windows, and be 0 in the last column.
    let x = ones(&[1, 1, 2, 5]);
    let grads = gradients(&x.avg_pool2d(2).unwrap()).unwrap();
    let got = values(grads.get(&x).unwrap());
    assert_ne!(got[4], 0., "{}", mended("avg_pool2d of odd sizes", "gdl_conv::avg_pool2d"));
}

#[test]
fn upsample_nearest2d_overwrites_the_gradient_of_another_consumer() {
    let x = ones(&[1, 1, 2, 2]);
    let twice = x.upsample_nearest2d(4, 4).unwrap().sum_all().unwrap();
    let direct = x.sum_all().unwrap();
    // Which of the two is differentiated last depends on their order. In one order the gradient must be 5, and is 4.
    let both = [(&twice + &direct).unwrap(), (&direct + &twice).unwrap()];
    let got = both.map(|y| values(y.backward().unwrap().get(&x).unwrap())[0]);
    assert!(got.contains(&4.), "{}", mended("upsample_nearest2d", "gdl_conv::upsample_nearest2d"));
}

#[test]
fn upsample_bilinear2d_has_no_gradient() {
    let x = ones(&[1, 1, 2, 2]);
    let result = gradients(&x.upsample_bilinear2d(4, 4, false).unwrap());
    assert!(result.is_err(), "{}", mended("upsample_bilinear2d", "avoiding it"));
}

#[test]
fn conv2d_takes_the_output_padding_of_its_gradient_from_the_height() {
    let (x, w) = (ones(&[1, 1, 7, 8]), ones(&[1, 1, 3, 3]));
    let result = gradients(&x.conv2d(&w, 1, 2, 1, 1).unwrap());
    assert!(result.is_err(), "{}", mended("conv2d at 7x8 with stride 2", "gdl_conv::conv2d"));
}

#[test]
fn conv2d_computes_the_gradient_of_a_frozen_kernel() {
    let (x, w) = (ones(&[1, 1, 5, 5]), Tensor::ones((1, 1, 3, 3), DType::F32, DEVICE).unwrap());
    let grads = gradients(&x.conv2d(&w, 1, 1, 1, 1).unwrap()).unwrap();
    assert!(grads.get(&w).is_some(), "{}", mended("conv2d with a frozen kernel", "gdl_conv::conv2d"));
}

#[test]
fn conv_transpose1d_has_no_gradient() {
    let (x, w) = (ones(&[1, 1, 4]), ones(&[1, 1, 3]));
    let result = gradients(&x.conv_transpose1d(&w, 0, 0, 1, 1, 1).unwrap());
    assert!(result.is_err(), "{}", mended("conv_transpose1d", "avoiding it"));
}

#[test]
fn relu_passes_the_gradient_at_zero() {
    // PyTorch's is 0 there. It matters where zeros are frequent: behind another rectifier, or zero padding.
    let x = Var::zeros(1, DType::F32, DEVICE).unwrap();
    let grads = gradients(&x.relu().unwrap()).unwrap();
    let got = values(grads.get(&x).unwrap());
    assert_eq!(got, [1.], "{}", mended("the gradient of relu at zero", "an activation of our own"));
}

#[test]
fn the_cpu_cannot_be_seeded() {
    let result = DEVICE.set_seed(1);
    assert!(result.is_err(), "{}", mended("Device::set_seed on the CPU", "gdl_kernels::rng"));
}

#[test]
fn adamw_decays_by_default() {
    let got = candle_nn::ParamsAdamW::default().weight_decay;
    assert_eq!(got, 0.01, "{}", mended("AdamW's default weight decay", "gdl_train::Adam"));
}

#[test]
fn var_map_assigns_before_it_has_checked_everything() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half.safetensors");
    // One name is there with a new value, the other is missing: loading fails, and must leave the map as it was.
    // The map goes through its names in the order of a hash, so of many maps some meet the good name first.
    let saved = std::collections::HashMap::from([("good", Tensor::ones(1, DType::F32, DEVICE).unwrap())]);
    candle_core::safetensors::save(&saved, &path).unwrap();
    let changed = (0..64).any(|_| {
        let mut map = VarMap::new();
        let zero = candle_nn::Init::Const(0.);
        let good = map.get(1, "good", zero, DType::F32, DEVICE).unwrap();
        map.get(1, "missing", zero, DType::F32, DEVICE).unwrap();
        assert!(map.load(&path).is_err());
        values(&good) == [1.]
    });
    assert!(changed, "{}", mended("VarMap::load", "gdl_train::ParamStore"));
}
