use crate::{Filter, resize};
use candle_core::{DType, Result, Tensor};

/// Scales a picture and its alpha to `height` x `width` together, so that colour from where nothing shows does not creep
/// into the edges of what does: colours count by their alpha.
///
/// # Shape
/// (C, H, W) and (1, H, W) to (C, height, width) and (1, height, width), in f32, in [0, 1].
///
/// # Errors
/// As [`resize`]; sizes that differ.
pub fn resize_with_alpha(
    color: &Tensor,
    alpha: &Tensor,
    height: usize,
    width: usize,
    filter: Filter,
) -> Result<(Tensor, Tensor)> {
    let (h, w) = size_of_both("resize_with_alpha", color, alpha)?;
    if (h, w) == (height, width) {
        return Ok((color.clone(), alpha.clone()));
    }
    let plain = resize(color, height, width, filter)?;
    let cover = resize(alpha, height, width, filter)?;
    let shown = resize(&color.broadcast_mul(alpha)?, height, width, filter)?;
    // Below half a step of 8 bits nothing shows, and the quotient means nothing.
    let threshold = 0.5 / 255.0;
    let straight = shown.broadcast_div(&cover.maximum(threshold)?)?.clamp(0f32, 1f32)?;
    let visible = cover.ge(threshold)?.broadcast_as(plain.shape())?;
    Ok((visible.where_cond(&straight, &plain)?, cover))
}

/// Lays a picture over the mean colour of what shows of it: for whoever cannot have transparency and wants no colour of his own
/// in its place. None when nothing shows.
///
/// # Shape
/// (C, H, W) and (1, H, W) to (C, H, W), in f32, in [0, 1].
///
/// # Errors
/// Sizes that differ.
pub fn over_mean_color(color: &Tensor, alpha: &Tensor) -> Result<Option<Tensor>> {
    size_of_both("over_mean_color", color, alpha)?;
    let shown = color.broadcast_mul(alpha)?;
    // In f64: the sum over a large picture is beyond what f32 can add to.
    let sum = |x: &Tensor| x.to_dtype(DType::F64)?.sum_keepdim((1, 2));
    let cover = sum(alpha)?;
    if cover.flatten_all()?.get(0)?.to_scalar::<f64>()? == 0.0 {
        return Ok(None);
    }
    let mean = sum(&shown)?.broadcast_div(&cover)?.to_dtype(DType::F32)?;
    let hidden = alpha.affine(-1.0, 1.0)?.broadcast_mul(&mean)?;
    Ok(Some((shown + hidden)?.clamp(0f32, 1f32)?))
}

/// Height and width, which the two must share.
fn size_of_both(what: &str, color: &Tensor, alpha: &Tensor) -> Result<(usize, usize)> {
    let ((_, h, w), (planes, alpha_h, alpha_w)) = (color.dims3()?, alpha.dims3()?);
    if planes != 1 || (h, w) != (alpha_h, alpha_w) {
        candle_core::bail!(
            "{what}: alpha must be (1, {h}, {w}) as the picture, got ({planes}, {alpha_h}, {alpha_w})"
        )
    }
    Ok((h, w))
}
