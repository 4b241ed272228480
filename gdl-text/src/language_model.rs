use crate::{Cell, ModelConfig, State};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_kernels::rng::{Dropout, SharedRng};
use gdl_rnn::{
    CrossEntropy, Embedding, EmbeddingConfig, Gru, GruConfig, Linear, Lstm, LstmConfig, Stepper, linear,
    linear_cross_entropy,
};

/// A recurrent language model: token vectors, stacked LSTM or GRU layers, and a linear layer that scores every token
/// of the vocabulary as the next one.
///
/// In training, dropout acts on the token vectors, between the layers, and on the output of the last.
///
/// # Shape
/// Token ids (N, T), u32; logits (N, T, V) and the state after the last token.
///
/// # Parameters
/// | key | shape | initial |
/// | --- | --- | --- |
/// | `embedding.weight` | (V, `embedding`) | N(0, 1) |
/// | `rnn.weight_ih_l{k}`, `rnn.weight_hh_l{k}`, `rnn.bias_ih_l{k}`, `rnn.bias_hh_l{k}` | as [`Lstm`] and [`Gru`] | U(-1/sqrt(H), 1/sqrt(H)) |
/// | `head.weight`, `head.bias` | (V, `hidden`), (V) | U(-1/sqrt(H), 1/sqrt(H)) |
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
    layers: Layers,
    head: Linear,
    dropout: Option<Dropout>,
}

#[derive(Debug, Clone)]
enum Layers {
    Lstm(Lstm),
    Gru(Gru),
}

impl LanguageModel {
    /// Builds the model for a vocabulary, its weights taken from `vb`.
    ///
    /// # Errors
    /// When a size is 0 or a weight is missing or wrongly shaped.
    pub fn new(config: &ModelConfig, vocab_size: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let ModelConfig { cell, embedding, hidden, layers, dropout } = *config;
        let rnn = vb.pp("rnn");
        Ok(Self {
            config: config.clone(),
            vocab_size,
            embedding: Embedding::new(&EmbeddingConfig::new(vocab_size, embedding), vb.pp("embedding"))?,
            layers: match cell {
                Cell::Lstm => {
                    let config = LstmConfig::new(embedding, hidden).num_layers(layers).dropout(dropout);
                    Layers::Lstm(Lstm::new(&config, rnn)?)
                }
                Cell::Gru => {
                    let config = GruConfig::new(embedding, hidden).num_layers(layers).dropout(dropout);
                    Layers::Gru(Gru::new(&config, rnn)?)
                }
            },
            head: linear(hidden, vocab_size, vb.pp("head"))?,
            dropout: None,
        })
    }

    /// Gives the model the generator its dropout draws from; training with dropout needs one.
    ///
    /// # Errors
    /// When the configured dropout lies outside [0, 1).
    pub fn with_rng(mut self, rng: SharedRng) -> Result<Self> {
        self.dropout = Some(Dropout::new(self.config.dropout, rng.clone())?);
        self.layers = match self.layers {
            Layers::Lstm(lstm) => Layers::Lstm(lstm.with_rng(rng)),
            Layers::Gru(gru) => Layers::Gru(gru.with_rng(rng)),
        };
        Ok(self)
    }

    /// What the model was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
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
        let (x, state) = self.hidden(ids, state, train)?; // (N, T, H)
        Ok((self.head.forward(&x)?, state))
    }

    /// What the head reads: (N, T, H).
    fn hidden(&self, ids: &Tensor, state: Option<&State>, train: bool) -> Result<(Tensor, State)> {
        let vectors = match train && self.config.dropout > 0.0 {
            true => Some(self.drop(self.embedding.forward(ids)?, train)?), // (N, T, E)
            false => None,
        };
        let (y, state) = match (&self.layers, state) {
            (Layers::Lstm(lstm), None | Some(State::Lstm(_))) => {
                let state = state.and_then(State::lstm);
                let (y, state) = match &vectors {
                    Some(x) => lstm.forward_t(x, state, train)?,
                    None => lstm.forward_tokens(&self.embedding, ids, state, train)?,
                };
                (y, State::Lstm(state))
            }
            (Layers::Gru(gru), None | Some(State::Gru(_))) => {
                let state = state.and_then(State::gru);
                let (y, state) = match &vectors {
                    Some(x) => gru.forward_t(x, state, train)?,
                    None => gru.forward_tokens(&self.embedding, ids, state, train)?,
                };
                (y, State::Gru(state))
            }
            _ => bail!("LanguageModel: the state is not one of {} layers", self.config.cell),
        };
        Ok((self.drop(y, train)?, state))
    }

    /// What reads on from a state of one row, token by token, without a graph; none where there is no such thing, and
    /// [`forward`](Self::forward) has to do.
    ///
    /// # Errors
    /// When the state is that of another model or of several rows.
    pub fn stepper(&self, state: &State) -> Result<Option<Stepper>> {
        match (&self.layers, state) {
            (Layers::Lstm(lstm), State::Lstm(s)) => Stepper::lstm(&self.embedding, lstm, &self.head, Some(s)),
            (Layers::Gru(gru), State::Gru(s)) => Stepper::gru(&self.embedding, gru, &self.head, Some(s)),
            _ => bail!("LanguageModel: the state is not one of {} layers", self.config.cell),
        }
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
        let (x, state) = self.hidden(ids, state, train)?;
        Ok((linear_cross_entropy(&x, &self.head, targets, &CrossEntropy::default())?, state))
    }

    fn drop(&self, x: Tensor, train: bool) -> Result<Tensor> {
        match &self.dropout {
            Some(dropout) => dropout.forward_t(&x, train),
            None if train && self.config.dropout > 0.0 => bail!(
                "LanguageModel: training with dropout {} needs a random number generator: build the model with \
                 `.with_rng(rng)`",
                self.config.dropout
            ),
            None => Ok(x),
        }
    }
}
