use super::moments::mean as mean_of;
use super::{inverse_or_one, mean_square, value};
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
    let energy = value(&(mean.sqr()? + variance)?.mean_all()?)?;
    let (n, c, h, w) = features.dims4()?;
    let (m, eps) = (mean_of(features, places)?, 1e-6 * energy + f64::from(f32::MIN_POSITIVE));
    let centred = features.reshape((n, c, h * w))?.broadcast_sub(&m)?.reshape((n, c, h, w))?;
    let deviation = |variance: &Tensor| (variance + eps)?.sqrt();
    let s = deviation(&mean_square(&centred, places)?)?;
    let sum = ((m - mean)?.sqr()? + (s - deviation(variance)?)?.sqr()?)?;
    sum.mean_all()? * inverse_or_one(energy)
}
