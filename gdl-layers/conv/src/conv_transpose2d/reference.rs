use crate::geometry::Geometry;
use candle_core::{Result, Tensor};

/// Transposed convolution of the small image, from plain candle operators: one matrix product per group gives
/// what each kernel tap contributes, then the contributions are spread by the stride, shifted and added.
pub(crate) fn conv_transpose2d(x: &Tensor, w: &Tensor, g: &Geometry) -> Result<Tensor> {
    let (c, o_group, kh, kw) = g.weight_shape();
    let (h, width) = g.small;
    let cut = g.zero_padding();
    let (groups, k) = (g.groups, o_group * kh * kw);
    let x = x.reshape((g.batch, groups, c / groups, h * width))?.contiguous()?;
    let w = w.reshape((1, groups, c / groups, k))?.transpose(2, 3)?;
    let w = w.broadcast_as((g.batch, groups, k, c / groups))?.contiguous()?;
    let columns = w.matmul(&x)?.reshape((g.batch, g.c_big, kh * kw, h, width))?;

    let mut y: Option<Tensor> = None;
    for tap in 0..kh * kw {
        let (u, v) = (tap / kw, tap % kw);
        let part = columns.narrow(2, tap, 1)?.squeeze(2)?; // (N, O, H, W)
        let part = spread(&part, 2, g.stride.0)?;
        let part = spread(&part, 3, g.stride.1)?;
        let part = place(&part, 2, u * g.dilation.0, cut.0, g.big.0)?;
        let part = place(&part, 3, v * g.dilation.1, cut.1, g.big.1)?; // (N, O, H', W')
        y = Some(match y {
            None => part,
            Some(y) => (y + part)?,
        });
    }
    match y {
        Some(y) => Ok(y),
        None => candle_core::bail!("conv_transpose2d: the kernel is empty"),
    }
}

/// Puts `stride - 1` zeros between neighbours along `dim`.
fn spread(x: &Tensor, dim: usize, stride: usize) -> Result<Tensor> {
    if stride == 1 {
        return Ok(x.clone());
    }
    let size = x.dim(dim)?;
    let x = x.unsqueeze(dim + 1)?.pad_with_zeros(dim + 1, 0, stride - 1)?;
    let mut dims = x.dims().to_vec();
    dims[dim] = size * stride;
    dims.remove(dim + 1);
    x.reshape(dims)?.narrow(dim, 0, (size - 1) * stride + 1)
}

/// Shifts by `offset - cut` along `dim` within an axis of `total` entries; what falls outside is dropped.
fn place(x: &Tensor, dim: usize, offset: usize, cut: usize, total: usize) -> Result<Tensor> {
    let size = x.dim(dim)?;
    let x = x.pad_with_zeros(dim, offset, (cut + total).saturating_sub(offset + size))?;
    x.narrow(dim, cut, total)
}
