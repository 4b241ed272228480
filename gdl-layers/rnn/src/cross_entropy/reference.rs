use super::Targets;
use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;
use gdl_kernels::numbers;

/// The loss of logits (M, V), by candle.
pub(crate) fn cross_entropy(logits: &Tensor, targets: &Targets) -> Result<Tensor> {
    token_losses(logits, targets)?.sum_all()? / targets.count as f64
}

/// The losses (M) of logits (M, V), one by one, by candle.
pub(crate) fn token_losses(logits: &Tensor, targets: &Targets) -> Result<Tensor> {
    let (rows, vocab) = logits.dims2()?;
    let (device, dtype) = (logits.device(), logits.dtype());
    let counts = |id: u32| id != Targets::IGNORED;
    let weights: Vec<f64> = targets.ids.iter().map(|&id| -f64::from(u8::from(counts(id)))).collect();
    let weights = numbers(weights, rows, dtype, device)?;
    let ids: Vec<u32> = targets.ids.iter().map(|&id| if counts(id) { id } else { 0 }).collect();
    let ids = Tensor::from_vec(ids, (rows, 1), device)?;
    let log_p = log_softmax(logits, D::Minus1)?;
    let sharp = log_p.gather(&ids, 1)?.squeeze(1)?; // (M)
    let even = (log_p.sum(D::Minus1)? * (targets.smoothing / vocab as f64))?;
    ((sharp * (1. - targets.smoothing))? + even)? * weights
}
