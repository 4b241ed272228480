use super::{mean_and_covariance, scale_of, scaled_mse};
use candle_core::{Result, Tensor};

/// How far mean and covariance of a layer's channels are from those of the style picture.
///
/// `E = mean((C - C_s)^2) / mean(C_s^2) + mean((m - m_s)^2) / mean(m_s^2)`
///
/// The Gram matrix holds both in one; where the channels' means are large beside their variation, as in a network that
/// was never trained, it hardly sees the variation. Here each has its own term.
///
/// # Shape
/// `features` (N, C, H, W), `mean` (N, C, 1) and `covariance` (N, C, C) as [`mean_and_covariance`] gives them, `places`
/// (1, 1, H, W) or none, to a scalar.
///
/// # Errors
/// When the shapes do not fit.
pub fn covariance_loss(
    features: &Tensor,
    mean: &Tensor,
    covariance: &Tensor,
    places: Option<&Tensor>,
) -> Result<Tensor> {
    let (m, c) = mean_and_covariance(features, places)?;
    let scales = (scale_of(mean)?, scale_of(covariance)?);
    covariance_loss_of((&m, &c), (mean, covariance), scales)
}

/// [`covariance_loss`] of features with that mean and covariance; with what the differences of either are multiplied.
pub(crate) fn covariance_loss_of(
    (m, c): (&Tensor, &Tensor),
    (mean, covariance): (&Tensor, &Tensor),
    (of_mean, of_covariance): (f64, f64),
) -> Result<Tensor> {
    scaled_mse(c, covariance, of_covariance)? + scaled_mse(m, mean, of_mean)?
}
