//! A linear layer.

mod cpu;
pub(crate) mod reference;

use crate::Embedding;
use candle_core::{DType, Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use gdl_kernels::init;

/// A linear layer, x W^T + b, as [`linear`] builds it.
///
/// On the CPU its products use the widest vectors there are, and of its gradients only those are computed that
/// somebody asks for.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

/// A linear layer with PyTorch's initial values, which are not candle's.
///
/// # Shape
///
/// Input (..., `inputs`); output (..., `outputs`).
///
/// # Parameters
///
/// | key | shape | initial |
/// | --- | --- | --- |
/// | `weight` | (`outputs`, `inputs`) | U(-1/sqrt(`inputs`), 1/sqrt(`inputs`)) |
/// | `bias` | (`outputs`) | the same |
///
/// # Errors
///
/// When a size is 0 or a weight is missing or wrongly shaped.
///
/// # Source
///
/// `torch.nn.Linear`.
pub fn linear(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    let layer = Linear::without_bias(inputs, outputs, vb.clone())?;
    let bias = vb.get_with_hints(outputs, "bias", initial(inputs))?;
    Ok(Linear { bias, ..layer })
}

fn initial(inputs: usize) -> Init {
    init::uniform(1. / (inputs as f64).sqrt())
}

impl Linear {
    /// The layer that scores each token of a table by the product with its vector, which it shares; its `bias` starts at 0.
    ///
    /// # Errors
    ///
    /// When the bias is wrongly shaped.
    ///
    /// # Source
    ///
    /// Press and Wolf 2016, *Using the Output Embedding to Improve Language Models*,
    /// <https://arxiv.org/abs/1608.05859>; Inan et al. 2016, <https://arxiv.org/abs/1611.01462>.
    pub fn tied(table: &Embedding, vb: VarBuilder<'_>) -> Result<Self> {
        let weight = table.weight().clone();
        let bias = vb.get_with_hints(weight.dim(0)?, "bias", Init::Const(0.))?;
        Ok(Self { weight, bias })
    }

    /// A layer without a bias, whose `weight` starts as that of [`linear`]: it has zeros in a bias's place, which are no parameter.
    ///
    /// # Errors
    ///
    /// As [`linear`].
    pub fn without_bias(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        if inputs == 0 || outputs == 0 {
            bail!("linear: sizes must be at least 1, got {inputs} inputs and {outputs} outputs")
        }
        let weight = vb.get_with_hints((outputs, inputs), "weight", initial(inputs))?;
        Ok(Self { weight, bias: Tensor::zeros(outputs, vb.dtype(), vb.device())? })
    }

    /// The weight (`outputs`, `inputs`).
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias (`outputs`).
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (outputs, inputs) = self.weight.dims2()?;
        if x.dims().last() != Some(&inputs) {
            bail!("linear: expected input (..., {inputs}), got {:?}", x.shape())
        }
        let mut shape = x.dims().to_vec();
        shape.pop();
        shape.push(outputs);
        let x = x.reshape(((), inputs))?;
        let y = match x.dtype() {
            _ if !x.device().is_cpu() || gdl_kernels::force_reference() => {
                reference::linear(&x, &self.weight, &self.bias)?
            }
            DType::F32 => cpu::linear::<f32>(&x, &self.weight, &self.bias)?,
            DType::F64 => cpu::linear::<f64>(&x, &self.weight, &self.bias)?,
            _ => reference::linear(&x, &self.weight, &self.bias)?,
        };
        y.reshape(shape)
    }
}
