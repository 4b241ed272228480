use crate::TrainConfig;
use crate::model::Output;
use candle_core::{Result, Tensor};

/// The loss with what keeps the activations small, and slow to change:
/// `loss + a mean(d^2) + b mean((h[t+1] - h[t])^2)`, where h is what the last layer gives, and d the same with dropout.
///
/// # Source
/// Merity, McCann and Socher 2017, *Revisiting Activation Regularization for Language RNNs*,
/// <https://arxiv.org/abs/1708.01009>; the norms are squared, as in the code of AWD-LSTM.
pub(super) fn add(loss: &Tensor, output: &Output, config: &TrainConfig) -> Result<Tensor> {
    let mut sum = loss.clone();
    if config.activation_reg > 0.0 {
        sum = (sum + (output.dropped.sqr()?.mean_all()? * config.activation_reg)?)?;
    }
    let tokens = output.raw.dim(1)?;
    if config.temporal_reg > 0.0 && tokens > 1 {
        let (after, before) = (output.raw.narrow(1, 1, tokens - 1)?, output.raw.narrow(1, 0, tokens - 1)?);
        sum = (sum + ((after - before)?.sqr()?.mean_all()? * config.temporal_reg)?)?;
    }
    Ok(sum)
}
