use candle_core::{D, Result, Tensor};

/// [`additive_scores`](crate::additive_scores()) composed of plain candle operations.
///
/// # Errors
/// When the shapes do not fit.
pub fn additive_scores(queries: &Tensor, keys: &Tensor, v: &Tensor) -> Result<Tensor> {
    let sums = queries.unsqueeze(2)?.broadcast_add(&keys.unsqueeze(1)?)?; // (N, T, S, H)
    sums.tanh()?.broadcast_mul(v)?.sum(D::Minus1)
}
