use candle_core::{Result, Tensor};

/// Up-sampling from plain candle operators: two new axes, broadcast, merged.
pub(crate) fn upsample_nearest2d(x: &Tensor, scale: usize) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    x.reshape((n, c, h, 1, w, 1))?.broadcast_as((n, c, h, scale, w, scale))?.contiguous()?.reshape((
        n,
        c,
        h * scale,
        w * scale,
    ))
}
