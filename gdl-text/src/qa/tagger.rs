use crate::model::Drop;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{Embedding, EmbeddingConfig, Gru, GruConfig, Linear, linear};

/// Reads a passage in both directions, and says of each word whether it is part of an answer.
#[derive(Debug, Clone)]
pub(super) struct Tagger {
    table: Embedding,
    rnn: Gru,
    output: Linear,
    drop: Drop,
}

impl Tagger {
    /// For so many words, with vectors of `embedding` features and `hidden` features in each direction.
    pub(super) fn new(
        vocab: usize,
        embedding: usize,
        hidden: usize,
        dropout: f64,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let rnn = GruConfig::new(embedding, hidden).bidirectional(true);
        Ok(Self {
            table: Embedding::new(&EmbeddingConfig::new(vocab, embedding), vb.pp("embedding"))?,
            rnn: Gru::new(&rnn, vb.pp("rnn"))?,
            output: linear(2 * hidden, 2, vb.pp("output"))?,
            drop: Drop::new(dropout),
        })
    }

    pub(super) fn with_rng(self, rng: &SharedRng) -> Self {
        Self { drop: self.drop.with_rng(rng), ..self }
    }

    /// The vectors of the words.
    pub(super) fn table(&self) -> &Embedding {
        &self.table
    }

    /// The layer that marks.
    pub(super) fn output(&self) -> &Linear {
        &self.output
    }

    /// ids (N, S) of rows of these lengths -> (N, S, 2 `hidden`), 0 in the padding
    pub(super) fn forward(&self, ids: &Tensor, lengths: &[usize], train: bool) -> Result<Tensor> {
        let x = self.drop.apply(&self.table.forward(ids)?, train)?; // (N, S, E)
        let (outputs, _) = self.rnn.forward_padded(&x, lengths, None, train)?;
        self.drop.apply(&outputs, train)
    }
}
