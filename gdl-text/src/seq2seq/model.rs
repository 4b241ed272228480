use super::examples::{Examples, Sides};
use super::{RunConfig, TrainConfig};
use crate::seq2seq::trainer::likelihood;
use crate::{EvalReport, Result};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use gdl_seq2seq::Seq2Seq;
use gdl_train::{ParamStore, RunDir};
use std::path::Path;

/// A trained encoder-decoder with its vocabularies: reads texts and writes others.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) config: TrainConfig,
    pub(super) sides: Sides,
    pub(super) network: Seq2Seq,
    pub(super) device: Device,
    longest: usize,
}

/// What is peculiar about a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceReport {
    /// Its tokens.
    pub tokens: usize,
    /// Those that the source vocabulary does not have.
    pub unknown: usize,
    /// Whether it has more of them than any source that the model learned from.
    pub longer: bool,
}

impl Model {
    /// Loads a run's model with its best weights, where it has some, and else, or if `last` asks for them, with those of the last
    /// checkpoint.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when a file is missing or broken, [`Error::Mismatch`](crate::Error::Mismatch) when the run is
    /// of another kind or a tokenizer does not fit.
    pub fn load(run: impl AsRef<Path>, last: bool, device: &Device) -> Result<Self> {
        let run = RunDir::open(run)?;
        let config = RunConfig::read(&run)?;
        let sides = config.sides(&run)?;
        let best = run.best_path();
        let path = if best.is_file() && !last { best } else { run.weights_path() };
        let store = ParamStore::new(DType::F32, device, 0);
        Seq2Seq::new(&config.seq2seq.model, store.vb())?;
        store.load(path)?;
        // Once more from plain tensors: operations on variables would keep a graph.
        let vb = VarBuilder::from_tensors(store.tensors().into_iter().collect(), DType::F32, device);
        let network = Seq2Seq::new(&config.seq2seq.model, vb)?;
        Ok(Self::of(config.seq2seq, sides, network, config.longest_source, device))
    }

    pub(crate) fn of(
        config: TrainConfig,
        sides: Sides,
        network: Seq2Seq,
        longest: usize,
        device: &Device,
    ) -> Self {
        Self { config, sides, network, device: device.clone(), longest }
    }

    /// How it was trained.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The network.
    pub fn network(&self) -> &Seq2Seq {
        &self.network
    }

    /// Tokens of the longest source that it learned from.
    pub fn longest_source(&self) -> usize {
        self.longest
    }

    /// What is peculiar about a source.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when the `tokenizers` crate refuses.
    pub fn inspect(&self, source: &str) -> Result<SourceReport> {
        let ids = self.sides.source.encode(source)?;
        let unknown = self.sides.source.tokenizer.unknown().map(|_| self.sides.source.unk());
        let unknown = ids.iter().filter(|&&id| Some(id) == unknown).count();
        Ok(SourceReport { tokens: ids.len(), unknown, longer: ids.len() > self.longest })
    }

    /// A target's tokens as [`Written::tokens`](super::Written::tokens) has them, for comparing token by token.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when the `tokenizers` crate refuses.
    pub fn shown_target(&self, target: &str) -> Result<Vec<String>> {
        Ok(self.sides.target.shown_words(&self.sides.target.tokenizer.tokens(target)?))
    }

    /// How many of some tokens that were written are the unknown one.
    pub fn unknown_among(&self, rows: &[Vec<String>]) -> usize {
        let tokenizer = &self.sides.target.tokenizer;
        let unknown = tokenizer.unknown().and_then(|id| tokenizer.token(id));
        rows.iter().flatten().filter(|token| unknown.as_ref() == Some(token)).count()
    }

    /// How likely the targets of some pairs are, each token given the right ones before it.
    ///
    /// # Errors
    /// [`Error::NothingToScore`](crate::Error::NothingToScore) when there are none.
    pub fn likelihood(&self, rows: &[(String, String)]) -> Result<EvalReport> {
        let mut examples = Examples::new(rows, &self.sides, self.config.model.copy)?;
        examples.keep(None, None);
        if examples.len() == 0 {
            return Err(crate::Error::NothingToScore { origin: "the pairs".into(), have: 0 });
        }
        likelihood(&self.network, &examples, &self.device)
    }
}
