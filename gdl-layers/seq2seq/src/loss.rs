use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::ops::log_softmax;

/// Mean over all labels that are not `pad` of -log p(label).
///
/// # Shape
///
/// `logits` (N, T, V), `labels` (N, T) of token ids; a scalar.
///
/// # Errors
///
/// When the shapes do not fit, or every label is `pad`.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
///
/// let logits = Tensor::zeros((1, 3, 5), DType::F32, &Device::Cpu)?; // all 5 tokens equally likely
/// let labels = Tensor::new(&[[4u32, 2, 0]], &Device::Cpu)?;
/// let loss = gdl_seq2seq::cross_entropy(&logits, &labels, 0)?.to_scalar::<f32>()?;
/// assert!((loss - 5f32.ln()).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.functional.cross_entropy` with `ignore_index`.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, pad: u32) -> Result<Tensor> {
    let (n, t, v) = logits.dims3()?;
    if labels.dims() != [n, t] {
        bail!("cross_entropy: expected labels (N, T) = ({n}, {t}), got {:?}", labels.shape())
    }
    let mask = labels.ne(pad)?.flatten_all()?; // (N T)
    let count = mask.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
    if count == 0. {
        bail!("cross_entropy: every label is padding (token {pad}), so there is nothing to average")
    }
    let log_p = log_softmax(&logits.reshape((n * t, v))?, D::Minus1)?;
    let picked = log_p.gather(&labels.reshape((n * t, 1))?, 1)?.squeeze(1)?; // (N T)
    (picked * mask.to_dtype(logits.dtype())?)?.sum_all()? / -f64::from(count)
}
