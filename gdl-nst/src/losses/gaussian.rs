use super::roots::{Roots, roots};
use super::{inverse_or_one, mean_and_covariance};
use candle_core::{DType, Device, Result, Tensor, bail};

/// The Gaussian of a style picture's features at one tap, with what the distance to it needs.
#[derive(Debug, Clone)]
pub struct Gaussian {
    /// (C, 1), f64.
    mean: Tensor,
    /// The covariance as it came, (C, C), f64.
    covariance: Tensor,
    /// What the loss is divided by, inverted.
    scale: f64,
    eps: f64,
}

/// How many times a ridge is made ten times as high before giving up: far beyond what rounding can ask for.
const RIDGES: i32 = 12;

impl Gaussian {
    /// `mean` and `covariance` of the channels; the covariance is not divided by C.
    ///
    /// # Shape
    /// (1, C, 1) and (1, C, C).
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn new(mean: &Tensor, covariance: &Tensor) -> Result<Self> {
        let (one, c, _) = mean.dims3()?;
        if one != 1 || covariance.dims() != [1, c, c] {
            bail!("Gaussian: a mean of {:?} and a covariance of {:?}", mean.dims(), covariance.dims())
        }
        let own = |t: &Tensor| t.squeeze(0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64);
        let (mean, covariance) = (own(mean)?.detach(), own(covariance)?.detach());
        let variance = trace(&covariance)?;
        let energy = mean.sqr()?.sum_all()?.to_scalar::<f64>()? + variance;
        let eps = (1e-3 * variance).max(1e-6 * energy) / c as f64 + 1e-12;
        Ok(Self { mean, covariance, scale: inverse_or_one(energy), eps })
    }

    /// With a ridge on both covariances, the symmetric map D with `d(W^2) / dC = D`, and `tr C_s - tr (S C S)^(1/2)`.
    fn slope_and_rest(&self, covariance: &Tensor) -> Result<(Tensor, f64)> {
        let c = covariance.dim(0)?;
        let eye = Tensor::eye(c, DType::F64, &Device::Cpu)?;
        for i in 0..RIDGES {
            let eps = self.eps * 10f64.powi(i);
            let ridge = (&eye * eps)?;
            let style = (&self.covariance + &ridge)?;
            let Some(Roots { root: s, .. }) = roots(&style, eps)? else { continue };
            let middle = s.matmul(&(covariance + &ridge)?)?.matmul(&s)?;
            let Some(Roots { root, inverse }) = roots(&middle, eps * eps)? else { continue };
            let slope = (&eye - s.matmul(&inverse)?.matmul(&s)?)?;
            // Of the ridge of this covariance the caller knows nothing.
            let rest = trace(&style)? - trace(&root)? + eps * trace(&slope)?;
            return Ok((slope, rest));
        }
        bail!("wasserstein loss: a covariance whose root does not exist; are the features finite?")
    }
}

/// How far the Gaussian of a layer's channels is from that of the style picture: the squared Wasserstein-2 distance, relative to
/// that of features which are 0 everywhere.
///
/// `E = (|m - m_s|^2 + tr(C + C_s - 2 (S C S)^(1/2))) / (|m_s|^2 + tr(C_s))` with `S = C_s^(1/2)`
///
/// The roots are computed by Newton-Schulz, in f64, on the CPU. Their gradient is known in closed form and needs no
/// second iteration: `dE/dC = (I - S (S C S)^(-1/2) S) / (...)`, whose second part is the map that carries the one Gaussian
/// into the other, and the iteration gives the inverse root beside the root. So the loss is `tr(D C)` with D held constant, plus
/// what makes its value right.
///
/// Both covariances get a ridge, a thousandth of the mean variance of the style's channels: a covariance from few positions is
/// singular, and rounding in f32 makes it slightly indefinite. Should that not do, it is made ten times as high until
/// it does.
///
/// # Shape
/// `features` (1, C, H, W), `places` (1, 1, H, W) or none, to a scalar.
///
/// # Errors
/// When the channels differ from the target's, or the features are not finite.
///
/// # Source
/// Olkin and Pukelsheim 1982; the loss as in crowsonkb/style-transfer-pytorch (`StyleLossW2`), which divides by C instead, cuts the
/// root off after 12 turns and solves its gradient by another iteration.
pub fn wasserstein_loss(features: &Tensor, style: &Gaussian, places: Option<&Tensor>) -> Result<Tensor> {
    let (n, c, _, _) = features.dims4()?;
    if n != 1 || style.mean.dim(0)? != c {
        bail!(
            "wasserstein loss: features of {:?}, a style of {:?} channels",
            features.dims(),
            style.mean.dim(0)?
        )
    }
    let (mean, covariance) = mean_and_covariance(features, places)?;
    let (mean, covariance) = (mean.squeeze(0)?, (covariance.squeeze(0)? * c as f64)?);
    let like = |t: &Tensor| t.to_dtype(features.dtype())?.to_device(features.device());
    let own = covariance.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let (slope, rest) = style.slope_and_rest(&own)?;
    let off = (mean - like(&style.mean)?)?.sqr()?.sum_all()?;
    let spread = (covariance * like(&slope)?)?.sum_all()?;
    ((off + spread)? + rest)? * style.scale
}

fn trace(a: &Tensor) -> Result<f64> {
    let n = a.dim(0)?;
    (a * Tensor::eye(n, DType::F64, &Device::Cpu)?)?.sum_all()?.to_scalar()
}
