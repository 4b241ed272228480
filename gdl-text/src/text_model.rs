use crate::eval::evaluate;
use crate::{
    Corpus, EvalReport, GenerateConfig, LanguageModel, NeuralCache, Prompt, Result, RunConfig, Tokenizer,
    Writer, cache,
};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use gdl_train::{ParamStore, RunDir, Tensors};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A trained language model with its tokenizer, read from a run directory: what writes and what scores.
///
/// # Example
/// ```no_run
/// use candle_core::Device;
/// use gdl_text::{GenerateConfig, TextModel};
/// use std::ops::ControlFlow::Continue;
///
/// let model = TextModel::load("runs/fables", &Device::Cpu)?;
/// let config = GenerateConfig { prompt: "The fox".into(), ..Default::default() }.temperature(0.6);
/// print!("{}", config.prompt);
/// model.generate(&config, |piece| {
///     print!("{piece}");
///     Continue(())
/// })?;
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TextModel {
    config: RunConfig,
    tokenizer: Tokenizer,
    model: LanguageModel,
    weights: Tensors,
    device: Device,
}

impl TextModel {
    /// Reads configuration, tokenizer and weights of a run.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when a file is missing or broken or a tensor is missing, left over or
    /// wrongly shaped; [`Error::Mismatch`](crate::Error::Mismatch) when the tokenizer is not that of the weights.
    pub fn load(run: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::with_weights(&RunDir::open(run)?, RunDir::weights_path, device)
    }

    /// As [`load`](Self::load), with the weights that had the least validation loss of the training, where it had validations;
    /// else with the last.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_best(run: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let run = RunDir::open(run)?;
        let path = if run.best_path().is_file() { RunDir::best_path } else { RunDir::weights_path };
        Self::with_weights(&run, path, device)
    }

    fn with_weights(run: &RunDir, path: impl Fn(&RunDir) -> PathBuf, device: &Device) -> Result<Self> {
        let config = RunConfig::read(run)?;
        let tokenizer = config.tokenizer(run)?;
        let store = ParamStore::new(DType::F32, device, 0);
        LanguageModel::new(&config.train.model, config.vocab_size, store.vb())?;
        store.load(path(run))?;
        // Once more from plain tensors: operations on variables would keep a graph.
        let weights = store.tensors();
        let vb = VarBuilder::from_tensors(weights.clone().into_iter().collect(), DType::F32, device);
        let model = LanguageModel::new(&config.train.model, config.vocab_size, vb)?;
        Ok(Self { config, tokenizer, model, weights, device: device.clone() })
    }

    /// How the run was configured.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Its weights, by name.
    pub(crate) fn weights(&self) -> &Tensors {
        &self.weights
    }

    /// Where it computes.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The network.
    pub fn model(&self) -> &LanguageModel {
        &self.model
    }

    /// Writes on from the prompt. `write` gets each piece of text as it comes, whole characters always, and may stop it;
    /// the same seed writes the same. Short for [`writer`](Self::writer) and [`Writer::generate`].
    ///
    /// Returns what was written, without the prompt.
    ///
    /// # Errors
    /// Those of [`writer`](Self::writer) and [`Writer::generate`].
    pub fn generate(
        &self,
        config: &GenerateConfig,
        write: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<String> {
        self.writer(config)?.generate(write)
    }

    /// Reads the prompt and makes ready what writes on from it: one text or thousands, drawn, searched for or chosen.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range,
    /// [`Error::Unseen`](crate::Error::Unseen) when a character of the prompt is not in a character vocabulary, and
    /// [`Error::Pattern`](crate::Error::Pattern) for a pattern that cannot be used.
    pub fn writer(&self, config: &GenerateConfig) -> Result<Writer<'_>> {
        Writer::read(&self.model, &self.tokenizer, self.start(), config, &self.device)
    }

    /// As [`writer`](Self::writer), on from a prompt that was read before, whatever the settings name.
    ///
    /// # Errors
    /// As [`writer`](Self::writer).
    pub fn writer_after(&self, prompt: Prompt, config: &GenerateConfig) -> Result<Writer<'_>> {
        Writer::new(&self.model, &self.tokenizer, prompt, config, &self.device)
    }

    /// Reads a prompt; with the state after its beginning, only what is new of it.
    ///
    /// # Errors
    /// [`Error::Unseen`](crate::Error::Unseen) as [`writer`](Self::writer),
    /// [`Error::OtherPrompt`](crate::Error::OtherPrompt) when `begun` is not how it begins.
    pub fn read(&self, text: &str, begun: Option<&Prompt>) -> Result<Prompt> {
        Prompt::read(&self.model, &self.tokenizer, (text, self.start()), begun, &self.device)
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

    /// What stands before a document of its corpus; what it goes on from where there is no prompt.
    fn start(&self) -> &str {
        &self.config.reading.before
    }

    /// What this model is known by: its weights and its vocabulary.
    fn mark(&self) -> Result<String> {
        Prompt::mark(self.config.train.model.cell, &self.weights, &self.tokenizer)
    }

    /// Scores a text, read from its start to its end with the state carried on.
    ///
    /// A long text is read as up to 16 streams side by side, each of 1,000 tokens or more; the first token of each, and
    /// fewer than 16 at the end, are not predicted.
    ///
    /// # Errors
    /// [`Error::NothingToScore`](crate::Error::NothingToScore) when the text has fewer than 2 tokens.
    pub fn eval(&self, corpus: &Corpus) -> Result<EvalReport> {
        let text = corpus.encode(&self.tokenizer)?;
        evaluate(&self.model, &text, corpus.origin(), &self.device)
    }

    /// Scores a text as one stream, with a [`NeuralCache`] beside the model.
    ///
    /// # Errors
    /// As [`eval`](Self::eval), and [`Error::Setting`](crate::Error::Setting) for a setting of the cache outside its range.
    pub fn eval_with_cache(&self, corpus: &Corpus, cache: &NeuralCache) -> Result<EvalReport> {
        let text = corpus.encode(&self.tokenizer)?;
        cache::evaluate(&self.model, &text, cache, corpus.origin(), &self.device)
    }
}
