use crate::config::Seq2SeqConfig;
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_kernels::rng::{Dropout, SharedRng};
use gdl_rnn::{Embedding, EmbeddingConfig};

/// Token vectors with dropout.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    embedding: Embedding,
    dropout: f64,
    rng: Option<SharedRng>,
}

impl Words {
    pub(crate) fn new(vocab: usize, config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let embedding = Embedding::new(&EmbeddingConfig::new(vocab, config.embedding), vb)?;
        Ok(Self { embedding, dropout: config.dropout, rng: None })
    }

    pub(crate) fn with_rng(mut self, rng: &SharedRng) -> Self {
        self.rng = Some(rng.clone());
        self
    }

    /// ids (N, T) -> (N, T, E)
    pub(crate) fn forward(&self, ids: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.embedding.forward(ids)?;
        if !train || self.dropout == 0. {
            return Ok(x);
        }
        let Some(rng) = &self.rng else {
            bail!(
                "Seq2Seq: training with dropout {} needs a random number generator: build the model with \
                 `.with_rng(rng)`",
                self.dropout
            )
        };
        Dropout::new(self.dropout, rng.clone())?.forward_t(&x, train)
    }
}
