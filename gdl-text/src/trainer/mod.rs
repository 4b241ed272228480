mod begin;
mod progress;
mod regularisation;
mod weights;

pub(crate) use progress::Judged;
use weights::start_within;
pub(crate) use weights::{Average, optimizer};

use crate::eval::{bits_per_char, evaluate};
use crate::reading::Reading;
use crate::tokens::Encoded;
use crate::{
    Corpus, CorpusConfig, Error, EvalReport, GenerateConfig, LanguageModel, Length, Result, State, Tokenizer,
    TrainConfig, Writer,
};
use candle_core::{DType, Device, Var};
use candle_nn::VarBuilder;
use gdl_train::{Clipping, Optimizer, ParamStore, SharedRng, Tensors};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Trains a [`LanguageModel`] by truncated backpropagation through time: the state after one step is the state before
/// the next, and starts from zeros with every pass over the text.
///
/// # Example
/// ```
/// use candle_core::Device;
/// use gdl_text::{Cell, Corpus, GenerateConfig, Length, ModelConfig, TrainConfig, Trainer};
/// use std::ops::ControlFlow::Continue;
///
/// let corpus = Corpus::from_text("a scale", "do re mi fa so la ti ".repeat(100))?;
/// let config = TrainConfig {
///     model: ModelConfig::new(Cell::Gru, 24, 1),
///     batch: 4,
///     seq: 21,
///     length: Length::Steps(80),
///     learning_rate: 0.02,
///     ..Default::default()
/// };
/// let mut trainer = Trainer::new(&corpus, config, &Device::Cpu)?;
/// while trainer.steps_left() > 0 {
///     trainer.step()?;
/// }
/// assert!(trainer.validate()?.is_some_and(|valid| valid.perplexity < 1.5));
/// let config = GenerateConfig { prompt: "do re ".into(), length: 6, ..Default::default() };
/// assert_eq!(trainer.generate(&config.temperature(0.0), |_| Continue(()))?, "mi fa ");
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    pub(crate) config: TrainConfig,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) corpus: CorpusMark,
    pub(crate) store: ParamStore,
    pub(crate) optimizer: Box<dyn Optimizer>,
    pub(crate) rng: SharedRng,
    pub(crate) step: usize,
    pub(crate) state: Option<State>,
    pub(crate) device: Device,
    vars: Vec<(String, Var)>,
    model: LanguageModel,
    /// The same weights without a graph, for validation and samples.
    view: LanguageModel,
    /// The mean of the weights, once it counts instead of them.
    pub(crate) average: Option<Average>,
    pub(crate) judged: Judged,
    reading: Reading,
    train_chars: usize,
    total: usize,
    valid: Option<Encoded>,
    /// How the corpus is read.
    pub(crate) text: CorpusConfig,
    /// The text that it validates on, where that is one of its own.
    pub(crate) valid_mark: Option<CorpusMark>,
    pub(crate) samples: Option<(usize, GenerateConfig)>,
}

/// What a text is known by: enough to see that a run goes on with the text it began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusMark {
    /// Where it came from.
    pub origin: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// FNV-1a of its bytes, 64 bits, in hexadecimal.
    pub fnv1a: String,
}

impl CorpusMark {
    /// The mark of a corpus.
    pub fn new(corpus: &Corpus) -> Self {
        let fnv1a = format!("{:016x}", corpus.fnv1a());
        Self { origin: corpus.origin().into(), bytes: corpus.bytes(), fnv1a }
    }
}

/// One step of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps done, this one included.
    pub step: usize,
    /// The pass over the text that it belongs to, counted from 1.
    pub epoch: usize,
    /// Mean cross-entropy per token before the step, in nats.
    pub loss: f64,
    /// `exp(loss)`.
    pub perplexity: f64,
    /// The loss in bits per character.
    pub bits_per_char: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The learning rate used.
    pub learning_rate: f64,
    /// Tokens that it read.
    pub tokens: usize,
    /// Whether a pass over the text ended with it.
    pub ends_pass: bool,
}

impl StepReport {
    /// The figures under the names they have in a metrics log.
    pub fn values(&self) -> [(&'static str, f64); 5] {
        [
            ("loss", self.loss),
            ("perplexity", self.perplexity),
            ("bits_per_char", self.bits_per_char),
            ("grad_norm", self.grad_norm),
            ("learning_rate", self.learning_rate),
        ]
    }
}

impl Trainer {
    /// Makes the vocabulary, lays out the text and draws the weights.
    ///
    /// The vocabulary has every character of the whole text (as in char-rnn and nanoGPT), but only words and runs of bytes of the
    /// part to train on.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range, [`Error::Vocabulary`] and [`Error::TooShort`] for a text that
    /// gives too little, [`Error::Tensor`] when the device cannot allocate.
    pub fn new(corpus: &Corpus, config: TrainConfig, device: &Device) -> Result<Self> {
        config.check()?;
        let tokenizer = match config.tokenizer.level {
            crate::Level::Char => Tokenizer::train_on(corpus.blocks(), &config.tokenizer),
            _ => Tokenizer::train_on(corpus.training_blocks(&config.split)?, &config.tokenizer),
        };
        let tokenizer = tokenizer.map_err(|e| match e {
            Error::Vocabulary { have, hint, .. } => {
                Error::Vocabulary { origin: corpus.origin().into(), have, hint }
            }
            e => e,
        })?;
        Self::with_tokenizer(corpus, tokenizer, config, device)
    }

    /// As [`new`](Self::new), with a vocabulary that is there already.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Mismatch`] when the tokenizer was made with other choices than `config` names.
    pub fn with_tokenizer(
        corpus: &Corpus,
        tokenizer: Tokenizer,
        config: TrainConfig,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        if *tokenizer.config() != config.tokenizer {
            let message =
                format!("it was made with {:?}, not with {:?}", tokenizer.config(), config.tokenizer);
            return Err(Error::Mismatch { origin: "the tokenizer".into(), message });
        }
        let [train, valid] = corpus.encode_parts(&config.split, &tokenizer)?;
        let mut reading = Reading::new(train.tokens, &config, corpus.origin())?;
        let store = ParamStore::new(DType::F32, device, config.seed);
        let rng = SharedRng::from(gdl_train::Rng::stream(config.seed, "dropout"));
        let vocab_size = tokenizer.vocab_size();
        let model = LanguageModel::new(&config.model, vocab_size, store.vb())?.with_rng(rng.clone());
        if let Some(range) = config.model.init_range {
            start_within(range, &store, config.seed)?;
        }
        let vars = store.trainable();
        let frozen = VarBuilder::from_tensors(store.tensors().into_iter().collect(), DType::F32, device);
        let total = match config.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => reading.steps_in(epochs),
        };
        Ok(Self {
            corpus: CorpusMark::new(corpus),
            optimizer: optimizer(config.optimizer, config.learning_rate, config.weight_decay, &vars)?,
            view: LanguageModel::new(&config.model, vocab_size, frozen)?,
            average: None,
            judged: Judged::default(),
            total,
            train_chars: train.chars,
            valid: (valid.tokens.len() >= 2).then_some(valid),
            text: corpus.config().clone(),
            valid_mark: None,
            device: device.clone(),
            step: 0,
            state: None,
            samples: None,
            config,
            tokenizer,
            store,
            rng,
            vars,
            model,
            reading,
        })
    }

    /// Validates on a text of its own from here on, instead of on what was kept back of the corpus. A run that is resumed has to
    /// be given it again ([`RunConfig::valid`](crate::RunConfig::valid)).
    ///
    /// # Errors
    /// [`Error::NothingToScore`] when it has fewer than 2 tokens.
    pub fn validate_with(&mut self, corpus: &Corpus) -> Result<()> {
        let valid = corpus.encode(&self.tokenizer)?;
        valid.scorable(corpus.origin())?;
        (self.valid, self.valid_mark) = (Some(valid), Some(CorpusMark::new(corpus)));
        Ok(())
    }

    /// One step: loss, gradient, clipping, optimizer.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the loss is not finite; then nothing has changed. [`Error::Train`] when a gradient is
    /// not.
    pub fn step(&mut self) -> Result<StepReport> {
        let batch = self.reading.get(self.step, &self.device)?;
        let state = self.state.as_ref().filter(|_| batch.goes_on);
        let (loss, output, state) = self.model.loss_and_output(&batch.inputs, &batch.targets, state, true)?;
        let learning_rate = self.config.rate(self.step, batch.epoch, self.total) * batch.share;
        let grads = regularisation::add(&loss, &output, &self.config)?.backward()?;
        let clipping = Clipping::new([&loss], &self.vars, &grads, self.config.clip)?;
        self.optimizer.set_learning_rate(learning_rate);
        self.optimizer.step_braked(&grads, clipping.brake())?;
        if self.steps_left() > 1 {
            self.reading.prepare(self.step + 1, &self.device);
        }
        let ([value], grad_norm) = clipping.read()?;
        if !value.is_finite() {
            return Err(Error::Diverged { step: self.step + 1, loss: value });
        }
        if let Some(average) = &mut self.average {
            average.weights.add()?;
        }
        self.state = Some(state.detach());
        self.step += 1;
        Ok(StepReport {
            step: self.step,
            epoch: batch.epoch,
            loss: value,
            perplexity: value.exp(),
            bits_per_char: bits_per_char(value, self.reading.tokens().len(), self.train_chars),
            grad_norm,
            learning_rate,
            tokens: batch.inputs.elem_count(),
            ends_pass: batch.ends_pass,
        })
    }

    /// What is scored and written with: the weights, or their mean once that counts.
    fn view(&self) -> &LanguageModel {
        self.average.as_ref().map_or(&self.view, |average| &average.view)
    }

    /// The weights of [`view`](Self::view).
    pub(crate) fn scored_weights(&self) -> Tensors {
        self.average.as_ref().map_or_else(|| self.store.tensors(), |average| average.weights.tensors())
    }

    /// The loss on the validation part, read from its start to its end; none when nothing was kept back.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn validate(&self) -> Result<Option<EvalReport>> {
        let Some(valid) = &self.valid else { return Ok(None) };
        evaluate(self.view(), valid, &self.corpus.origin, &self.device).map(Some)
    }

    /// Writes with the model as it stands. Training goes on as if nothing had been written.
    ///
    /// # Errors
    /// Those of [`TextModel::generate`](crate::TextModel::generate).
    pub fn generate(
        &self,
        config: &GenerateConfig,
        write: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<String> {
        Writer::read(self.view(), &self.tokenizer, &self.text.before, config, &self.device)?.generate(write)
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The weights.
    pub fn store(&self) -> &ParamStore {
        &self.store
    }

    /// Steps done.
    pub fn steps_done(&self) -> usize {
        self.step
    }

    /// Steps still to do.
    pub fn steps_left(&self) -> usize {
        self.total.saturating_sub(self.step)
    }

    /// Steps in one pass over the training part; with random lengths, in the first.
    pub fn steps_per_epoch(&self) -> usize {
        self.reading.steps_in_pass()
    }

    /// The least validation loss so far, and after how many steps.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.judged.best
    }
}
