use crate::{Filter, resize};
use candle_core::{Result, Tensor};

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
    let ((_, h, w), (planes, alpha_h, alpha_w)) = (color.dims3()?, alpha.dims3()?);
    if planes != 1 || (h, w) != (alpha_h, alpha_w) {
        candle_core::bail!(
            "resize_with_alpha: alpha must be (1, {h}, {w}) as the picture, got ({planes}, {alpha_h}, {alpha_w})"
        )
    }
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
