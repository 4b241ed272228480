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
}

/// A stack of either cell.
#[derive(Debug, Clone)]
pub(crate) enum Rnn {
    Lstm(Lstm),
    Gru(Gru),
}

impl Rnn {
    pub(crate) fn new(config: &Seq2SeqConfig, bidirectional: bool, vb: VarBuilder<'_>) -> Result<Self> {
        let Seq2SeqConfig { embedding, hidden, layers, cell, dropout, .. } = *config;
        Ok(match cell {
            Cell::Lstm => {
                let config = LstmConfig::new(embedding, hidden).num_layers(layers);
                Self::Lstm(Lstm::new(&config.bidirectional(bidirectional).dropout(dropout), vb)?)
            }
            Cell::Gru => {
                let config = GruConfig::new(embedding, hidden).num_layers(layers);
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

    /// Runs padded rows from a zero state; returns the state at each row's end.
    pub(crate) fn encode(&self, x: &Tensor, lengths: &[usize], train: bool) -> Result<State> {
        Ok(match self {
            Self::Lstm(lstm) => State::Lstm(lstm.forward_padded(x, lengths, None, train)?.1),
            Self::Gru(gru) => State::Gru(gru.forward_padded(x, lengths, None, train)?.1),
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
