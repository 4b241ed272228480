use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::init;

/// A linear layer without a bias, with PyTorch's initial values.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    weight: Tensor,
}

impl Projection {
    pub(crate) fn new(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let init = init::uniform(1. / (inputs as f64).sqrt());
        Ok(Self { weight: vb.get_with_hints((outputs, inputs), "weight", init)? })
    }

    /// The weight (outputs, inputs).
    pub(crate) fn into_weight(self) -> Tensor {
        self.weight
    }
}

impl Module for Projection {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (n, t, inputs) = x.dims3()?;
        x.reshape((n * t, inputs))?.matmul(&self.weight.t()?)?.reshape((n, t, ()))
    }
}
