use super::{Cell, ModelConfig};
use crate::State;
use candle_core::{Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_kernels::rng::{Dropout, SharedRng};
use gdl_rnn::{Embedding, Gru, GruConfig, Linear, Lstm, LstmConfig, Stepper};

/// What the recurrent layers have made of the tokens, (N, T, `outputs`).
pub(crate) struct Output {
    /// As the last layer gives it.
    pub(crate) raw: Tensor,
    /// With dropout: what tokens are scored by.
    pub(crate) dropped: Tensor,
}

/// What a stack of layers reads.
#[derive(Clone, Copy)]
enum Input<'a> {
    Tokens(&'a Embedding, &'a Tensor),
    Vectors(&'a Tensor),
}

/// Layers of one width.
#[derive(Debug, Clone)]
enum Stack {
    Lstm(Lstm),
    Gru(Gru),
}

impl Stack {
    fn new(
        config: &ModelConfig,
        (inputs, hidden, layers): (usize, usize, usize),
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let &ModelConfig { cell, dropout, locked_dropout, weight_drop, .. } = config;
        Ok(match cell {
            Cell::Lstm => {
                let config = LstmConfig::new(inputs, hidden).num_layers(layers).dropout(dropout);
                let config = config.locked_dropout(locked_dropout).weight_drop(weight_drop);
                Self::Lstm(Lstm::new(&config, vb)?)
            }
            Cell::Gru => {
                let config = GruConfig::new(inputs, hidden).num_layers(layers).dropout(dropout);
                let config = config.locked_dropout(locked_dropout).weight_drop(weight_drop);
                Self::Gru(Gru::new(&config, vb)?)
            }
        })
    }

    fn with_rng(self, rng: SharedRng) -> Self {
        match self {
            Self::Lstm(lstm) => Self::Lstm(lstm.with_rng(rng)),
            Self::Gru(gru) => Self::Gru(gru.with_rng(rng)),
        }
    }

    fn forward(&self, input: Input<'_>, state: Option<&State>, train: bool) -> Result<(Tensor, State)> {
        Ok(match (self, state) {
            (Self::Lstm(lstm), None | Some(State::Lstm(_))) => {
                let state = state.and_then(State::lstm);
                let (y, state) = match input {
                    Input::Vectors(x) => lstm.forward_t(x, state, train)?,
                    Input::Tokens(table, ids) => lstm.forward_tokens(table, ids, state, train)?,
                };
                (y, State::Lstm(state))
            }
            (Self::Gru(gru), None | Some(State::Gru(_))) => {
                let state = state.and_then(State::gru);
                let (y, state) = match input {
                    Input::Vectors(x) => gru.forward_t(x, state, train)?,
                    Input::Tokens(table, ids) => gru.forward_tokens(table, ids, state, train)?,
                };
                (y, State::Gru(state))
            }
            _ => bail!("LanguageModel: the state is that of another model"),
        })
    }
}

/// The recurrent layers of a language model, with the dropouts around and between them.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    stack: Stack,
    /// The last layer, where it has a width of its own.
    last: Option<Stack>,
    input: Drop,
    between: Drop,
    output: Drop,
    /// Of whole vectors.
    vectors: Drop,
}

impl Layers {
    pub(super) fn new(config: &ModelConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let &ModelConfig { embedding, hidden, layers, dropout, .. } = config;
        let apart = layers > 1 && config.outputs() != hidden;
        let (below, width) = if apart { (layers - 1, hidden) } else { (layers, config.outputs()) };
        let last = || Stack::new(config, (hidden, config.outputs(), 1), vb.pp("rnn_last"));
        let drop = |p: f64| Drop { locked: config.locked_dropout, ..Drop::new(p) };
        Ok(Self {
            stack: Stack::new(config, (embedding, width, below), vb.pp("rnn"))?,
            last: apart.then(last).transpose()?,
            input: drop(config.input_dropout.unwrap_or(dropout)),
            between: drop(dropout),
            output: drop(config.output_dropout.unwrap_or(dropout)),
            vectors: drop(config.embedding_dropout),
        })
    }

    pub(super) fn with_rng(self, rng: &SharedRng) -> Self {
        let drop = |drop: Drop| drop.with_rng(rng);
        Self {
            stack: self.stack.with_rng(rng.clone()),
            last: self.last.map(|last| last.with_rng(rng.clone())),
            input: drop(self.input),
            between: drop(self.between),
            output: drop(self.output),
            vectors: drop(self.vectors),
        }
    }

    pub(super) fn forward(
        &self,
        table: &Embedding,
        ids: &Tensor,
        state: Option<&State>,
        train: bool,
    ) -> Result<(Output, State)> {
        let dropped = match train && self.vectors.p > 0.0 {
            true => Some(table.dropped(&self.vectors.dropout()?)?),
            false => None,
        };
        let table = dropped.as_ref().unwrap_or(table);
        let vectors = match train && self.input.p > 0.0 {
            true => Some(self.input.apply(&candle_core::Module::forward(table, ids)?, train)?), // (N, T, E)
            false => None,
        };
        let input = vectors.as_ref().map_or(Input::Tokens(table, ids), Input::Vectors);
        let (raw, state) = match (&self.last, state) {
            (None, state) => self.stack.forward(input, state, train)?,
            (Some(last), None | Some(State::Two(_))) => {
                let (below, above) = match state {
                    Some(State::Two(two)) => (Some(&two.0), Some(&two.1)),
                    _ => (None, None),
                };
                let (y, below) = self.stack.forward(input, below, train)?;
                let y = self.between.apply(&y, train)?;
                let (y, above) = last.forward(Input::Vectors(&y), above, train)?;
                (y, State::Two(Box::new((below, above))))
            }
            _ => bail!("LanguageModel: the state is that of another model"),
        };
        Ok((Output { dropped: self.output.apply(&raw, train)?, raw }, state))
    }

    pub(super) fn stepper(&self, table: &Embedding, head: &Linear, state: &State) -> Result<Option<Stepper>> {
        match (&self.stack, &self.last, state) {
            (Stack::Lstm(lstm), None, State::Lstm(s)) => Stepper::lstm(table, lstm, head, Some(s)),
            (Stack::Gru(gru), None, State::Gru(s)) => Stepper::gru(table, gru, head, Some(s)),
            (_, Some(_), State::Two(_)) => Ok(None),
            _ => bail!("LanguageModel: the state is that of another model"),
        }
    }
}

/// Dropout that may have no generator yet.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    p: f64,
    locked: bool,
    rng: Option<SharedRng>,
}

impl Drop {
    /// Of single features.
    pub(crate) fn new(p: f64) -> Self {
        Self { p, locked: false, rng: None }
    }

    pub(crate) fn with_rng(self, rng: &SharedRng) -> Self {
        Self { rng: Some(rng.clone()), ..self }
    }

    fn dropout(&self) -> Result<Dropout> {
        match &self.rng {
            Some(rng) => Dropout::new(self.p, rng.clone()),
            None => bail!(
                "the network: training with dropout {} needs a random number generator: build the model with \
                 `.with_rng(rng)`",
                self.p
            ),
        }
    }

    pub(crate) fn apply(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match (train && self.p > 0.0, self.locked) {
            (false, _) => Ok(x.clone()),
            (true, true) => self.dropout()?.forward_locked(x),
            (true, false) => self.dropout()?.forward_t(x, train),
        }
    }
}
