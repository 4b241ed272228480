use crate::config::at_least_one;
use crate::{Anneal, EpochDecay, Error, Length, Level, OptimizerKind, Result, TokenizerConfig};
use gdl_seq2seq::{LossConfig, Seq2SeqConfig};
use gdl_train::Schedule;
use gdl_train::report::ReportOptions;
use serde::{Deserialize, Serialize};

/// How often the decoder reads the right token in training, instead of one that it would have written itself, as training goes on.
///
/// # Source
/// Bengio et al. 2015, <https://arxiv.org/abs/1506.03099>, section 2.4; what is read instead is drawn as
/// [`scheduled_sampling`](gdl_seq2seq::Seq2Seq::scheduled_sampling) says.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeacherForcing {
    /// Always.
    #[default]
    Always,
    /// From always at the start in a line to this probability at the end.
    Linear(f64),
    /// k^i at step i; k below 1.
    Exponential(f64),
    /// k / (k + exp(i / k)) at step i; k of 1 or more.
    InverseSigmoid(f64),
}

impl TeacherForcing {
    /// The probability of the right token at a step, counted from 0, of so many.
    pub fn probability(self, step: usize, steps: usize) -> f64 {
        let i = step as f64;
        match self {
            Self::Always => 1.0,
            Self::Linear(end) => 1.0 - (1.0 - end) * (i / steps.max(1) as f64).min(1.0),
            Self::Exponential(k) => k.powf(i),
            Self::InverseSigmoid(k) => k / (k + (i / k).exp()),
        }
    }

    fn check(self) -> Result<()> {
        let (value, fits, must) = match self {
            Self::Always => return Ok(()),
            Self::Linear(end) => (end, (0.0..=1.0).contains(&end), "linear: must lie in [0, 1]"),
            Self::Exponential(k) => (k, k > 0.0 && k < 1.0, "exponential: must lie between 0 and 1"),
            Self::InverseSigmoid(k) => {
                (k, k >= 1.0 && k.is_finite(), "inverse sigmoid: must be a number of 1 or more")
            }
        };
        match fits {
            true => Ok(()),
            false => Err(Error::setting("teacher forcing", format!("{must}, got {value}"))),
        }
    }
}

/// How to train a [`Model`](super::Model).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How texts become tokens, on both sides. Default: words with their case, each that occurs twice.
    pub tokenizer: TokenizerConfig,
    /// Whether source and target have one vocabulary. Default false.
    pub shared: bool,
    /// The model; its vocabularies and special tokens are set by the trainer. Default: two LSTM layers of 256, vectors of 128, general
    /// attention, a bidirectional encoder, dropout of 0.2.
    pub model: Seq2SeqConfig,
    /// All weights start uniformly within so much of 0, as OpenNMT's do; without, as PyTorch's layers do. Default 0.1.
    pub init_range: Option<f64>,
    /// Pairs in one step. Default 64.
    pub batch: usize,
    /// How long. Default 10 epochs.
    pub length: Length,
    /// First learning rate. Default 0.001.
    pub learning_rate: f64,
    /// How it changes, by step. Default: not at all.
    pub schedule: Schedule,
    /// How it falls over the whole training. Default: in a line to 0.
    pub anneal: Anneal,
    /// How it falls by passes over the pairs. Default: not at all.
    pub decay: Option<EpochDecay>,
    /// What changes the weights. Default: Adam.
    pub optimizer: OptimizerKind,
    /// Weight decay, through the gradient. Default 0.
    pub weight_decay: f64,
    /// Largest norm of the gradient; beyond it, it is scaled down. Default 5.
    pub clip: f64,
    /// What is minimised. Default: the likelihood alone.
    pub loss: LossConfig,
    /// What the decoder reads in training. Default: always the right token.
    pub teacher_forcing: TeacherForcing,
    /// Pairs at the end that are kept back for validation, where there are no others for that. Default: a twentieth, at most 1,000.
    pub valid_rows: Option<usize>,
    /// Pairs with more source tokens are left out of training. Default: none.
    pub max_source: Option<usize>,
    /// Pairs with more target tokens are left out of training. Default: none.
    pub max_target: Option<usize>,
    /// Steps between two validations, and between two checkpoints; 0 means only at the end. Default 500.
    pub eval_every: usize,
    /// Whether each pass over the pairs is followed by a validation and a checkpoint too. Default false.
    pub eval_each_epoch: bool,
    /// Stop after so many validations in a row that were no better than the best before them. Default: never.
    pub patience: Option<usize>,
    /// What every random number comes from. Default 42.
    pub seed: u64,
    /// Whether a run gets its page and event files. Default: both.
    pub report: ReportOptions,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self::new(Level::Word)
    }
}

impl TrainConfig {
    /// The defaults, with tokens of that level; characters and runs of bytes are shared between source and target.
    pub fn new(level: Level) -> Self {
        Self {
            tokenizer: TokenizerConfig::new(level).lowercase(false),
            shared: level != Level::Word,
            model: Seq2SeqConfig { layers: 2, dropout: 0.2, ..Seq2SeqConfig::new(0, 0) },
            init_range: Some(0.1),
            batch: 64,
            length: Length::Epochs(10),
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            anneal: Anneal::Linear,
            decay: None,
            optimizer: OptimizerKind::Adam,
            weight_decay: 0.0,
            clip: 5.0,
            loss: LossConfig::default(),
            teacher_forcing: TeacherForcing::Always,
            valid_rows: None,
            max_source: None,
            max_target: None,
            eval_every: 500,
            eval_each_epoch: false,
            patience: None,
            seed: 42,
            report: ReportOptions::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        at_least_one("batch", self.batch)?;
        match self.length {
            Length::Epochs(n) => at_least_one("epochs", n)?,
            Length::Steps(n) => at_least_one("steps", n)?,
        }
        let range = |key, value: f64, fits: bool, must: &str| match fits && value.is_finite() {
            true => Ok(()),
            false => Err(Error::setting(key, format!("must be {must}, got {value}"))),
        };
        for (key, value) in [
            ("learning rate", self.learning_rate),
            ("clip", self.clip),
            ("init range", self.init_range.unwrap_or(1.0)),
        ] {
            range(key, value, value > 0.0, "above 0")?;
        }
        for (key, value) in [("weight decay", self.weight_decay), ("coverage loss", self.loss.coverage)] {
            range(key, value, value >= 0.0, "0 or above")?;
        }
        let smoothing = self.loss.label_smoothing;
        range("label smoothing", smoothing, (0.0..1.0).contains(&smoothing), "in [0, 1)")?;
        if self.patience == Some(0) {
            return Err(Error::setting("patience", "must be at least 1, got 0"));
        }
        if self.loss.coverage > 0.0 && self.model.attention.is_none() {
            return Err(Error::setting("coverage loss", "needs attention"));
        }
        if self.optimizer == OptimizerKind::NtAsgd {
            return Err(Error::setting("optimizer", "nt-asgd is for language models"));
        }
        if self.model.copy && !self.shared && !matches!(self.tokenizer.level, Level::Char | Level::Word) {
            let message =
                format!("takes a vocabulary shared by source and target at level {}", self.tokenizer.level);
            return Err(Error::setting("copy", message));
        }
        if let Some(decay) = self.decay {
            decay.check()?;
        }
        self.teacher_forcing.check()?;
        Ok(self.schedule.validate()?)
    }

    /// The learning rate of a step, counted from 0, in a pass, counted from 1, of a training of so many steps.
    pub(crate) fn rate(&self, step: usize, epoch: usize, steps: usize) -> f64 {
        let decay = self.decay.map_or(1.0, |decay| decay.factor(epoch));
        self.learning_rate * self.schedule.factor(step as u64) * self.anneal.factor(step, steps) * decay
    }
}
