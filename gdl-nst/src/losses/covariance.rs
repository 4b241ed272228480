use super::relative_mse;
use candle_core::{Result, Tensor, bail};

/// The mean of each channel over all positions, and the covariance of the channels about it, divided by C.
///
/// `C[i, j] = sum over positions p of (f[i, p] - mean[i]) (f[j, p] - mean[j]) / (C * H * W)`
///
/// # Shape
/// (N, C, H, W) to (N, C, 1) and (N, C, C).
///
/// # Errors
/// When `f` has not four dimensions, or no elements.
pub fn mean_and_covariance(f: &Tensor) -> Result<(Tensor, Tensor)> {
    let (n, c, h, w) = f.dims4()?;
    if c * h * w == 0 {
        bail!("mean_and_covariance: features of shape {:?} have no elements", f.dims())
    }
    let f = f.reshape((n, c, h * w))?;
    let mean = f.mean_keepdim(2)?;
    let centred = f.broadcast_sub(&mean)?;
    let covariance = centred.affine(1.0 / (c * h * w) as f64, 0.0)?.matmul(&centred.t()?)?;
    Ok((mean, covariance))
}

/// How far mean and covariance of a layer's channels are from those of the style picture.
///
/// `E = mean((C - C_s)^2) / mean(C_s^2) + mean((m - m_s)^2) / mean(m_s^2)`
///
/// The Gram matrix holds both in one; where the channels' means are large beside their variation, as in a network that
/// was never trained, it hardly sees the variation. Here each has its own term.
///
/// # Shape
/// `features` (N, C, H, W), `mean` (N, C, 1), `covariance` (N, C, C), to a scalar.
///
/// # Errors
/// When the shapes do not fit.
pub fn covariance_loss(features: &Tensor, mean: &Tensor, covariance: &Tensor) -> Result<Tensor> {
    let (m, c) = mean_and_covariance(features)?;
    relative_mse(&c, covariance)? + relative_mse(&m, mean)?
}
