use super::Step;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use gdl_cyclegan::{CycleGan, CycleGanConfig, Generator, GeneratorConfig};
use gdl_kernels::rng::SharedRng;
use gdl_nst::{NstConfig, Statistics, StyleTransfer};
use gdl_train::ParamStore;
use gdl_vgg::{VggConfig, VggWeights};

/// Random pictures (N, 3, size, size) between the bounds.
fn pictures(n: usize, size: usize, (lo, hi): (f64, f64), seed: u64, device: &Device) -> Result<Tensor> {
    Ok(SharedRng::seed(seed).rand((n, 3, size, size), lo, hi, DType::F32, device)?)
}

/// A training step. Without the pool of earlier translations, which has none of the work.
pub(super) fn cyclegan_step(generator: GeneratorConfig, size: usize, device: &Device) -> Result<Step> {
    let config = CycleGanConfig { generator, pool_size: 0, ..CycleGanConfig::default() };
    let mut model = CycleGan::new(&config, DType::F32, device)?;
    let a = pictures(1, size, (-1.0, 1.0), 1, device)?;
    let b = pictures(1, size, (-1.0, 1.0), 2, device)?;
    Ok(Box::new(move || {
        model.train_step(&a, &b)?;
        Ok(())
    }))
}

pub(super) fn translate(size: usize, device: &Device) -> Result<Step> {
    let config = GeneratorConfig::resnet9();
    let store = ParamStore::new(DType::F32, device, 0);
    Generator::new(&config, None, store.vb())?;
    // Once more from plain tensors, as a run's translator has it: variables would keep a graph.
    let vb = VarBuilder::from_tensors(store.tensors().into_iter().collect(), DType::F32, device);
    let generator = Generator::new(&config, None, vb)?;
    let x = pictures(1, size, (0.0, 1.0), 1, device)?;
    Ok(Box::new(move || {
        generator.forward_t(&x, false)?;
        Ok(())
    }))
}

/// A step at full size: content at relu4_2, Gram style at relu1_1 to relu5_1, total variation, Adam.
pub(super) fn nst_step(size: usize, device: &Device) -> Result<Step> {
    let weights = VggWeights::random(&VggConfig::default(), 1)?;
    let content = pictures(1, size, (0.0, 1.0), 1, device)?.squeeze(0)?;
    let style = pictures(1, size, (0.0, 1.0), 2, device)?.squeeze(0)?;
    // One scale, and never out of steps.
    let config = NstConfig {
        size,
        min_size: size,
        steps: usize::MAX,
        statistics: Statistics::Gram,
        ..NstConfig::default()
    };
    let mut transfer = StyleTransfer::new(&config, &weights, &content, &[style.into()])?;
    Ok(Box::new(move || {
        transfer.step()?;
        Ok(())
    }))
}
