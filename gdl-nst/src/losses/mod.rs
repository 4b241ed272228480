mod content;
mod style;
mod tv;

pub use content::content_loss;
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
///
/// Where the target itself is 0 everywhere there is nothing to be relative to, and the mean square is taken as it is.
fn relative_mse(x: &Tensor, target: &Tensor) -> Result<Tensor> {
    let energy: f64 = target.sqr()?.mean_all()?.to_dtype(candle_core::DType::F64)?.to_scalar()?;
    let scale = if energy > f64::MIN_POSITIVE { 1.0 / energy } else { 1.0 };
    (x - target)?.sqr()?.mean_all()? * scale
}
