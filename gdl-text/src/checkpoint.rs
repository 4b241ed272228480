use crate::trainer::{Average, Judged};
use crate::{
    Corpus, CorpusConfig, CorpusMark, Error, Length, OptimizerKind, Result, State, Tokenizer, TrainConfig,
    Trainer,
};
use candle_core::Device;
use gdl_train::{Checkpoint, OnExisting, RngState, RunDir};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub(crate) const KIND: &str = "language-model";
const STATE: &str = "recurrent-state";
const AVERAGE: &str = "average";

/// `config.json` of a run: all it takes to build the model again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Always "language-model".
    pub kind: String,
    /// The settings it was started with.
    pub train: TrainConfig,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// The text it learns from.
    pub corpus: CorpusMark,
    /// How that is read. Default: as whole files.
    #[serde(default)]
    pub reading: CorpusConfig,
    /// The text that it validates on, where that is one of its own ([`Trainer::validate_with`]). Default: none.
    #[serde(default)]
    pub valid: Option<CorpusMark>,
}

impl RunConfig {
    /// Reads the configuration of a run.
    ///
    /// # Errors
    /// [`Error::Train`] when there is none, [`Error::Mismatch`] when it is one of another kind.
    pub fn read(run: &RunDir) -> Result<Self> {
        check_kind(run, KIND)?;
        let config: Self = run.config()?;
        config.train.check()?;
        Ok(config)
    }

    /// Checks that a text is the one that the run learns from, where that is known.
    pub(crate) fn check_corpus(&self, corpus: &Corpus) -> Result<()> {
        if self.corpus.is_unknown() {
            return Ok(());
        }
        self.corpus.check(corpus, "trained")
    }

    /// Checks that a text is the one that the run validates on.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when it is not.
    pub fn check_valid(&self, corpus: &Corpus) -> Result<()> {
        self.valid.as_ref().map_or(Ok(()), |mark| mark.check(corpus, "validated"))
    }

    /// Reads the run's tokenizer, and checks that it is that of the weights.
    pub(crate) fn tokenizer(&self, run: &RunDir) -> Result<Tokenizer> {
        let path = tokenizer_path(run.path());
        let tokenizer = Tokenizer::load(&path, &self.train.tokenizer)?;
        if tokenizer.vocab_size() != self.vocab_size {
            let (origin, have, want) = (path.display().to_string(), tokenizer.vocab_size(), self.vocab_size);
            let message = format!("the weights are for {want} tokens, it has {have}");
            return Err(Error::Mismatch { origin, message });
        }
        Ok(tokenizer)
    }
}

impl CorpusMark {
    /// Checks that a text is the one with this mark, on which a run was trained or validated.
    fn check(&self, corpus: &Corpus, done: &str) -> Result<()> {
        let mark = Self::new(corpus);
        if (mark.bytes, &mark.fnv1a) != (self.bytes, &self.fnv1a) {
            let message = format!(
                "the run was {done} on {} ({} bytes, FNV-1a {}), and this text has {} bytes, FNV-1a {}",
                self.origin, self.bytes, self.fnv1a, mark.bytes, mark.fnv1a
            );
            return Err(Error::Mismatch { origin: mark.origin, message });
        }
        Ok(())
    }
}

/// Checks that a run is of that kind, before its configuration is read: of another kind's, the missing fields say nothing.
pub(crate) fn check_kind(run: &RunDir, wanted: &str) -> Result<()> {
    let any: serde_json::Value = run.config()?;
    let kind = any.get("kind").and_then(|kind| kind.as_str()).unwrap_or("none");
    if kind != wanted {
        let origin = run.config_path().display().to_string();
        let message = format!("expected the kind {wanted:?}, found {kind:?}");
        return Err(Error::Mismatch { origin, message });
    }
    Ok(())
}

/// What a checkpoint holds besides tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    length: Length,
    dropout: RngState,
    #[serde(default)]
    judged: Judged,
    /// Steps in the mean of the weights, once that counts.
    #[serde(default)]
    averaged: Option<u64>,
}

/// The optimizer's name in a checkpoint.
pub(crate) fn optimizer_name(kind: OptimizerKind) -> &'static str {
    match kind {
        OptimizerKind::Adam => "adam",
        OptimizerKind::RmsProp => "rmsprop",
        OptimizerKind::Sgd | OptimizerKind::NtAsgd => "sgd",
    }
}

pub(crate) fn tokenizer_path(run: &Path) -> PathBuf {
    run.join("tokenizer.json")
}

impl Trainer {
    /// Makes the run directory: configuration and tokenizer; no checkpoint yet.
    ///
    /// # Errors
    /// [`Error::Train`] when there is something already, or nothing can be written.
    pub fn create_run(&self, path: impl AsRef<Path>, on_existing: OnExisting) -> Result<RunDir> {
        let config = RunConfig {
            kind: KIND.into(),
            train: self.config.clone(),
            vocab_size: self.tokenizer.vocab_size(),
            corpus: self.corpus.clone(),
            reading: self.text.clone(),
            valid: self.valid_mark.clone(),
        };
        let run = RunDir::create(path, &config, on_existing)?;
        self.tokenizer.save(tokenizer_path(run.path()))?;
        Ok(run)
    }

    /// Saves everything needed to go on exactly: weights, optimizer, dropout's generator, recurrent state and place
    /// in the text. The checkpoint before is replaced as a whole.
    ///
    /// # Errors
    /// [`Error::Train`] when something cannot be written; then the checkpoint before is still there.
    pub fn save(&self, run: &RunDir) -> Result<()> {
        let progress = Progress {
            length: self.config.length,
            dropout: self.rng.state(),
            judged: self.judged.clone(),
            averaged: self.average.as_ref().map(|average| average.weights.count()),
        };
        let mut checkpoint = Checkpoint::new(self.step as u64, self.store.tensors())
            .with_optimizer(optimizer_name(self.config.optimizer), &*self.optimizer)?
            .with_state(&progress)?;
        if let Some(state) = &self.state {
            checkpoint = checkpoint.with_tensors(STATE, state.tensors());
        }
        if let Some(average) = &self.average {
            checkpoint = checkpoint.with_tensors(AVERAGE, average.weights.tensors());
        }
        Ok(run.save_checkpoint(&checkpoint)?)
    }

    /// Goes on from a run's checkpoint, with the text it began with; `length` replaces how long it was to train.
    ///
    /// On the CPU, N steps, a save, a load and M steps give bit for bit what N + M steps give.
    ///
    /// # Errors
    /// [`Error::Train`] when a file is missing or broken, or a tensor does not fit, [`Error::Mismatch`] when the text
    /// is another, or the tokenizer does not fit the weights.
    pub fn resume(run: &RunDir, corpus: &Corpus, length: Option<Length>, device: &Device) -> Result<Self> {
        let config = RunConfig::read(run)?;
        if config.corpus.is_unknown() {
            let origin = run.path().display().to_string();
            let message = "it was imported, and there is no training to go on with; begin one from it".into();
            return Err(Error::Mismatch { origin, message });
        }
        config.check_corpus(corpus)?;
        let tokenizer = config.tokenizer(run)?;
        let checkpoint = run.load_checkpoint(device)?;
        let progress: Progress = checkpoint.state()?;
        let train = TrainConfig { length: length.unwrap_or(progress.length), ..config.train };

        let mut trainer = Self::with_tokenizer(corpus, tokenizer, train, device)?;
        let origin = run.weights_path().display().to_string();
        trainer.store.load_tensors(&origin, &checkpoint.weights)?;
        checkpoint.restore_optimizer(optimizer_name(trainer.config.optimizer), &mut *trainer.optimizer)?;
        trainer.rng.set_state(&progress.dropout)?;
        trainer.step = checkpoint.step as usize;
        if let Some(tensors) = checkpoint.tensors.get(STATE) {
            let TrainConfig { model, batch, .. } = &trainer.config;
            let state = State::from_tensors(tensors, model, *batch, &origin)?;
            trainer.state = Some(state.to_device(device)?);
        }
        if let (Some(count), Some(means)) = (progress.averaged, checkpoint.tensors.get(AVERAGE)) {
            let mut average = Average::new(&trainer)?;
            average.weights.load(&origin, means, count)?;
            trainer.average = Some(average);
        }
        trainer.judged = progress.judged;
        Ok(trainer)
    }
}
