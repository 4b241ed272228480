mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub(crate) mod reference;

use candle_core::{Result, Tensor};

/// The Gram matrix of features: which channels are active together, wherever that is.
///
/// `G[n, i, j] = sum over positions p of f[n, i, p] * f[n, j, p] / (C * H * W)`
///
/// # Shape
/// (N, C, H, W) to (N, C, C).
///
/// # Errors
/// When `f` has not four dimensions, or no elements.
///
/// # Source
/// Gatys, Ecker and Bethge 2016, equation 3, which does not divide; the division by C H W, as in Johnson et al. 2016
/// (equation 3 there), makes layers and image sizes comparable.
pub fn gram_matrix(f: &Tensor) -> Result<Tensor> {
    let (_, c, h, w) = f.dims4()?;
    if f.elem_count() == 0 {
        candle_core::bail!("gram_matrix: features of shape {:?} have no elements", f.dims())
    }
    if gdl_kernels::has_kernel(f) {
        return cpu::gram_matrix(f, 1.0 / (c * h * w) as f64);
    }
    reference::gram_matrix(f)
}
