use super::{inverse_or_one, mean_and_variance, value};
use candle_core::{Result, Tensor};

/// How far mean and standard deviation of each channel are from those of the style picture.
///
/// `E = sum((m - m_s)^2 + (s - s_s)^2) / sum(m_s^2 + s_s^2)`, sums over the channels
///
/// That is the squared Wasserstein-2 distance between Gaussians whose channels are independent, relative to that of
/// features which are 0 everywhere. Cheaper and looser than what sees the correlations of the channels. A deviation
/// is
/// `sqrt(variance + e)` on both sides, e being a millionth of the target's mean square: its slope stays finite where a
/// channel is constant.
///
/// # Shape
/// `features` (N, C, H, W), `mean` and `variance` (N, C, 1), `places` (1, 1, H, W) or none, to a scalar.
///
/// # Errors
/// When the shapes do not fit.
///
/// # Source
/// Huang and Belongie 2017, equation 13, which is not relative; Li et al. 2017, *Demystifying Neural Style Transfer*.
pub fn mean_std_loss(
    features: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    places: Option<&Tensor>,
) -> Result<Tensor> {
    let (m, v) = mean_and_variance(features, places)?;
    mean_std_loss_of((&m, &v), (mean, variance), energy_of(mean, variance)?)
}

/// The mean square of features with that mean and variance.
pub(crate) fn energy_of(mean: &Tensor, variance: &Tensor) -> Result<f64> {
    value(&(mean.sqr()? + variance)?.mean_all()?)
}

/// [`mean_std_loss`] of features with that mean and variance; `energy` is the target's mean square.
pub(crate) fn mean_std_loss_of(
    (m, v): (&Tensor, &Tensor),
    (mean, variance): (&Tensor, &Tensor),
    energy: f64,
) -> Result<Tensor> {
    let eps = 1e-6 * energy + f64::from(f32::MIN_POSITIVE);
    let deviation = |variance: &Tensor| (variance + eps)?.sqrt();
    let sum = ((m - mean)?.sqr()? + (deviation(v)? - deviation(variance)?)?.sqr()?)?;
    sum.mean_all()? * inverse_or_one(energy)
}
