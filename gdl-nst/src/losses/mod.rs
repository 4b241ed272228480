mod content;
mod covariance;
mod gaussian;
mod histogram;
mod mean_std;
mod moments;
pub(crate) mod mse;
mod normalised;
mod roots;
mod style;
mod temporal;
pub(crate) mod tv;

pub use content::content_loss;
pub(crate) use content::content_scale;
pub use covariance::covariance_loss;
pub(crate) use covariance::covariance_loss_of;
pub(crate) use gaussian::wasserstein_loss_of;
pub use gaussian::{Gaussian, wasserstein_loss};
pub(crate) use histogram::{AT_ONCE, histogram_scale, match_in_place};
pub use histogram::{histogram_loss, quantiles};
pub use mean_std::mean_std_loss;
pub(crate) use mean_std::{energy_of, mean_std_loss_of};
pub(crate) use moments::mean_and_variance;
pub use moments::{mean_and_covariance, place_weighted};
pub(crate) use mse::scaled_mse;
pub use normalised::with_unit_gradient;
pub use style::style_loss;
pub use temporal::temporal_loss;
pub use tv::{tv_l1_loss, tv_loss, tv_nine_point_loss};

use candle_core::{DType, Device, Result, Tensor};
pub(crate) use gdl_kernels::read_one as value;

/// `1 / mean(yardstick^2)`: what makes a mean square relative to it.
pub(crate) fn scale_of(yardstick: &Tensor) -> Result<f64> {
    Ok(inverse_or_one(value(&yardstick.sqr()?.mean_all()?)?))
}

/// `1 / energy`. Where the target is 0 everywhere there is nothing to be relative to, and the loss is taken as it is.
pub(crate) fn inverse_or_one(energy: f64) -> f64 {
    if energy > NOTHING { 1.0 / energy } else { 1.0 }
}

/// In f64 where the tensor lies, or on the CPU where its device has no f64.
pub(crate) fn in_f64(t: &Tensor) -> Result<Tensor> {
    let t = if t.device().is_metal() { t.to_device(&Device::Cpu)? } else { t.clone() };
    t.to_dtype(DType::F64)
}

/// A mean square below this is rounding: activations are of the order of 1.
const NOTHING: f64 = 1e-20;
