use super::body::Body;
use super::layers::Output;
use crate::{ModelConfig, State};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{CrossEntropy, Embedding, EmbeddingConfig, Linear, Stepper, linear, linear_cross_entropy};

/// A recurrent language model: token vectors, stacked LSTM or GRU layers, and a linear layer that scores every token
/// of the vocabulary as the next one.
///
/// In training, dropout acts on the token vectors, between the layers, and on the output of the last, and where asked for on
/// whole vectors and on the recurrent weights ([`ModelConfig`]).
///
/// # Shape
/// Token ids (N, T), u32; logits (N, T, V) and the state after the last token.
///
/// # Parameters
/// | key | shape | initial |
/// | --- | --- | --- |
/// | `embedding.weight` | (V, `embedding`) | N(0, 1) |
/// | `rnn.weight_ih_l{k}`, `rnn.weight_hh_l{k}`, `rnn.bias_ih_l{k}`, `rnn.bias_hh_l{k}` | as [`gdl_rnn::Lstm`] and [`gdl_rnn::Gru`] | U(-1/sqrt(H), 1/sqrt(H)) |
/// | `rnn_last.…_l0`, where the last layer has a width of its own | likewise | likewise |
/// | `head.weight`, `head.bias` | (V, `hidden`), (V) | U(-1/sqrt(H), 1/sqrt(H)) |
/// | `head.bias` alone, where the vectors are tied | (V) | 0 |
/// | `rnns.{k}.…_l0` for layer k, and `attention.weight`, with a [`Window`](crate::Window) | likewise, and (`outputs`) | none: for inference |
///
/// # Example
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_text::{Cell, LanguageModel, ModelConfig};
/// use gdl_train::ParamStore;
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
/// let model = LanguageModel::new(&ModelConfig::new(Cell::Gru, 16, 2), 30, store.vb())?;
/// let ids = Tensor::zeros((4, 7), DType::U32, &Device::Cpu)?;
/// let (logits, state) = model.forward(&ids, None)?;
/// assert_eq!(logits.dims(), [4, 7, 30]);
/// let (_more, _state) = model.forward(&ids, Some(&state))?;
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
/// Mikolov et al. 2010; the dropout of Zaremba et al. 2014, <https://arxiv.org/abs/1409.2329>; laid out as PyTorch's word
/// language model example.
#[derive(Debug, Clone)]
pub struct LanguageModel {
    config: ModelConfig,
    vocab_size: usize,
    embedding: Embedding,
    body: Body,
    head: Linear,
}

impl LanguageModel {
    /// Builds the model for a vocabulary, its weights taken from `vb`.
    ///
    /// # Errors
    /// When a size is 0 or a weight is missing or wrongly shaped.
    pub fn new(config: &ModelConfig, vocab_size: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let table = EmbeddingConfig::new(vocab_size, config.embedding);
        let embedding = Embedding::new(&table, vb.pp("embedding"))?;
        let head = match config.tied {
            true => Linear::tied(&embedding, vb.pp("head"))?,
            false => linear(config.outputs(), vocab_size, vb.pp("head"))?,
        };
        Ok(Self { config: config.clone(), vocab_size, embedding, body: Body::new(config, &vb)?, head })
    }

    /// Gives the model the generator its dropout draws from; training with dropout needs one.
    pub fn with_rng(self, rng: SharedRng) -> Self {
        Self { body: self.body.with_rng(&rng), ..self }
    }

    /// What the model was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The token that stands for an empty text, where the model has one.
    pub(crate) fn start(&self) -> Option<u32> {
        self.config.window.map(|window| window.start.unwrap_or(0))
    }

    /// How many tokens it scores.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Reads on from a state (from nothing without one), without dropout.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary, or the state is that of another model or batch size.
    pub fn forward(&self, ids: &Tensor, state: Option<&State>) -> Result<(Tensor, State)> {
        self.forward_t(ids, state, false)
    }

    /// As [`forward`](Self::forward), with dropout if `train`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and when there is dropout to do but no generator to draw from.
    pub fn forward_t(&self, ids: &Tensor, state: Option<&State>, train: bool) -> Result<(Tensor, State)> {
        let (output, state) = self.body.forward(&self.embedding, ids, state, train)?;
        Ok((self.head.forward(&output.dropped)?, state))
    }

    /// What the last layer gives, without dropout, (N, T, [`ModelConfig::outputs`]): what tokens are scored by.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn features(&self, ids: &Tensor, state: Option<&State>) -> Result<(Tensor, State)> {
        let (output, state) = self.body.forward(&self.embedding, ids, state, false)?;
        Ok((output.raw, state))
    }

    /// The scores of all tokens by such features: (N, T, V).
    ///
    /// # Errors
    /// When the features are not as many.
    pub fn scores(&self, features: &Tensor) -> Result<Tensor> {
        self.head.forward(features)
    }

    /// What reads on from a state, token by token, without a graph; none where there is no such thing, and
    /// [`forward`](Self::forward) has to do.
    ///
    /// # Errors
    /// When the state is that of another model.
    pub fn stepper(&self, state: &State) -> Result<Option<Stepper>> {
        self.body.stepper(&self.embedding, &self.head, state)
    }

    /// Mean cross-entropy in nats of the targets (N, T), and the state after the last token.
    ///
    /// # Errors
    /// Those of [`forward_t`](Self::forward_t).
    pub fn loss(
        &self,
        ids: &Tensor,
        targets: &Tensor,
        state: Option<&State>,
        train: bool,
    ) -> Result<(Tensor, State)> {
        let (loss, _, state) = self.loss_and_output(ids, targets, state, train)?;
        Ok((loss, state))
    }

    /// As [`loss`](Self::loss), with what the layers gave. Of fewer targets than tokens, (N, t), the last t tokens are
    /// scored.
    pub(crate) fn loss_and_output(
        &self,
        ids: &Tensor,
        targets: &Tensor,
        state: Option<&State>,
        train: bool,
    ) -> Result<(Tensor, Output, State)> {
        let (output, state) = self.body.forward(&self.embedding, ids, state, train)?;
        let (read, scored) = (ids.dim(1)?, targets.dim(1)?);
        let x = match read == scored {
            true => output.dropped.clone(),
            false => output.dropped.narrow(1, read - scored, scored)?.contiguous()?,
        };
        let loss = linear_cross_entropy(&x, &self.head, targets, &CrossEntropy::default())?;
        Ok((loss, output, state))
    }
}
