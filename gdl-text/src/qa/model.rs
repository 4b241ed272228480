use super::examples::Examples;
use super::trainer::{Likelihood, likelihood};
use super::{Network, Questions, RunConfig, TrainConfig};
use crate::Result;
use crate::seq2seq::examples::Sides;
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use gdl_train::{ParamStore, RunDir};
use std::path::Path;

/// A trained question generator with its vocabulary: reads passages, marks answers in them and writes a question for each.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) config: TrainConfig,
    pub(super) sides: Sides,
    pub(super) network: Network,
    longest: usize,
}

impl Model {
    /// Loads a run's model with its best weights, where it has some, and else, or if `last` asks for them, with those of the last
    /// checkpoint.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when a file is missing or broken, [`Error::Mismatch`](crate::Error::Mismatch) when the run is
    /// of another kind or its tokenizer does not fit.
    pub fn load(run: impl AsRef<Path>, last: bool, device: &Device) -> Result<Self> {
        let run = RunDir::open(run)?;
        let config = RunConfig::read(&run)?;
        let sides = config.qa.training.sides(&run)?;
        let best = run.best_path();
        let path = if best.is_file() && !last { best } else { run.weights_path() };
        let store = ParamStore::new(DType::F32, device, 0);
        Network::new(&config.qa, store.vb())?;
        store.load(path)?;
        // Once more from plain tensors: operations on variables would keep a graph.
        let vb = VarBuilder::from_tensors(store.tensors().into_iter().collect(), DType::F32, device);
        let network = Network::new(&config.qa, vb)?;
        Ok(Self::of(config.qa, sides, network, config.longest_passage))
    }

    pub(super) fn of(config: TrainConfig, sides: Sides, network: Network, longest: usize) -> Self {
        Self { config, sides, network, longest }
    }

    /// How it was trained.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Words of the longest passage that it learned from.
    pub fn longest_passage(&self) -> usize {
        self.longest
    }

    /// How likely the answers and the questions are, each word of a question given the right answer and the right words before it.
    pub(super) fn likelihood(&self, questions: &Questions) -> Result<Likelihood> {
        let copy = self.config.training.model.copy;
        let (examples, _) = Examples::new(questions.rows(), &self.sides, copy, (None, None))?;
        likelihood(&self.network, &examples, &self.config.training.model)
    }
}
