use candle_core::{Result, Tensor};

/// [`gram_matrix`](crate::gram_matrix()) composed of plain candle operations.
///
/// # Errors
/// Those of the operations.
pub fn gram_matrix(f: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = f.dims4()?;
    let f = f.reshape((n, c, h * w))?;
    // Scaling one factor, not the product: the sum stays small in half precision.
    f.affine(1.0 / (c * h * w) as f64, 0.0)?.matmul(&f.t()?)
}
