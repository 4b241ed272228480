use super::{Pad, PadMode, source};
use candle_core::{Result, Tensor};

/// Padding from plain candle operators: zeros by concatenation, the others by selecting rows and columns.
pub(crate) fn pad2d(x: &Tensor, pad: Pad, mode: PadMode) -> Result<Tensor> {
    let x = axis(x, 2, pad.top, pad.bottom, mode)?;
    axis(&x, 3, pad.left, pad.right, mode)
}

fn axis(x: &Tensor, dim: usize, before: usize, after: usize, mode: PadMode) -> Result<Tensor> {
    if before + after == 0 {
        return Ok(x.clone());
    }
    if mode == PadMode::Zero {
        return x.pad_with_zeros(dim, before, after);
    }
    let size = x.dim(dim)?;
    let rows: Vec<u32> =
        (0..before + size + after).filter_map(|i| Some(source(mode, i, before, size)? as u32)).collect();
    let count = rows.len();
    x.contiguous()?.index_select(&Tensor::from_vec(rows, count, x.device())?, dim)
}
