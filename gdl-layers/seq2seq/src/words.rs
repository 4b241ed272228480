use candle_core::{Module, Result, Tensor, bail};
use candle_nn::ModuleT;
use gdl_kernels::rng::{Dropout, SharedRng};
use gdl_rnn::Embedding;

/// Dropout that knows what it draws from, if it was told.
#[derive(Debug, Clone)]
pub(crate) struct SeededDropout {
    probability: f64,
    rng: Option<SharedRng>,
}

impl SeededDropout {
    pub(crate) fn new(probability: f64) -> Self {
        Self { probability, rng: None }
    }

    pub(crate) fn with_rng(self, rng: &SharedRng) -> Self {
        Self { rng: Some(rng.clone()), ..self }
    }

    pub(crate) fn forward(&self, x: Tensor, train: bool) -> Result<Tensor> {
        if !train || self.probability == 0. {
            return Ok(x);
        }
        let Some(rng) = &self.rng else {
            bail!(
                "Seq2Seq: training with dropout {} needs a random number generator: build the model with \
                 `.with_rng(rng)`",
                self.probability
            )
        };
        Dropout::new(self.probability, rng.clone())?.forward_t(&x, train)
    }
}

/// Token vectors with dropout.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    embedding: Embedding,
    drop: SeededDropout,
}

impl Words {
    pub(crate) fn new(embedding: Embedding, dropout: f64) -> Self {
        Self { embedding, drop: SeededDropout::new(dropout) }
    }

    pub(crate) fn with_rng(self, rng: &SharedRng) -> Self {
        Self { drop: self.drop.with_rng(rng), ..self }
    }

    /// The table of vectors.
    pub(crate) fn embedding(&self) -> &Embedding {
        &self.embedding
    }

    /// ids (N, T) -> (N, T, E)
    pub(crate) fn forward(&self, ids: &Tensor, train: bool) -> Result<Tensor> {
        self.drop.forward(self.embedding.forward(ids)?, train)
    }
}
