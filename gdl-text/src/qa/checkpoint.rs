use super::run_config::KIND;
use super::{Questions, RunConfig, Trainer};
use crate::checkpoint::{check_kind, tokenizer_path};
use crate::seq2seq::PairsMark;
use crate::seq2seq::descent::Progress;
use crate::{Length, Result};
use candle_core::Device;
use gdl_train::{OnExisting, RunDir};
use std::path::Path;

impl RunConfig {
    /// Reads the configuration of a run.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when there is none, [`Error::Mismatch`](crate::Error::Mismatch) when it is one of another kind.
    pub fn read(run: &RunDir) -> Result<Self> {
        check_kind(run, KIND)?;
        let config: Self = run.config()?;
        config.qa.check()?;
        Ok(config)
    }
}

impl Trainer {
    /// Makes the run directory: configuration and tokenizer; no checkpoint yet.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when there is something already, or nothing can be written.
    pub fn create_run(&self, path: impl AsRef<Path>, on_existing: OnExisting) -> Result<RunDir> {
        let config = RunConfig {
            kind: KIND.into(),
            qa: self.config.clone(),
            questions: self.mark.clone(),
            valid: self.valid_mark.clone(),
            longest_passage: self.longest_passage(),
        };
        let run = RunDir::create(path, &config, on_existing)?;
        self.sides.target.tokenizer.save(tokenizer_path(run.path()))?;
        Ok(run)
    }

    /// Saves everything needed to go on exactly: weights, optimizer, dropout's generator and place in the questions. The checkpoint before
    /// is replaced as a whole.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when something cannot be written; then the checkpoint before is still there.
    pub fn save(&self, run: &RunDir) -> Result<()> {
        self.descent.save(run, &self.config.training)
    }

    /// Goes on from a run's checkpoint, with the questions it began with; `length` replaces how long it was to train.
    ///
    /// On the CPU, N steps, a save, a load and M steps give bit for bit what N + M steps give.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when a file is missing or broken, or a tensor does not fit, [`Error::Mismatch`](crate::Error::Mismatch) when the questions
    /// are others, or the tokenizer does not fit the weights.
    pub fn resume(
        run: &RunDir,
        questions: &Questions,
        valid: Option<&Questions>,
        length: Option<Length>,
        device: &Device,
    ) -> Result<Self> {
        let RunConfig { mut qa, questions: mark, valid: valid_mark, .. } = RunConfig::read(run)?;
        mark.check_mark(questions.mark())?;
        let given = valid.map(Questions::mark);
        PairsMark::check_valid(valid_mark.as_ref(), given, "some of its questions", run)?;
        let sides = qa.training.sides(run)?;
        let checkpoint = run.load_checkpoint(device)?;
        let progress: Progress = checkpoint.state()?;
        qa.training.length = length.unwrap_or(progress.length);

        let mut trainer = Self::with_sides(questions, valid, sides, qa, device)?;
        trainer.descent.restore(run, &checkpoint, progress, &trainer.config.training)?;
        Ok(trainer)
    }
}
