#[cfg(feature = "files")]
mod files;

use crate::eval::evaluate;
use crate::{
    Corpus, EvalReport, GenerateConfig, LanguageModel, NeuralCache, Prompt, Result, RunConfig, Tokenizer,
    Writer, cache,
};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use gdl_train::{ParamStore, Tensors, tensors_from_bytes};
use std::ops::ControlFlow;

/// What stands for a file of weights in errors, where there is none.
pub(crate) const WEIGHTS: &str = "the weights";

/// A network of these tensors, which must be all that it takes, and no more; and the tensors as they are in it, on the device.
/// Plain tensors: operations on variables would keep a graph.
pub(crate) fn plain<T>(
    origin: &str,
    tensors: &Tensors,
    device: &Device,
    network: impl Fn(VarBuilder<'_>) -> candle_core::Result<T>,
) -> Result<(T, Tensors)> {
    let store = ParamStore::new(DType::F32, device, 0);
    network(store.vb())?;
    store.load_tensors(origin, tensors)?;
    let weights = store.tensors();
    let vb = VarBuilder::from_tensors(weights.clone().into_iter().collect(), DType::F32, device);
    Ok((network(vb)?, weights))
}

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
    /// Makes a model of what the files of a run hold: `config.json`, `tokenizer.json` and `weights.safetensors` (or
    /// `best.safetensors`).
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) and [`Error::Tokenizer`](crate::Error::Tokenizer) when one of them is none, or they are
    /// not of one model; [`Error::Train`](crate::Error::Train) when a tensor is missing, left over or wrongly shaped.
    ///
    /// # Example
    /// ```no_run
    /// use candle_core::Device;
    /// use gdl_text::TextModel;
    ///
    /// # fn fetched(name: &str) -> Vec<u8> { name.into() }
    /// let [config, tokenizer] = ["config.json", "tokenizer.json"].map(|name| String::from_utf8(fetched(name)));
    /// let model = TextModel::from_bytes(&config?, &tokenizer?, &fetched("weights.safetensors"), &Device::Cpu)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_bytes(config: &str, tokenizer: &str, weights: &[u8], device: &Device) -> Result<Self> {
        let config = RunConfig::from_json(config)?;
        let tokenizer = Tokenizer::from_json(tokenizer, &config.train.tokenizer)?;
        config.check_tokenizer(&tokenizer, "the tokenizer")?;
        let (tensors, _) = tensors_from_bytes(WEIGHTS, weights, device)?;
        Self::new(config, tokenizer, WEIGHTS, &tensors, device)
    }

    /// Of that vocabulary and these weights; `origin` names them in errors.
    fn new(
        config: RunConfig,
        tokenizer: Tokenizer,
        origin: &str,
        tensors: &Tensors,
        device: &Device,
    ) -> Result<Self> {
        let (layers, vocab_size) = (&config.train.model, config.vocab_size);
        let network = |vb: VarBuilder<'_>| LanguageModel::new(layers, vocab_size, vb);
        let (model, weights) = plain(origin, tensors, device, network)?;
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

    /// What stands before a document of its corpus; what it goes on from where there is no prompt.
    fn start(&self) -> &str {
        &self.config.reading.before
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_config::KIND;
    use crate::{Cell, CorpusMark, Error, Length, ModelConfig, TrainConfig, Trainer};
    use gdl_train::tensors_to_bytes;

    /// A model as it was trained, and what the files of its run would hold.
    fn trained(text: &str) -> (Trainer, [String; 2], Vec<u8>) {
        let corpus = Corpus::from_text("a scale", text.repeat(30)).unwrap();
        let model = ModelConfig::new(Cell::Gru, 8, 1);
        let train =
            TrainConfig { model, batch: 2, seq: 10, length: Length::Steps(3), ..TrainConfig::default() };
        let mut trainer = Trainer::new(&corpus, train, &Device::Cpu).unwrap();
        for _ in 0..3 {
            trainer.step().unwrap();
        }
        let config = RunConfig {
            kind: KIND.into(),
            train: trainer.config().clone(),
            vocab_size: trainer.tokenizer().vocab_size(),
            corpus: CorpusMark::new(&corpus),
            reading: corpus.config().clone(),
            valid: None,
        };
        let texts = [serde_json::to_string(&config).unwrap(), trainer.tokenizer().to_json().unwrap()];
        let weights = tensors_to_bytes("memory", &trainer.store().tensors(), &Default::default()).unwrap();
        (trainer, texts, weights)
    }

    #[test]
    fn what_the_files_of_a_run_hold_makes_the_model_that_was_trained() {
        let (trainer, [config, tokenizer], weights) = trained("do re mi fa so la ti ");
        let model = TextModel::from_bytes(&config, &tokenizer, &weights, &Device::Cpu).unwrap();
        let settings = GenerateConfig { prompt: "do ".into(), length: 30, ..GenerateConfig::default() };
        let go_on = |_: &str| ControlFlow::Continue(());
        let written = model.generate(&settings, go_on).unwrap();
        assert_eq!(written, trainer.generate(&settings, go_on).unwrap());
        assert_eq!(written.chars().count(), 30);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let (_, [config, tokenizer], weights) = trained("do re mi fa so la ti ");
        let (_, [_, other], _) = trained("ut re mi fa so la si xyz ");
        let of = |config: &str, tokenizer: &str, weights: &[u8]| {
            TextModel::from_bytes(config, tokenizer, weights, &Device::Cpu).unwrap_err()
        };
        let kind = config.replace("\"language-model\"", "\"cyclegan\"");
        let error = of(&kind, &tokenizer, &weights).to_string();
        assert!(error.contains("expected the kind \"language-model\", found \"cyclegan\""), "{error}");
        assert!(matches!(of("{", &tokenizer, &weights), Error::Mismatch { .. }));
        let error = of(&config, &other, &weights).to_string();
        assert!(error.contains("the weights are for"), "{error}");
        assert!(matches!(of(&config, "{}", &weights), Error::Tokenizer { .. }));
        let error = of(&config, &tokenizer, &weights[..weights.len() / 2]).to_string();
        assert!(error.starts_with("the weights is not a readable safetensors file"), "{error}");
    }
}
