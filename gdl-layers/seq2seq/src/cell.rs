use crate::config::{Cell, Seq2SeqConfig};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{Gru, GruConfig, GruState, Lstm, LstmConfig, LstmState};

/// The state of a decoder: what an encoder hands over, and what a decoding step hands to the next.
#[derive(Debug, Clone)]
pub enum State {
    /// Of an LSTM.
    Lstm(LstmState),
    /// Of a GRU.
    Gru(GruState),
}

impl State {
    /// The same values, cut off from the graph.
    pub fn detach(&self) -> Self {
        match self {
            Self::Lstm(state) => Self::Lstm(state.detach()),
            Self::Gru(state) => Self::Gru(state.detach()),
        }
    }

    /// What `f` makes of each tensor (layers, N, H).
    pub(crate) fn map(&self, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(match self {
            Self::Lstm(state) => Self::Lstm(LstmState { h: f(&state.h)?, c: f(&state.c)? }),
            Self::Gru(state) => Self::Gru(GruState { h: f(&state.h)? }),
        })
    }
}

/// A stack of either cell.
#[derive(Debug, Clone)]
pub(crate) enum Rnn {
    Lstm(Lstm),
    Gru(Gru),
}

impl Rnn {
    /// The encoder's.
    pub(crate) fn reading(config: &Seq2SeqConfig, inputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let both = config.bidirectional_encoder;
        let hidden = if both { config.hidden / 2 } else { config.hidden };
        Self::new(config, inputs, hidden, both, vb)
    }

    /// The decoder's.
    pub(crate) fn writing(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let fed = if config.input_feeding { config.hidden } else { 0 };
        Self::new(config, config.embedding + fed, config.hidden, false, vb)
    }

    fn new(
        config: &Seq2SeqConfig,
        inputs: usize,
        hidden: usize,
        bidirectional: bool,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let Seq2SeqConfig { layers, cell, dropout, .. } = *config;
        Ok(match cell {
            Cell::Lstm => {
                let config = LstmConfig::new(inputs, hidden).num_layers(layers);
                Self::Lstm(Lstm::new(&config.bidirectional(bidirectional).dropout(dropout), vb)?)
            }
            Cell::Gru => {
                let config = GruConfig::new(inputs, hidden).num_layers(layers);
                Self::Gru(Gru::new(&config.bidirectional(bidirectional).dropout(dropout), vb)?)
            }
        })
    }

    pub(crate) fn with_rng(self, rng: SharedRng) -> Self {
        match self {
            Self::Lstm(lstm) => Self::Lstm(lstm.with_rng(rng)),
            Self::Gru(gru) => Self::Gru(gru.with_rng(rng)),
        }
    }

    /// Runs padded rows from a zero state; returns the outputs, and the state at each row's end.
    pub(crate) fn encode(&self, x: &Tensor, lengths: &[usize], train: bool) -> Result<(Tensor, State)> {
        Ok(match self {
            Self::Lstm(lstm) => {
                let (y, state) = lstm.forward_padded(x, lengths, None, train)?;
                (y, State::Lstm(state))
            }
            Self::Gru(gru) => {
                let (y, state) = gru.forward_padded(x, lengths, None, train)?;
                (y, State::Gru(state))
            }
        })
    }

    /// Goes on from a state.
    pub(crate) fn decode(&self, x: &Tensor, state: &State, train: bool) -> Result<(Tensor, State)> {
        match (self, state) {
            (Self::Lstm(lstm), State::Lstm(state)) => {
                let (y, state) = lstm.forward_t(x, Some(state), train)?;
                Ok((y, State::Lstm(state)))
            }
            (Self::Gru(gru), State::Gru(state)) => {
                let (y, state) = gru.forward_t(x, Some(state), train)?;
                Ok((y, State::Gru(state)))
            }
            _ => candle_core::bail!("Seq2Seq: the state given is not that of the decoder's cell"),
        }
    }
}
