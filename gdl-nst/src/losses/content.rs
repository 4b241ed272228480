use super::{scale_of, scaled_mse};
use candle_core::{Result, Tensor};

/// How far features are from those of the content picture.
///
/// `L = mean((F - P)^2) / mean((P - mean of P's channel)^2)` for features F and target P
///
/// The part of the target's variation over the picture that the features miss: 0 when equal, 1 when every position has
/// the channel's mean. So it depends neither on how a network's activations are scaled nor on their offset.
///
/// # Shape
/// Two tensors of shape (N, C, H, W), to a scalar.
///
/// # Errors
/// When the shapes differ.
///
/// # Source
/// Gatys, Ecker and Bethge 2016, equation 1, which takes half the sum instead.
pub fn content_loss(features: &Tensor, target: &Tensor) -> Result<Tensor> {
    scaled_mse(features, target, content_scale(target)?)
}

/// What the squared difference to a target is multiplied with, which depends on the target alone.
pub(crate) fn content_scale(target: &Tensor) -> Result<f64> {
    scale_of(&target.broadcast_sub(&target.mean_keepdim((2, 3))?)?)
}
