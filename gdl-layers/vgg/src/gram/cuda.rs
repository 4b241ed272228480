//! The Gram matrix on CUDA: one product.

use candle_core::backend::BackendStorage;
use candle_core::{CudaStorage, Layout, Result, Shape};

/// `scale * f f^T` for each image.
pub(super) fn forward(f: &CudaStorage, layout: &Layout, scale: f64) -> Result<(CudaStorage, Shape)> {
    let (n, c, h, w) = layout.shape().dims4()?;
    let (scaled, flat) = (f.affine(layout, scale, 0.0)?, Layout::contiguous((n, c, h * w)));
    // The scale goes to one factor, not to the product: the sum stays small in half precision.
    let turned = flat.transpose(1, 2)?;
    let out = match layout.contiguous_offsets() {
        Some((start, _)) => {
            let turned = Layout::new(turned.shape().clone(), turned.stride().to_vec(), start);
            scaled.matmul(f, (n, c, c, h * w), &flat, &turned)?
        }
        None => {
            let whole = f.affine(layout, 1.0, 0.0)?;
            scaled.matmul(&whole, (n, c, c, h * w), &flat, &turned)?
        }
    };
    Ok((out, (n, c, c).into()))
}
