use crate::run_config::{KIND, check_kind_of};
use crate::trainer::{Average, Judged};
use crate::{
    Corpus, Error, Length, OptimizerKind, Result, RunConfig, State, Tokenizer, TrainConfig, Trainer,
};
use candle_core::Device;
use gdl_train::{Checkpoint, OnExisting, RngState, RunDir, Tensors, load_tensors, save_tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const STATE: &str = "recurrent-state";
const AVERAGE: &str = "average";

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

    /// Reads the run's tokenizer, and checks that it is that of the weights.
    pub(crate) fn tokenizer(&self, run: &RunDir) -> Result<Tokenizer> {
        let path = tokenizer_path(run.path());
        let tokenizer = Tokenizer::load(&path, &self.train.tokenizer)?;
        self.check_tokenizer(&tokenizer, &path.display().to_string())?;
        Ok(tokenizer)
    }
}

/// Checks that a run is of that kind, before its configuration is read: of another kind's, the missing fields say nothing.
pub(crate) fn check_kind(run: &RunDir, wanted: &str) -> Result<()> {
    check_kind_of(&run.config()?, wanted, || run.config_path().display().to_string())
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

/// A run's best weights, where it has some, and else, or if `last` asks for them, those of the last checkpoint; and their file.
pub(crate) fn best_or_last(run: &RunDir, last: bool, device: &Device) -> Result<(String, Tensors)> {
    let best = run.best_path();
    let path = if best.is_file() && !last { best } else { run.weights_path() };
    let (tensors, _) = load_tensors(&path, device)?;
    Ok((path.display().to_string(), tensors))
}

impl Judged {
    /// Keeps the weights that were judged last as the run's best: whole or not at all.
    pub(crate) fn save_best(&self, run: &RunDir, weights: &Tensors) -> Result<()> {
        let Some((step, loss)) = self.best else { return Ok(()) };
        // The shortest digits that give the same number back.
        let metadata =
            [("format", "pt".into()), ("step", step.to_string()), ("valid_loss", loss.to_string())];
        let metadata: BTreeMap<_, _> = metadata.map(|(key, value)| (key.to_string(), value)).into();
        Ok(save_tensors(run.best_path(), weights, &metadata)?)
    }
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
