//! Vectors for tokens.

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod reference;

use candle_core::{DType, Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_kernels::init;
use gdl_kernels::rng::Dropout;
use serde::{Deserialize, Serialize};

/// What an [`Embedding`] is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// How many tokens there are.
    pub vocab_size: usize,
    /// Features of each.
    pub size: usize,
}

impl EmbeddingConfig {
    /// `vocab_size` tokens of `size` features.
    pub fn new(vocab_size: usize, size: usize) -> Self {
        Self { vocab_size, size }
    }
}

/// A table of one learnt vector per token.
///
/// # Shape
///
/// Token ids (...) of type u32, u8 or i64; output (..., `size`).
///
/// # Parameters
///
/// | key | shape | initial |
/// | --- | --- | --- |
/// | `weight` | (`vocab_size`, `size`) | N(0, 1) |
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use gdl_rnn::{Embedding, EmbeddingConfig};
///
/// let vb = candle_nn::VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let embedding = Embedding::new(&EmbeddingConfig::new(10, 4), vb)?;
/// let ids = Tensor::new(&[[1u32, 2, 3], [3, 2, 9]], &Device::Cpu)?;
/// assert_eq!(embedding.forward(&ids)?.dims(), [2, 3, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.Embedding`.
#[derive(Debug, Clone)]
pub struct Embedding {
    weight: Tensor,
}

impl Embedding {
    /// Builds the layer, its weights taken from `vb`.
    ///
    /// # Errors
    ///
    /// When a size is 0 or the weight is missing or wrongly shaped.
    pub fn new(config: &EmbeddingConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let EmbeddingConfig { vocab_size, size } = *config;
        if vocab_size == 0 || size == 0 {
            bail!("Embedding: vocab_size and size must be at least 1, got {vocab_size} and {size}")
        }
        Ok(Self { weight: vb.get_with_hints((vocab_size, size), "weight", init::normal(0., 1.))? })
    }

    /// The table with whole vectors dropped, as `dropout` draws, and the others scaled up: what is dropped is a token, wherever it
    /// occurs until the next call.
    ///
    /// # Errors
    ///
    /// Those of making the mask.
    ///
    /// # Source
    ///
    /// Gal and Ghahramani 2015, <https://arxiv.org/abs/1512.05287>; `embedded_dropout` of AWD-LSTM.
    pub fn dropped(&self, dropout: &Dropout) -> Result<Self> {
        let rows = self.weight.dim(0)?;
        let mask = dropout.mask((rows, 1), self.weight.dtype(), self.weight.device())?;
        Ok(Self { weight: self.weight.broadcast_mul(&mask)? })
    }

    /// The table (`vocab_size`, `size`).
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }
}

impl Module for Embedding {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        lookup(&self.weight, ids)
    }
}

/// The rows of a table (V, E) that the ids (...) name, as (..., E).
pub(crate) fn lookup(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if gdl_kernels::cuda::takes(table) {
        return cuda::lookup(table, ids);
    }
    match table.dtype() {
        _ if !table.device().is_cpu() || gdl_kernels::force_reference() => reference::lookup(table, ids),
        DType::F32 => cpu::lookup::<f32>(table, ids),
        DType::F64 => cpu::lookup::<f64>(table, ids),
        _ => reference::lookup(table, ids),
    }
}
