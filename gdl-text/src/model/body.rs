use super::ModelConfig;
use super::layers::{Layers, Output};
use super::window::Windowed;
use crate::State;
use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{Embedding, Linear, Stepper};

/// What is between the token vectors and the scores.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Layers that read token after token.
    Layers(Box<Layers>),
    /// Layers that read the last tokens anew before each.
    Windowed(Windowed),
}

impl Body {
    pub(super) fn new(config: &ModelConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(match config.window {
            None => Self::Layers(Box::new(Layers::new(config, vb)?)),
            Some(window) => Self::Windowed(Windowed::new(config, window, vb)?),
        })
    }

    pub(super) fn with_rng(self, rng: &SharedRng) -> Self {
        match self {
            Self::Layers(layers) => Self::Layers(Box::new(layers.with_rng(rng))),
            windowed => windowed,
        }
    }

    pub(super) fn forward(
        &self,
        table: &Embedding,
        ids: &Tensor,
        state: Option<&State>,
        train: bool,
    ) -> Result<(Output, State)> {
        match self {
            Self::Layers(layers) => layers.forward(table, ids, state, train),
            Self::Windowed(windowed) => windowed.forward(table, ids, state, train),
        }
    }

    pub(super) fn stepper(&self, table: &Embedding, head: &Linear, state: &State) -> Result<Option<Stepper>> {
        match (self, state) {
            (Self::Layers(layers), state) => layers.stepper(table, head, state),
            (Self::Windowed(_), State::Window(_)) => Ok(None),
            _ => bail!("LanguageModel: the state is that of another model"),
        }
    }
}
