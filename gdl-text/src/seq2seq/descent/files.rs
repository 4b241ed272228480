//! What a training on rows keeps in a run's directory.

use super::Descent;
use crate::checkpoint::optimizer_name;
use crate::run::Checks;
use crate::seq2seq::TrainConfig;
use crate::trainer::Judged;
use crate::{Length, Result};
use gdl_train::report::{Outline, RunLog, Sample};
use gdl_train::{Checkpoint, RngState, RunDir};
use serde::{Deserialize, Serialize};

/// Samples are files with this extension.
const EXTENSION: &str = "txt";

/// What a checkpoint holds besides tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) length: Length,
    dropout: RngState,
    judged: Judged,
}

impl Descent {
    pub(crate) fn checks(&self, config: &TrainConfig) -> Checks {
        let TrainConfig { eval_every, eval_each_epoch, .. } = *config;
        Checks { eval_every, eval_each_epoch, sample_every: self.sample_every }
    }

    pub(crate) fn open_log(&self, run: &RunDir, outline: Outline, config: &TrainConfig) -> Result<RunLog> {
        let mut log = RunLog::open(run, outline, config.report, &self.device, self.step as u64)?;
        log.recall_samples(EXTENSION, |path| Some(Sample::Text(std::fs::read_to_string(path).ok()?)))?;
        log.start(self.total as u64);
        Ok(log)
    }

    pub(crate) fn save_best(&self, run: &RunDir) -> Result<()> {
        self.judged.save_best(run, &self.store.tensors())
    }

    /// Saves all that it takes to go on exactly; the checkpoint before is replaced as a whole.
    pub(crate) fn save(&self, run: &RunDir, config: &TrainConfig) -> Result<()> {
        let progress =
            Progress { length: config.length, dropout: self.rng.state(), judged: self.judged.clone() };
        let checkpoint = Checkpoint::new(self.step as u64, self.store.tensors())
            .with_optimizer(optimizer_name(config.optimizer), &*self.optimizer)?
            .with_state(&progress)?;
        Ok(run.save_checkpoint(&checkpoint)?)
    }

    /// Goes on from a run's checkpoint.
    pub(crate) fn restore(
        &mut self,
        run: &RunDir,
        checkpoint: &Checkpoint,
        progress: Progress,
        config: &TrainConfig,
    ) -> Result<()> {
        self.store.load_tensors(&run.weights_path().display().to_string(), &checkpoint.weights)?;
        checkpoint.restore_optimizer(optimizer_name(config.optimizer), &mut *self.optimizer)?;
        self.rng.set_state(&progress.dropout)?;
        self.step = checkpoint.step as usize;
        self.judged = progress.judged;
        Ok(())
    }
}
