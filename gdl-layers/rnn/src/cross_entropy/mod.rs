//! Softmax and cross-entropy in one.

mod config;
pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
pub(crate) mod reference;

pub use config::CrossEntropy;

use candle_core::{DType, Result, Tensor, bail};

/// Mean over the targets of -log softmax(logits)\[target\].
///
/// On the CPU, in f32 and f64, nothing as wide as the logits is made beside their gradient. On CUDA neither is, and the
/// targets are not looked at on the way: instead of an error, a target that is not below V makes its loss NaN, and so does
/// the mean where every target is ignored.
///
/// # Shape
///
/// `logits` (..., V), `targets` (...) of token ids; a scalar.
///
/// # Errors
///
/// When the shapes do not fit, a target is not below V, or every target is ignored.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_rnn::{CrossEntropy, cross_entropy};
///
/// let logits = Tensor::zeros((1, 3, 5), DType::F32, &Device::Cpu)?; // all 5 tokens equally likely
/// let targets = Tensor::new(&[[4u32, 2, 0]], &Device::Cpu)?;
/// let config = CrossEntropy { ignore_index: Some(0), ..Default::default() };
/// let loss = cross_entropy(&logits, &targets, &config)?.to_scalar::<f32>()?;
/// assert!((loss - 5f32.ln()).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.functional.cross_entropy` with `reduction="mean"`.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor, config: &CrossEntropy) -> Result<Tensor> {
    let Some((&vocab, rows)) = logits.dims().split_last() else {
        bail!("cross_entropy: expected logits (..., V), got a scalar")
    };
    #[cfg(feature = "cuda")]
    if takes_cuda(logits) {
        check("cross_entropy", targets, rows, config)?;
        return cuda::cross_entropy(&logits.reshape(((), vocab))?, targets, config);
    }
    let targets = Targets::new("cross_entropy", targets, rows, vocab, config)?;
    let logits = logits.reshape(((), vocab))?;
    match logits.dtype() {
        _ if !logits.device().is_cpu() || gdl_kernels::force_reference() => {
            reference::cross_entropy(&logits, &targets)
        }
        DType::F32 => cpu::cross_entropy::<f32>(&logits, targets),
        DType::F64 => cpu::cross_entropy::<f64>(&logits, targets),
        _ => reference::cross_entropy(&logits, &targets),
    }
}

/// As [`cross_entropy`], one loss for each target instead of their mean; 0 where a target is ignored.
///
/// # Shape
///
/// `logits` (..., V), `targets` (...) of token ids; (...).
///
/// # Errors
///
/// As [`cross_entropy`].
///
/// # Source
///
/// `torch.nn.functional.cross_entropy` with `reduction="none"`.
pub fn token_losses(logits: &Tensor, targets: &Tensor, config: &CrossEntropy) -> Result<Tensor> {
    let Some((&vocab, rows)) = logits.dims().split_last() else {
        bail!("token_losses: expected logits (..., V), got a scalar")
    };
    #[cfg(feature = "cuda")]
    if takes_cuda(logits) {
        check("token_losses", targets, rows, config)?;
        return cuda::token_losses(&logits.reshape(((), vocab))?, targets, config)?.reshape(rows);
    }
    let targets = Targets::new("token_losses", targets, rows, vocab, config)?;
    let flat = logits.reshape(((), vocab))?;
    let losses = match logits.dtype() {
        _ if !logits.device().is_cpu() || gdl_kernels::force_reference() => {
            reference::token_losses(&flat, &targets)?
        }
        DType::F32 => cpu::token_losses::<f32>(&flat, targets)?,
        DType::F64 => cpu::token_losses::<f64>(&flat, targets)?,
        _ => reference::token_losses(&flat, &targets)?,
    };
    losses.reshape(rows)
}

/// Whether the CUDA kernels take these logits.
#[cfg(feature = "cuda")]
pub(crate) fn takes_cuda(logits: &Tensor) -> bool {
    gdl_kernels::cuda::takes(logits) && logits.elem_count() > 0
}

/// Checks what can be seen without reading the targets.
pub(crate) fn check(op: &str, targets: &Tensor, rows: &[usize], config: &CrossEntropy) -> Result<()> {
    if targets.dims() != rows {
        bail!("{op}: expected one target per row, {rows:?}, got {:?}", targets.shape())
    }
    if !(0. ..=1.).contains(&config.label_smoothing) {
        bail!("{op}: label_smoothing must be in [0, 1], got {}", config.label_smoothing)
    }
    Ok(())
}

/// What is to be predicted, checked.
#[derive(Debug)]
pub(crate) struct Targets {
    /// One per row; [`Self::IGNORED`] for those that do not count.
    pub(crate) ids: Vec<u32>,
    /// How many count.
    pub(crate) count: usize,
    pub(crate) smoothing: f64,
}

impl Targets {
    pub(crate) const IGNORED: u32 = u32::MAX;

    pub(crate) fn new(
        op: &str,
        targets: &Tensor,
        rows: &[usize],
        vocab: usize,
        config: &CrossEntropy,
    ) -> Result<Self> {
        check(op, targets, rows, config)?;
        let CrossEntropy { ignore_index, label_smoothing } = *config;
        let mut ids = targets.flatten_all()?.to_dtype(DType::U32)?.to_vec1::<u32>()?;
        for id in &mut ids {
            if Some(*id) == ignore_index {
                *id = Self::IGNORED;
            } else if *id as usize >= vocab {
                bail!("{op}: expected targets below the {vocab} logits, got {id}")
            }
        }
        let count = ids.iter().filter(|&&id| id != Self::IGNORED).count();
        if count == 0 {
            bail!("{op}: every target is ignored, so there is nothing to average")
        }
        Ok(Self { ids, count, smoothing: label_smoothing })
    }
}
