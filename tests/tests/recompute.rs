//! Blocks that the backward pass computes again: the same gradients, masks and statistics as without.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use candle_nn::ModuleT;
use gdl_cyclegan::{Generator, GeneratorConfig, NormKind};
use gdl_kernels::{Gradients, is_recomputing, recomputed, rng::SharedRng};
use gdl_tests::{DEV, assert_bitwise};
use gdl_train::{ParamStore, RngState, Tensors};

/// Two passes over a generator whose output is used twice in the second, as CycleGAN does: every gradient, every tensor of the
/// store afterwards, and where the random numbers stand.
fn learn(config: &GeneratorConfig, side: usize, recompute: bool) -> (Tensors, Tensors, RngState) {
    let (store, rng) = (ParamStore::new(DType::F32, &DEV, 3), SharedRng::seed(8));
    let mut generator = Generator::new(config, Some(rng.clone()), store.vb()).unwrap();
    generator.recompute_blocks(recompute);
    let data = SharedRng::seed(5);
    let picture = || data.rand((2, 3, side, side), -1.0, 1.0, DType::F32, &DEV).unwrap();
    let mut gradients = Gradients::default();
    for uses in [1, 2] {
        let mut x = picture();
        let mut loss = Tensor::zeros((), DType::F32, &DEV).unwrap();
        for _ in 0..uses {
            x = generator.forward_t(&x, true).unwrap();
            loss = (loss + (&x * picture()).unwrap().sum_all().unwrap()).unwrap();
        }
        gradients.backward(&loss).unwrap();
    }
    let taken = |(name, var): (String, Var)| (name, gradients.take(&var).unwrap().unwrap());
    (store.trainable().into_iter().map(taken).collect(), store.tensors(), rng.state())
}

#[test]
fn gradients_masks_and_statistics_are_those_without() {
    for (name, config, side) in [
        ("resnet", GeneratorConfig::resnet(3).base_channels(4), 16),
        ("resnet, dropout", GeneratorConfig::resnet(2).base_channels(4).dropout(true), 16),
        (
            "resnet, batch norm",
            GeneratorConfig::resnet(2).base_channels(2).norm(NormKind::Batch).dropout(true),
            16,
        ),
        (
            "unet, batch norm",
            GeneratorConfig::unet(6).base_channels(2).norm(NormKind::Batch).dropout(true),
            64,
        ),
        ("book", GeneratorConfig::book_unet().base_channels(2), 32),
    ] {
        let (want, weights, rng) = learn(&config, side, false);
        let (got, weights_again, rng_again) = learn(&config, side, true);
        assert_eq!(got.len(), want.len(), "{name}");
        for (key, want) in &want {
            assert_bitwise(&got[key], want, &format!("{name}: {key}"));
        }
        for (key, want) in &weights {
            assert_bitwise(&weights_again[key], want, &format!("{name}: {key} afterwards"));
        }
        assert_eq!(rng_again, rng, "{name}");
    }
}

#[test]
fn gradients_that_would_be_lost_are_an_error() {
    let (x, w) = (Var::new(&[2f32], &DEV).unwrap(), Var::new(&[3f32], &DEV).unwrap());
    let weight = w.as_tensor().clone();
    let y = recomputed(&x, None, move |x| x * &weight).unwrap();
    let error = y.backward().unwrap_err().to_string();
    assert!(error.contains("Gradients::backward"), "{error}");
    // Without variables inside there is nothing to lose.
    let y = recomputed(&x, None, Tensor::sqr).unwrap();
    assert_eq!(y.backward().unwrap().get(&x).unwrap().to_vec1::<f32>().unwrap(), [4.0]);
}

/// A block inside another, and an input that no variable leads to.
#[test]
fn blocks_nest() {
    let w = Var::new(&[3f32], &DEV).unwrap();
    let x = Tensor::new(&[2f32], &DEV).unwrap();
    let weight = w.as_tensor().clone();
    let y = recomputed(&x, None, move |x| {
        let weight = weight.clone();
        recomputed(&(x * &weight)?, None, move |x| x * &weight)
    })
    .unwrap();
    assert_eq!(y.to_vec1::<f32>().unwrap(), [18.0]);
    let mut gradients = Gradients::default();
    gradients.backward(&y).unwrap();
    assert_eq!(gradients.take(&w).unwrap().unwrap().to_vec1::<f32>().unwrap(), [12.0]);
    assert!(!is_recomputing());
}

/// What fails the second time is an error of the backward pass, and leaves nothing switched over.
#[test]
fn a_block_that_fails_again_is_an_error() {
    let x = Var::new(&[2f32], &DEV).unwrap();
    let y =
        recomputed(&x, None, |x| if is_recomputing() { candle_core::bail!("not again") } else { x.sqr() })
            .unwrap();
    let error = Gradients::default().backward(&y).unwrap_err().to_string();
    assert!(error.contains("not again") && !is_recomputing(), "{error}");
}
