use crate::batch::Sources;
use crate::cell::{Rnn, State};
use crate::config::{Bridge, Cell, Seq2SeqConfig};
use crate::words::Words;
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{Embedding, EmbeddingConfig, GruState, Linear, LstmState, linear};

/// What an encoder has made of a batch of sources.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Its outputs (N, S, H), 0 in the padding.
    pub memory: Tensor,
    /// The state that the decoder starts from.
    pub state: State,
}

/// Reads a source.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    words: Words,
    features: Option<Embedding>,
    rnn: Rnn,
    bidirectional: bool,
    bridge: Option<Dense>,
}

impl Encoder {
    /// With the vectors of a table, or those of its own.
    pub(crate) fn new(config: &Seq2SeqConfig, table: Option<&Embedding>, vb: VarBuilder<'_>) -> Result<Self> {
        let table = match table {
            Some(table) => table.clone(),
            None => Embedding::new(
                &EmbeddingConfig::new(config.source_vocab, config.embedding),
                vb.pp("embedding"),
            )?,
        };
        let features = config.features.map(|features| {
            Embedding::new(&EmbeddingConfig::new(features.values, features.size), vb.pp("features"))
        });
        let inputs = config.embedding + config.features.map_or(0, |features| features.size);
        Ok(Self {
            words: Words::new(table, config.dropout),
            features: features.transpose()?,
            rnn: Rnn::reading(config, inputs, vb.pp("rnn"))?,
            bidirectional: config.bidirectional_encoder,
            bridge: (config.bridge == Bridge::Dense)
                .then(|| Dense::new(config, vb.pp("bridge")))
                .transpose()?,
        })
    }

    pub(crate) fn with_rng(self, rng: &SharedRng) -> Self {
        Self { words: self.words.with_rng(rng), rnn: self.rnn.with_rng(rng.clone()), ..self }
    }

    pub(crate) fn forward(&self, sources: &Sources, train: bool) -> Result<Encoded> {
        let mut x = self.words.forward(&sources.ids, train)?; // (N, S, E)
        x = match (&self.features, &sources.features) {
            (Some(table), Some(ids)) => Tensor::cat(&[x, table.forward(ids)?], 2)?,
            (None, None) => x,
            (Some(_), None) => bail!("Seq2Seq: the model reads features, and the sources have none"),
            (None, Some(_)) => bail!("Seq2Seq: the sources have features, and the model reads none"),
        };
        let (memory, state) = self.rnn.encode(&x, &sources.lengths, train)?; // (N, S, H)
        let state = if self.bidirectional { state.map(join)? } else { state };
        let state = self.bridge.as_ref().map_or(Ok(state.clone()), |bridge| bridge.forward(&state))?;
        Ok(Encoded { memory, state })
    }
}

/// (2 layers, N, H/2) with the directions of a layer beside each other -> (layers, N, H).
fn join(state: &Tensor) -> Result<Tensor> {
    let (both, n, half) = state.dims3()?;
    state.reshape((both / 2, 2, n, half))?.transpose(1, 2)?.reshape((both / 2, n, 2 * half))
}

/// A linear layer and tanh for each layer of the state.
#[derive(Debug, Clone)]
struct Dense {
    h: Vec<Linear>,
    c: Vec<Linear>,
}

impl Dense {
    fn new(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let Seq2SeqConfig { hidden, layers, cell, .. } = *config;
        let make = |vb: VarBuilder<'_>| {
            (0..layers).map(|layer| linear(hidden, hidden, vb.pp(layer))).collect::<Result<Vec<_>>>()
        };
        let c = match cell {
            Cell::Lstm => make(vb.pp("c"))?,
            Cell::Gru => Vec::new(),
        };
        Ok(Self { h: make(vb.pp("h"))?, c })
    }

    fn forward(&self, state: &State) -> Result<State> {
        Ok(match state {
            State::Lstm(state) => {
                State::Lstm(LstmState { h: dense(&self.h, &state.h)?, c: dense(&self.c, &state.c)? })
            }
            State::Gru(state) => State::Gru(GruState { h: dense(&self.h, &state.h)? }),
        })
    }
}

fn dense(layers: &[Linear], state: &Tensor) -> Result<Tensor> {
    let layers = layers.iter().enumerate().map(|(k, layer)| layer.forward(&state.get(k)?)?.tanh());
    Tensor::stack(&layers.collect::<Result<Vec<_>>>()?, 0)
}
