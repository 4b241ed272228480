#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use candle_core::{Result, Tensor};

/// `scale * mean((x - target)^2)`: what the content, style and histogram losses make of features, Gram matrices and means.
pub(crate) fn scaled_mse(x: &Tensor, target: &Tensor, scale: f64) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if cuda::takes(x, target) {
        return cuda::scaled_mse(x, target, scale);
    }
    (x - target)?.sqr()?.mean_all()? * scale
}
