use super::descent::Progress;
use super::examples::Sides;
use super::run_config::KIND;
use super::{Pairs, PairsMark, RunConfig, TrainConfig, Trainer};
use crate::checkpoint::{check_kind, tokenizer_path};
use crate::{Error, Length, Result, Tokenizer};
use candle_core::Device;
use gdl_train::{OnExisting, RunDir};
use std::path::{Path, PathBuf};

impl RunConfig {
    /// Reads the configuration of a run.
    ///
    /// # Errors
    /// [`Error::Train`] when there is none, [`Error::Mismatch`] when it is one of another kind.
    pub fn read(run: &RunDir) -> Result<Self> {
        check_kind(run, KIND)?;
        let config: Self = run.config()?;
        config.seq2seq.check()?;
        Ok(config)
    }

    /// The tokenizers of both sides, which are those of the weights.
    pub(crate) fn sides(&self, run: &RunDir) -> Result<Sides> {
        self.seq2seq.sides(run)
    }
}

impl TrainConfig {
    /// The tokenizers that a run with these settings keeps.
    pub(crate) fn sides(&self, run: &RunDir) -> Result<Sides> {
        let load = |path: PathBuf| Tokenizer::load(path, &self.tokenizer);
        let target = load(tokenizer_path(run.path()))?;
        let source = if self.shared { None } else { Some(load(source_path(run.path()))?) };
        self.sides_of(target, source)
    }
}

/// The source's tokenizer, where it is not the target's too.
fn source_path(run: &Path) -> PathBuf {
    run.join("source-tokenizer.json")
}

impl PairsMark {
    /// Checks that a run goes on with the validation rows that it was begun with; `own` says what it has where those are its own.
    pub(crate) fn check_valid(
        begun: Option<&Self>,
        given: Option<Self>,
        own: &str,
        run: &RunDir,
    ) -> Result<()> {
        match (begun, given) {
            (Some(begun), Some(given)) => begun.check_mark(given),
            (None, None) => Ok(()),
            (begun, _) => {
                let origin = run.path().display().to_string();
                let on = begun.map_or(own, |mark| mark.origin.as_str());
                Err(Error::Mismatch { origin, message: format!("it validates on {on}, and goes on so") })
            }
        }
    }
}

impl Trainer {
    /// Makes the run directory: configuration and tokenizers; no checkpoint yet.
    ///
    /// # Errors
    /// [`Error::Train`] when there is something already, or nothing can be written.
    pub fn create_run(&self, path: impl AsRef<Path>, on_existing: OnExisting) -> Result<RunDir> {
        let config = RunConfig {
            kind: KIND.into(),
            seq2seq: self.config.clone(),
            pairs: self.mark.clone(),
            valid: self.valid_mark.clone(),
            longest_source: self.longest_source(),
        };
        let run = RunDir::create(path, &config, on_existing)?;
        self.sides.target.tokenizer.save(tokenizer_path(run.path()))?;
        if !self.config.shared {
            self.sides.source.tokenizer.save(source_path(run.path()))?;
        }
        Ok(run)
    }

    /// Saves everything needed to go on exactly: weights, optimizer, dropout's generator and place in the pairs. The checkpoint before is
    /// replaced as a whole.
    ///
    /// # Errors
    /// [`Error::Train`] when something cannot be written; then the checkpoint before is still there.
    pub fn save(&self, run: &RunDir) -> Result<()> {
        self.descent.save(run, &self.config)
    }

    /// Goes on from a run's checkpoint, with the pairs it began with; `length` replaces how long it was to train.
    ///
    /// On the CPU, N steps, a save, a load and M steps give bit for bit what N + M steps give.
    ///
    /// # Errors
    /// [`Error::Train`] when a file is missing or broken, or a tensor does not fit, [`Error::Mismatch`] when the pairs
    /// are others, or a tokenizer does not fit the weights.
    pub fn resume(
        run: &RunDir,
        pairs: &Pairs,
        valid: Option<&Pairs>,
        length: Option<Length>,
        device: &Device,
    ) -> Result<Self> {
        let config = RunConfig::read(run)?;
        config.pairs.check(pairs)?;
        PairsMark::check_valid(config.valid.as_ref(), valid.map(Pairs::mark), "some of its pairs", run)?;
        let sides = config.sides(run)?;
        let checkpoint = run.load_checkpoint(device)?;
        let progress: Progress = checkpoint.state()?;
        let train = TrainConfig { length: length.unwrap_or(progress.length), ..config.seq2seq };

        let mut trainer = Self::with_sides(pairs, valid, sides, train, device)?;
        trainer.descent.restore(run, &checkpoint, progress, &trainer.config)?;
        Ok(trainer)
    }
}
