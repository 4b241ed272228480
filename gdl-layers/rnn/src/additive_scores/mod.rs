//! The scores of additive attention.

mod cpu;
pub(crate) mod reference;

use candle_core::{DType, Result, Tensor, bail};

/// `v . tanh(q_t + k_s)` for every pair of a query and a key: the scores of additive attention.
///
/// On the CPU, in f32 and f64, nothing of (N, T, S, H) is ever held: what the gradients need of it is computed once more.
///
/// # Shape
///
/// `queries` (N, T, H), `keys` (N, S, H), `v` (H); returns (N, T, S).
///
/// # Errors
///
/// When the shapes do not fit.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let queries = Tensor::new(&[[[0.5f32, 0.0]]], &Device::Cpu)?;
/// let keys = Tensor::new(&[[[0.5f32, 0.0], [-0.5, 9.0]]], &Device::Cpu)?;
/// let scores = gdl_rnn::additive_scores(&queries, &keys, &Tensor::new(&[1f32, 0.0], &Device::Cpu)?)?;
/// let scores = scores.flatten_all()?.to_vec1::<f32>()?;
/// assert!((scores[0] - 1f32.tanh()).abs() < 1e-6 && scores[1] == 0.0);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Bahdanau, Cho and Bengio 2014, <https://arxiv.org/abs/1409.0473>, appendix A.1.2.
pub fn additive_scores(queries: &Tensor, keys: &Tensor, v: &Tensor) -> Result<Tensor> {
    let ((n, _, h), (m, _, g)) = (queries.dims3()?, keys.dims3()?);
    if n != m || h != g || v.dims() != [h] {
        bail!(
            "additive_scores: expected queries (N, T, H), keys (N, S, H) and v (H), got {:?}, {:?} and {:?}",
            queries.shape(),
            keys.shape(),
            v.shape()
        )
    }
    match queries.dtype() {
        _ if !queries.device().is_cpu() || gdl_kernels::force_reference() => {
            reference::additive_scores(queries, keys, v)
        }
        DType::F32 => cpu::additive_scores::<f32>(queries, keys, v),
        DType::F64 => cpu::additive_scores::<f64>(queries, keys, v),
        _ => reference::additive_scores(queries, keys, v),
    }
}
