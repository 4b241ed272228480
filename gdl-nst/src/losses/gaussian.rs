use super::roots::{Roots, eye_like, roots};
use super::{in_f64, inverse_or_one, mean_and_covariance, value};
use candle_core::{Result, Tensor, bail};

/// The Gaussian of a style picture's features at one tap, with what the distance to it needs.
#[derive(Debug, Clone)]
pub struct Gaussian {
    /// (C, 1), f64.
    mean: Tensor,
    /// What the loss is divided by, inverted.
    scale: f64,
    /// The covariance as it came, (C, C), f64.
    covariance: Tensor,
    ridged: Ridged,
}

/// A covariance with a ridge, and its root.
#[derive(Debug, Clone)]
struct Ridged {
    eps: f64,
    covariance: Tensor,
    root: Tensor,
}

/// How many times a ridge is made ten times as high before giving up: far beyond what rounding can ask for.
const RIDGES: usize = 12;

impl Gaussian {
    /// `mean` and `covariance` of the channels; the covariance is not divided by C.
    ///
    /// # Shape
    /// (1, C, 1) and (1, C, C).
    ///
    /// # Errors
    /// When the shapes do not fit, or the covariance is not finite.
    pub fn new(mean: &Tensor, covariance: &Tensor) -> Result<Self> {
        let (one, c, _) = mean.dims3()?;
        if one != 1 || covariance.dims() != [1, c, c] {
            bail!("Gaussian: a mean of {:?} and a covariance of {:?}", mean.dims(), covariance.dims())
        }
        let own = |t: &Tensor| in_f64(&t.squeeze(0)?);
        let (mean, covariance) = (own(mean)?.detach(), own(covariance)?.detach());
        let variance = value(&trace(&covariance)?)?;
        let energy = value(&mean.sqr()?.sum_all()?)? + variance;
        let eps = (1e-3 * variance).max(1e-6 * energy) / c as f64 + 1e-12;
        let ridged = Ridged::new(&covariance, eps)?;
        Ok(Self { mean, scale: inverse_or_one(energy), covariance, ridged })
    }

    /// With a ridge on both covariances, the symmetric map D with `d(W^2) / dC = D`, and what `tr(D C)` lacks of
    /// `tr(C + C_s - 2 (S C S)^(1/2))`, a scalar: NaN where there is no root, which is where the features are not finite.
    fn slope_and_rest(&self, covariance: &Tensor) -> Result<(Tensor, Tensor)> {
        let eye = eye_like(covariance)?;
        let nowhere = |eye: Tensor| -> Result<_> { Ok((eye, Tensor::new(f64::NAN, covariance.device())?)) };
        if !value(&trace(covariance)?)?.is_finite() {
            return nowhere(eye);
        }
        let mut style = self.ridged.clone();
        for _ in 0..RIDGES {
            let (s, eps) = (&style.root, style.eps);
            let middle = s.matmul(&(covariance + (&eye * eps)?)?)?.matmul(s)?;
            if let Some(Roots { root, inverse }) = roots(&middle, eps * eps)? {
                let slope = (&eye - s.matmul(&inverse)?.matmul(s)?)?;
                // Of this covariance's ridge `tr(D C)` knows nothing.
                let rest = ((trace(&style.covariance)? - trace(&root)?)? + (trace(&slope)? * eps)?)?;
                return Ok((slope, rest));
            }
            style = Ridged::new(&self.covariance, 10.0 * eps)?;
        }
        nowhere(eye)
    }
}

impl Ridged {
    /// With that ridge, or the first higher one with which there is a root.
    fn new(covariance: &Tensor, eps: f64) -> Result<Self> {
        let eye = eye_like(covariance)?;
        let mut eps = eps;
        for _ in 0..RIDGES {
            let ridged = (covariance + (&eye * eps)?)?;
            if let Some(Roots { root, .. }) = roots(&ridged, eps)? {
                return Ok(Self { eps, covariance: ridged, root });
            }
            eps *= 10.0;
        }
        bail!("wasserstein loss: a covariance without a root; are the features finite?")
    }
}

/// How far the Gaussian of a layer's channels is from that of the style picture: the squared Wasserstein-2 distance,
/// relative to that of features which are 0 everywhere.
///
/// `E = (|m - m_s|^2 + tr(C + C_s - 2 (S C S)^(1/2))) / (|m_s|^2 + tr(C_s))` with `S = C_s^(1/2)`
///
/// The roots are computed by Newton-Schulz, in f64 (on the CPU where the device has none). Their gradient is known in closed form and needs no
/// second iteration: `dE/dC = (I - S (S C S)^(-1/2) S) / (...)`, whose second part is the map that carries the one
/// Gaussian into the other, and the iteration gives the inverse root beside the root. So the loss is `tr(D C)` with D
/// held constant, plus what makes its value right.
///
/// Both covariances get a ridge, a thousandth of the mean variance of the style's channels: a covariance from few
/// positions is singular, and rounding in f32 makes it slightly indefinite. Should that not do, it is made ten times
/// as high until it does.
///
/// # Shape
/// `features` (1, C, H, W), `places` (1, 1, H, W) or none, to a scalar.
///
/// # Errors
/// When the channels differ from the target's. Features that are not finite give NaN.
///
/// # Source
/// Olkin and Pukelsheim 1982; the loss as in crowsonkb/style-transfer-pytorch (`StyleLossW2`), which divides by C
/// instead, cuts the root off after 12 turns and solves its gradient by another iteration.
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
    wasserstein_loss_of((&mean, &covariance), style)
}

/// [`wasserstein_loss`] of features with that mean and covariance, the latter divided by C.
pub(crate) fn wasserstein_loss_of(
    (mean, covariance): (&Tensor, &Tensor),
    style: &Gaussian,
) -> Result<Tensor> {
    let (_, c, _) = mean.dims3()?;
    let (mean, covariance) = (mean.squeeze(0)?, (covariance.squeeze(0)? * c as f64)?);
    let like = |t: &Tensor| t.to_dtype(mean.dtype())?.to_device(mean.device());
    let (slope, rest) = style.slope_and_rest(&in_f64(&covariance.detach())?)?;
    let off = (&mean - like(&style.mean)?)?.sqr()?.sum_all()?;
    let spread = (covariance * like(&slope)?)?.sum_all()?;
    ((off + spread)? + like(&rest)?)? * style.scale
}

fn trace(a: &Tensor) -> Result<Tensor> {
    (a * eye_like(a)?)?.sum_all()
}
