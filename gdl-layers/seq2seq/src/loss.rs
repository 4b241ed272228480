use candle_core::{Result, Tensor, bail};
use gdl_rnn::CrossEntropy;

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
    let (n, t, _) = logits.dims3()?;
    if labels.dims() != [n, t] {
        bail!("cross_entropy: expected labels (N, T) = ({n}, {t}), got {:?}", labels.shape())
    }
    gdl_rnn::cross_entropy(logits, labels, &CrossEntropy { ignore_index: Some(pad), ..Default::default() })
}
