use crate::eval::evaluate;
use crate::generate::generate;
use crate::{
    Corpus, EvalReport, GenerateConfig, LanguageModel, NeuralCache, Result, RunConfig, Tokenizer, cache,
};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use gdl_train::{ParamStore, RunDir};
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
/// let config = GenerateConfig { prompt: "The fox".into(), temperature: 0.6, ..Default::default() };
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
        let tensors = store.tensors().into_iter().collect();
        let vb = VarBuilder::from_tensors(tensors, DType::F32, device);
        let model = LanguageModel::new(&config.train.model, config.vocab_size, vb)?;
        Ok(Self { config, tokenizer, model, device: device.clone() })
    }

    /// How the run was configured.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The network.
    pub fn model(&self) -> &LanguageModel {
        &self.model
    }

    /// Writes on from the prompt. `write` gets each piece of text as it comes, whole characters always, and may stop it;
    /// the same seed writes the same.
    ///
    /// Returns what was written, without the prompt. The unknown token is never written; words of the prompt that the
    /// vocabulary does not have are read as unknown.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range, and
    /// [`Error::Unseen`](crate::Error::Unseen) when a character of the prompt is not in a character vocabulary.
    pub fn generate(
        &self,
        config: &GenerateConfig,
        write: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<String> {
        generate(&self.model, &self.tokenizer, config, &self.device, write)
    }

    /// Scores a text, read from its start to its end with the state carried on.
    ///
    /// A long text is read as up to 16 streams side by side, each of 1,000 tokens or more; the first token of each, and
    /// fewer than 16 at the end, are not predicted.
    ///
    /// # Errors
    /// [`Error::NothingToScore`](crate::Error::NothingToScore) when the text has fewer than 2 tokens.
    pub fn eval(&self, corpus: &Corpus) -> Result<EvalReport> {
        let ids = self.tokenizer.encode(corpus.text())?;
        evaluate(&self.model, &ids, corpus.text().chars().count(), corpus.origin(), &self.device)
    }

    /// Scores a text as one stream, with a [`NeuralCache`] beside the model.
    ///
    /// # Errors
    /// As [`eval`](Self::eval), and [`Error::Setting`](crate::Error::Setting) for a setting of the cache outside its range.
    pub fn eval_with_cache(&self, corpus: &Corpus, cache: &NeuralCache) -> Result<EvalReport> {
        let ids = self.tokenizer.encode(corpus.text())?;
        let text = (ids.as_slice(), corpus.text().chars().count());
        cache::evaluate(&self.model, text, cache, corpus.origin(), &self.device)
    }
}
