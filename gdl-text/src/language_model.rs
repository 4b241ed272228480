use crate::{Cell, ModelConfig, State};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Linear, ModuleT, VarBuilder};
use gdl_kernels::rng::{Dropout, SharedRng};
use gdl_rnn::{Embedding, EmbeddingConfig, Gru, GruConfig, Lstm, LstmConfig, linear};

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
        let (n, t) = ids.dims2()?;
        let x = self.drop(self.embedding.forward(ids)?, train)?; // (N, T, E)
        let (x, state) = match (&self.layers, state) {
            (Layers::Lstm(lstm), Some(State::Lstm(s))) => run_lstm(lstm, &x, Some(s), train)?,
            (Layers::Lstm(lstm), None) => run_lstm(lstm, &x, None, train)?,
            (Layers::Gru(gru), Some(State::Gru(s))) => run_gru(gru, &x, Some(s), train)?,
            (Layers::Gru(gru), None) => run_gru(gru, &x, None, train)?,
            _ => bail!("LanguageModel: the state is not one of {} layers", self.config.cell),
        };
        // One matrix product for all steps.
        let x = self.drop(x, train)?.reshape((n * t, self.config.hidden))?;
        Ok((self.head.forward(&x)?.reshape((n, t, self.vocab_size))?, state))
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
        let (logits, state) = self.forward_t(ids, state, train)?;
        let logits = logits.flatten_to(1)?; // (N T, V)
        Ok((candle_nn::loss::cross_entropy(&logits, &targets.flatten_all()?)?, state))
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

fn run_lstm(
    lstm: &Lstm,
    x: &Tensor,
    state: Option<&gdl_rnn::LstmState>,
    train: bool,
) -> Result<(Tensor, State)> {
    let (y, state) = lstm.forward_t(x, state, train)?;
    Ok((y, State::Lstm(state)))
}

fn run_gru(gru: &Gru, x: &Tensor, state: Option<&gdl_rnn::GruState>, train: bool) -> Result<(Tensor, State)> {
    let (y, state) = gru.forward_t(x, state, train)?;
    Ok((y, State::Gru(state)))
}
