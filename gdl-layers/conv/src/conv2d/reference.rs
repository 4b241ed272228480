use crate::geometry::Geometry;
use candle_core::{Result, Tensor};

/// Convolution of the big image, from plain candle operators: one window per kernel tap, stacked, then one
/// matrix product per group. Right on every backend, and slow.
pub(crate) fn conv2d(x: &Tensor, w: &Tensor, g: &Geometry) -> Result<Tensor> {
    let (o, c_group, kh, kw) = g.weight_shape();
    let (h_out, w_out) = g.small;
    let mut taps = Vec::with_capacity(kh * kw);
    for tap in windows(x, g.small, g.kernel, g.stride, g.zero_padding(), g.dilation, 0.)? {
        taps.push(tap.unsqueeze(2)?); // (N, C, 1, H', W')
    }
    let k = c_group * kh * kw;
    let columns = Tensor::cat(&taps, 2)?.reshape((g.batch, g.groups, k, h_out * w_out))?;
    let w = w.reshape((1, g.groups, o / g.groups, k))?;
    let w = w.broadcast_as((g.batch, g.groups, o / g.groups, k))?.contiguous()?;
    w.matmul(&columns.contiguous()?)?.reshape((g.batch, o, h_out, w_out))
}

/// For each tap of a kernel, in row-major order, what that tap sees from every output position: `kh * kw`
/// tensors (N, C, H', W').
pub(crate) fn windows(
    x: &Tensor,
    out: (usize, usize),
    kernel: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
    dilation: (usize, usize),
    fill: f64,
) -> Result<Vec<Tensor>> {
    let x = frame(x, 2, padding.0, dilation.0 * (kernel.0 - 1) + out.0 * stride.0, fill)?;
    let x = frame(&x, 3, padding.1, dilation.1 * (kernel.1 - 1) + out.1 * stride.1, fill)?;
    let mut taps = Vec::with_capacity(kernel.0 * kernel.1);
    for u in 0..kernel.0 {
        let rows = every(&x, 2, u * dilation.0, out.0, stride.0)?;
        for v in 0..kernel.1 {
            taps.push(every(&rows, 3, v * dilation.1, out.1, stride.1)?);
        }
    }
    Ok(taps)
}

/// Puts `left` fill values before `x` along `dim`, and fills or cuts behind it to `total`.
fn frame(x: &Tensor, dim: usize, left: usize, total: usize, fill: f64) -> Result<Tensor> {
    let mut parts = Vec::with_capacity(3);
    let block = |size: usize| {
        let mut dims = x.dims().to_vec();
        dims[dim] = size;
        Tensor::zeros(dims, x.dtype(), x.device())?.affine(0., fill)
    };
    let size = x.dim(dim)?;
    if left > 0 {
        parts.push(block(left)?);
    }
    parts.push(x.clone());
    if left + size < total {
        parts.push(block(total - left - size)?);
    }
    Tensor::cat(&parts, dim)?.narrow(dim, 0, total)
}

/// `count` entries of `x` along `dim`, one in `stride`, starting at `start`. `x` has `stride` entries for each.
fn every(x: &Tensor, dim: usize, start: usize, count: usize, stride: usize) -> Result<Tensor> {
    let run = x.narrow(dim, start, count * stride)?;
    if stride == 1 {
        return Ok(run);
    }
    let mut dims = run.dims().to_vec();
    dims[dim] = count;
    dims.insert(dim + 1, stride);
    run.reshape(dims)?.narrow(dim + 1, 0, 1)?.squeeze(dim + 1)
}
