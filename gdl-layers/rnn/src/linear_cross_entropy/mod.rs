//! A linear layer and its cross-entropy in one.

mod cpu;

use crate::cross_entropy::{self, CrossEntropy, Targets};
use crate::linear::{self, Linear};
use candle_core::{DType, Result, Tensor, bail};

/// [`cross_entropy`](crate::cross_entropy()) of what a linear layer makes of x, without ever holding all its logits.
///
/// On the CPU, in f32 and f64, the logits are made some rows at a time, at most 32 MiB in f32; where gradients are
/// wanted they are computed from those rows at once, so that nothing of them has to be kept or made again. With a
/// vocabulary of 50,000 this is the difference between 140 MB and 32 MB for 700 tokens.
///
/// # Shape
///
/// `x` (..., I), `targets` (...) of token ids; a scalar.
///
/// # Errors
///
/// As [`cross_entropy`](crate::cross_entropy()), and when x has not as many features as the layer reads.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_rnn::{CrossEntropy, linear, linear_cross_entropy};
///
/// let head = linear(8, 5, candle_nn::VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let x = Tensor::zeros((2, 3, 8), DType::F32, &Device::Cpu)?;
/// let targets = Tensor::new(&[[0u32, 4, 2], [1, 1, 3]], &Device::Cpu)?;
/// let loss = linear_cross_entropy(&x, &head, &targets, &CrossEntropy::default())?;
/// assert!((loss.to_scalar::<f32>()? - 5f32.ln()).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// The gradient beside the loss is the idea of Liger Kernel's fused linear cross-entropy, Hsu et al. 2024,
/// <https://arxiv.org/abs/2410.10989>.
pub fn linear_cross_entropy(
    x: &Tensor,
    layer: &Linear,
    targets: &Tensor,
    config: &CrossEntropy,
) -> Result<Tensor> {
    let (vocab, inputs) = layer.weight().dims2()?;
    let rows = match x.dims().split_last() {
        Some((&last, rows)) if last == inputs => rows,
        _ => bail!("linear_cross_entropy: expected input (..., {inputs}), got {:?}", x.shape()),
    };
    #[cfg(feature = "cuda")]
    if cross_entropy::takes_cuda(x) {
        cross_entropy::check("linear_cross_entropy", targets, rows, config)?;
        let logits = linear::reference::linear(&x.reshape(((), inputs))?, layer.weight(), layer.bias())?;
        return cross_entropy::cross_entropy(&logits, &targets.flatten_all()?, config);
    }
    let targets = Targets::new("linear_cross_entropy", targets, rows, vocab, config)?;
    let x = x.reshape(((), inputs))?;
    match x.dtype() {
        DType::F32 if takes_kernel(&x) => cpu::linear_cross_entropy::<f32>(&x, layer, targets),
        DType::F64 if takes_kernel(&x) => cpu::linear_cross_entropy::<f64>(&x, layer, targets),
        _ => {
            let logits = linear::reference::linear(&x, layer.weight(), layer.bias())?;
            cross_entropy::reference::cross_entropy(&logits, &targets)
        }
    }
}

fn takes_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && !gdl_kernels::force_reference()
}
