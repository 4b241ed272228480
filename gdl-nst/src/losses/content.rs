use super::relative_mse;
use candle_core::{Result, Tensor};

/// How far features are from those of the content picture.
///
/// `L = mean((F - P)^2) / mean(P^2)` for features F and target P
///
/// Relative to the target, so that it does not depend on how a network's activations are scaled.
///
/// # Shape
/// Two tensors of one shape, usually (1, C, H, W), to a scalar.
///
/// # Errors
/// When the shapes differ.
///
/// # Source
/// Gatys, Ecker and Bethge 2016, equation 1, which takes half the sum instead.
pub fn content_loss(features: &Tensor, target: &Tensor) -> Result<Tensor> {
    relative_mse(features, target)
}
