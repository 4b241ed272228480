use crate::batch::Sources;
use crate::cell::{Rnn, State};
use crate::config::{Cell, Seq2SeqConfig};
use crate::words::Words;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{GruState, Linear, LstmState, linear};

/// Reads a source and hands its final state to the decoder.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    words: Words,
    rnn: Rnn,
    bridge: Option<Bridge>,
}

impl Encoder {
    pub(crate) fn new(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let bidirectional = config.bidirectional_encoder;
        Ok(Self {
            words: Words::new(config.source_vocab, config, vb.pp("embedding"))?,
            rnn: Rnn::new(config, bidirectional, vb.pp("rnn"))?,
            bridge: bidirectional.then(|| Bridge::new(config, vb.pp("bridge"))).transpose()?,
        })
    }

    pub(crate) fn with_rng(self, rng: &SharedRng) -> Self {
        Self { words: self.words.with_rng(rng), rnn: self.rnn.with_rng(rng.clone()), bridge: self.bridge }
    }

    pub(crate) fn forward(&self, sources: &Sources, train: bool) -> Result<State> {
        let x = self.words.forward(&sources.ids, train)?; // (N, S, E)
        let state = self.rnn.encode(&x, &sources.lengths, train)?;
        match &self.bridge {
            Some(bridge) => bridge.forward(&state),
            None => Ok(state),
        }
    }
}

/// From the states of two directions to that of one: a linear layer and tanh for each layer.
#[derive(Debug, Clone)]
struct Bridge {
    h: Vec<Linear>,
    c: Vec<Linear>,
}

impl Bridge {
    fn new(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let Seq2SeqConfig { hidden, layers, cell, .. } = *config;
        let make = |vb: VarBuilder<'_>| {
            (0..layers).map(|layer| linear(2 * hidden, hidden, vb.pp(layer))).collect::<Result<Vec<_>>>()
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
                State::Lstm(LstmState { h: bridge(&self.h, &state.h)?, c: bridge(&self.c, &state.c)? })
            }
            State::Gru(state) => State::Gru(GruState { h: bridge(&self.h, &state.h)? }),
        })
    }
}

/// (2 layers, N, H) with the directions of a layer beside each other -> (layers, N, H).
fn bridge(layers: &[Linear], state: &Tensor) -> Result<Tensor> {
    let layers = layers.iter().enumerate().map(|(k, layer)| {
        let both = Tensor::cat(&[state.get(2 * k)?, state.get(2 * k + 1)?], 1)?; // (N, 2H)
        layer.forward(&both)?.tanh()
    });
    Tensor::stack(&layers.collect::<Result<Vec<_>>>()?, 0)
}
