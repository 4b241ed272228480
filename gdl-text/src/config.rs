use crate::{Error, ModelConfig, Result, Split, TokenizerConfig};
use gdl_train::Schedule;
use gdl_train::report::ReportOptions;
use serde::{Deserialize, Serialize};

/// How long to train, counted from the first step ever, over every resumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Passes over the training part.
    Epochs(usize),
    /// Steps.
    Steps(usize),
}

/// What changes the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// [`Adam`](gdl_train::Adam).
    #[default]
    Adam,
    /// [`RmsProp`](gdl_train::RmsProp).
    RmsProp,
    /// Plain gradient descent: [`Sgd`](gdl_train::Sgd).
    Sgd,
    /// Plain gradient descent, and from when the validation loss stops falling the mean of the weights from there on, which
    /// is what is scored, written with and kept as the best (NT-ASGD, Merity et al. 2017): once a validation gives no less than
    /// the least of all but the last `non_monotone`.
    NtAsgd,
}

/// How the text is laid out for the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `batch` contiguous streams, read `seq` tokens at a time; the state after one step is the state before the next, and
    /// every token is predicted.
    #[default]
    Streams,
    /// As in the book: each run of `seq` tokens that the text has, at every position, shuffled anew for each pass, read from
    /// nothing; only the token behind it is predicted. A pass takes `seq` times the steps that it takes with streams.
    Windows,
}

/// How the learning rate falls over the whole training, however long that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anneal {
    /// Not at all.
    #[default]
    Constant,
    /// In a line to 0.
    Linear,
    /// Along half a cosine to 0.
    Cosine,
}

impl Anneal {
    /// The factor on the learning rate at a step, counted from 0.
    pub(crate) fn factor(self, step: usize, steps: usize) -> f64 {
        let way = (step as f64 / steps.max(1) as f64).min(1.0);
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - way,
            Self::Cosine => 0.5 + 0.5 * (std::f64::consts::PI * way).cos(),
        }
    }
}

/// A learning rate that falls by passes over the text: it is multiplied with `gamma` after `after` of them, and again after every
/// `every` more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochDecay {
    /// Passes at the full rate.
    pub after: usize,
    /// Passes between two changes, at least 1.
    pub every: usize,
    /// Factor at each, above 0.
    pub gamma: f64,
}

impl EpochDecay {
    pub(crate) fn check(self) -> Result<()> {
        at_least_one("decay every", self.every)?;
        if !(self.gamma > 0.0 && self.gamma.is_finite()) {
            return Err(Error::setting("decay gamma", format!("must be above 0, got {}", self.gamma)));
        }
        Ok(())
    }

    /// The factor in a pass, counted from 1.
    pub(crate) fn factor(self, epoch: usize) -> f64 {
        let falls = epoch.saturating_sub(self.after).div_ceil(self.every.max(1));
        self.gamma.powi(falls.min(i32::MAX as usize) as i32)
    }
}

/// How to train a language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How text becomes tokens. Default: characters.
    pub tokenizer: TokenizerConfig,
    /// The model. Default: two LSTM layers of 128.
    pub model: ModelConfig,
    /// Streams read side by side. Default 50.
    pub batch: usize,
    /// Tokens of each stream in one step, and how far gradients go back. Default 50.
    pub seq: usize,
    /// How long. Default 10 epochs.
    pub length: Length,
    /// First learning rate. Default 0.002.
    pub learning_rate: f64,
    /// How the learning rate changes, by step. Default: not at all.
    pub schedule: Schedule,
    /// How it falls over the whole training. Default: not at all.
    #[serde(default)]
    pub anneal: Anneal,
    /// How it falls by passes over the text. Default: not at all.
    #[serde(default)]
    pub decay: Option<EpochDecay>,
    /// What changes the weights. Default: Adam.
    #[serde(default)]
    pub optimizer: OptimizerKind,
    /// Weight decay, through the gradient. Default 0.
    #[serde(default)]
    pub weight_decay: f64,
    /// The last validations that [`OptimizerKind::NtAsgd`] does not compare with. Default 5.
    #[serde(default = "five")]
    pub non_monotone: usize,
    /// Weight of the mean square of what the last layer gives, dropout included (activation regularisation, Merity et
    /// al. 2017). Default 0.
    #[serde(default)]
    pub activation_reg: f64,
    /// Weight of the mean square of its change from token to token, without dropout (temporal activation regularisation).
    /// Default 0.
    #[serde(default)]
    pub temporal_reg: f64,
    /// How the text is laid out. Default: streams.
    #[serde(default)]
    pub layout: Layout,
    /// Whether steps have random lengths around `seq`, one in twenty around half of it, with the learning rate in
    /// proportion (Merity et al. 2017), so that the same tokens do not always stand at the borders. Default false.
    #[serde(default)]
    pub random_seq: bool,
    /// Largest norm of the gradient; beyond it, it is scaled down. Default 5.
    pub clip: f64,
    /// How much of the corpus is kept back. Default 5% for validation and 5% for the test.
    pub split: Split,
    /// Steps between two validations, and between two checkpoints; 0 means only at the end. Default 500.
    pub eval_every: usize,
    /// Whether each pass over the text is followed by a validation and a checkpoint too. Default false.
    #[serde(default)]
    pub eval_each_epoch: bool,
    /// Stop after so many validations in a row that were no better than the best before them. Default: never.
    #[serde(default)]
    pub patience: Option<usize>,
    /// What every random number comes from. Default 42.
    pub seed: u64,
    /// Whether a run gets its page and event files. Default: both.
    #[serde(default)]
    pub report: ReportOptions,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            tokenizer: TokenizerConfig::new(crate::Level::Char),
            model: ModelConfig::default(),
            batch: 50,
            seq: 50,
            length: Length::Epochs(10),
            learning_rate: 2e-3,
            schedule: Schedule::Constant,
            anneal: Anneal::Constant,
            decay: None,
            optimizer: OptimizerKind::Adam,
            weight_decay: 0.0,
            non_monotone: five(),
            activation_reg: 0.0,
            temporal_reg: 0.0,
            layout: Layout::Streams,
            random_seq: false,
            clip: 5.0,
            split: Split::default(),
            eval_every: 500,
            eval_each_epoch: false,
            patience: None,
            seed: 42,
            report: ReportOptions::default(),
        }
    }
}

impl TrainConfig {
    pub(crate) fn check(&self) -> Result<()> {
        self.model.check()?;
        at_least_one("batch", self.batch)?;
        at_least_one("seq", self.seq)?;
        match self.length {
            Length::Epochs(n) => at_least_one("epochs", n)?,
            Length::Steps(n) => at_least_one("steps", n)?,
        }
        for (key, value) in [("learning rate", self.learning_rate), ("clip", self.clip)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::setting(key, format!("must be above 0, got {value}")));
            }
        }
        for (key, value) in [
            ("weight decay", self.weight_decay),
            ("activation reg", self.activation_reg),
            ("temporal reg", self.temporal_reg),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::setting(key, format!("must be 0 or above, got {value}")));
            }
        }
        if let Some(decay) = self.decay {
            decay.check()?;
        }
        if self.patience == Some(0) {
            return Err(Error::setting("patience", "must be at least 1, got 0"));
        }
        if self.layout == Layout::Windows && (self.random_seq || self.temporal_reg > 0.0) {
            let key = if self.random_seq { "random seq" } else { "temporal reg" };
            return Err(Error::setting(key, "goes with contiguous streams, not with windows"));
        }
        Ok(self.schedule.validate()?)
    }

    /// The learning rate of a step, counted from 0, in a pass, counted from 1, of a training of so many steps.
    pub(crate) fn rate(&self, step: usize, epoch: usize, steps: usize) -> f64 {
        let decay = self.decay.map_or(1.0, |decay| decay.factor(epoch));
        self.learning_rate * self.schedule.factor(step as u64) * self.anneal.factor(step, steps) * decay
    }
}

fn five() -> usize {
    5
}

pub(crate) fn at_least_one(key: &'static str, value: usize) -> Result<()> {
    if value == 0 {
        return Err(Error::setting(key, "must be at least 1, got 0"));
    }
    Ok(())
}
