mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod reference;

use crate::geometry::dims4;
use candle_core::{Result, Tensor, bail};
use gdl_kernels::has_kernel;

/// Repeats every pixel `scale` times along both axes.
///
/// # Shape
///
/// (N, C, H, W) -> (N, C, H · scale, W · scale). `N` may be 0.
///
/// # Errors
///
/// Where the input is not four-dimensional or has no pixels, or the scale is 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_conv::upsample_nearest2d;
///
/// let x = Tensor::new(&[[[[1f32, 2.]]]], &Device::Cpu)?;
/// let y = upsample_nearest2d(&x, 2)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 1., 2., 2., 1., 1., 2., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.functional.interpolate(mode="nearest")` for whole scale factors.
pub fn upsample_nearest2d(x: &Tensor, scale: usize) -> Result<Tensor> {
    upsample_nearest2d_by(has_kernel(x), x, scale)
}

/// [`upsample_nearest2d`], by the kernels or composed.
pub(crate) fn upsample_nearest2d_by(kernels: bool, x: &Tensor, scale: usize) -> Result<Tensor> {
    let (_, _, h, w) = dims4("upsample_nearest2d", "input", x)?;
    if h == 0 || w == 0 {
        bail!("upsample_nearest2d: the input must be at least 1x1, got {h}x{w}")
    }
    match scale {
        0 => bail!("upsample_nearest2d: the scale must be at least 1, got 0"),
        1 => Ok(x.clone()),
        _ if kernels => cpu::upsample_nearest2d(x, scale),
        _ => reference::upsample_nearest2d(x, scale),
    }
}
