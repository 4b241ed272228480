use super::TextModel;
use crate::checkpoint::best_or_last;
use crate::{Prompt, Result, RunConfig};
use candle_core::Device;
use gdl_train::RunDir;
use std::path::Path;

impl TextModel {
    /// Reads configuration, tokenizer and weights of a run.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when a file is missing or broken or a tensor is missing, left over or
    /// wrongly shaped; [`Error::Mismatch`](crate::Error::Mismatch) when the tokenizer is not that of the weights.
    pub fn load(run: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::of_run(run.as_ref(), true, device)
    }

    /// As [`load`](Self::load), with the weights that had the least validation loss of the training, where it had validations;
    /// else with the last.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_best(run: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::of_run(run.as_ref(), false, device)
    }

    fn of_run(run: &Path, last: bool, device: &Device) -> Result<Self> {
        let run = RunDir::open(run)?;
        let config = RunConfig::read(&run)?;
        let tokenizer = config.tokenizer(&run)?;
        let (origin, tensors) = best_or_last(&run, last, device)?;
        Self::new(config, tokenizer, &origin, &tensors, device)
    }

    /// Saves a prompt's state: a `.safetensors` file, written whole or not at all.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when it cannot be written.
    pub fn save_prompt(&self, prompt: &Prompt, path: impl AsRef<Path>) -> Result<()> {
        prompt.save(path.as_ref(), &self.mark()?)
    }

    /// Loads a prompt's state.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when the file is missing or broken,
    /// [`Error::PromptState`](crate::Error::PromptState) when it is of another model.
    pub fn load_prompt(&self, path: impl AsRef<Path>) -> Result<Prompt> {
        let model = &self.config.train.model;
        Prompt::load(path.as_ref(), &self.mark()?, model, self.config.vocab_size, &self.device)
    }

    /// What this model is known by: its weights and its vocabulary.
    fn mark(&self) -> Result<String> {
        Prompt::mark(self.config.train.model.cell, &self.weights, &self.tokenizer)
    }
}
