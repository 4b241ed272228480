use candle_core::{Result, Tensor, bail};
use gdl_vgg::gram_matrix;

/// The mean of each channel over all positions, and the covariance of the channels about it, divided by C.
///
/// `m[i] = sum over positions p of w[p] f[i, p] / P`,
/// `C[i, j] = sum over p of w[p] (f[i, p] - m[i]) (f[j, p] - m[j]) / (C P)`, with `P = H W`
///
/// `places` says how much each position counts (`w`, of mean 1); without it they all count alike.
///
/// # Shape
/// `f` (N, C, H, W), `places` (1, 1, H, W), to (N, C, 1) and (N, C, C).
///
/// # Errors
/// When `f` has not four dimensions, or no elements.
pub fn mean_and_covariance(f: &Tensor, places: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
    let mean = mean(f, places)?;
    let centred = f.broadcast_sub(&mean.unsqueeze(3)?)?;
    Ok((mean, gram_matrix(&place_weighted(&centred, places)?)?))
}

/// The mean of each channel and its variance about it.
///
/// # Shape
/// `f` (N, C, H, W), `places` (1, 1, H, W), to two of (N, C, 1).
pub(crate) fn mean_and_variance(f: &Tensor, places: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
    let m = mean(f, places)?;
    let centred = f.broadcast_sub(&m.unsqueeze(3)?)?;
    let variance = mean(&centred.sqr()?, places)?;
    Ok((m, variance))
}

/// Features times the root of how much their position counts: products of two of them then count as they should.
///
/// Guided Gram matrices (Gatys et al. 2017, equation 7) are those of features so weighted. For a mask of zeros and
/// ones it is the same there; a soft mask is squared there, and taken as it is here, so that masks which add up to 1
/// share a position out.
///
/// # Shape
/// `f` (N, C, H, W), `places` (1, 1, H, W), to the features' shape.
///
/// # Errors
/// When the shapes do not fit.
pub fn place_weighted(f: &Tensor, places: Option<&Tensor>) -> Result<Tensor> {
    match places {
        None => Ok(f.clone()),
        Some(w) => f.broadcast_mul(&w.sqrt()?),
    }
}

/// (N, C, H, W) to (N, C, 1).
fn mean(f: &Tensor, places: Option<&Tensor>) -> Result<Tensor> {
    let (n, c, h, w) = f.dims4()?;
    if f.elem_count() == 0 {
        bail!("style statistics: features of shape {:?} have no elements", f.dims())
    }
    let flat = f.reshape((n, c, h * w))?;
    match places {
        None => flat.mean_keepdim(2),
        // A product with a column, which makes no copy of the features.
        Some(w) => {
            let column = (w.flatten_all()?.unsqueeze(1)? / flat.dim(2)? as f64)?;
            flat.broadcast_matmul(&column)
        }
    }
}
