mod content;
mod covariance;
mod style;
mod tv;

pub use content::content_loss;
pub(crate) use content::content_scale;
pub use covariance::{covariance_loss, mean_and_covariance};
pub use style::style_loss;
pub use tv::tv_loss;

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// The losses of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// The content loss, without its weight.
    pub content: f64,
    /// The style loss, without its weight.
    pub style: f64,
    /// The total variation, without its weight.
    pub tv: f64,
    /// The sum of the three, each times its weight: what is minimised.
    pub total: f64,
}

/// `mean((x - target)^2) / mean(target^2)`: 0 when equal, 1 when `x` is 0 everywhere.
fn relative_mse(x: &Tensor, target: &Tensor) -> Result<Tensor> {
    scaled_mse(x, target, scale_of(target)?)
}

/// `scale * mean((x - target)^2)`.
pub(crate) fn scaled_mse(x: &Tensor, target: &Tensor, scale: f64) -> Result<Tensor> {
    (x - target)?.sqr()?.mean_all()? * scale
}

/// `1 / mean(yardstick^2)`.
///
/// Where the yardstick is 0 everywhere there is nothing to be relative to, and the mean square is taken as it is.
fn scale_of(yardstick: &Tensor) -> Result<f64> {
    let energy: f64 = yardstick.sqr()?.mean_all()?.to_dtype(candle_core::DType::F64)?.to_scalar()?;
    Ok(if energy > NOTHING { 1.0 / energy } else { 1.0 })
}

/// A mean square below this is rounding: activations are of the order of 1.
const NOTHING: f64 = 1e-20;
