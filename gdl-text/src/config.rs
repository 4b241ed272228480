use crate::{Error, Result, Split, TokenizerConfig};
use gdl_train::Schedule;
use gdl_train::report::ReportOptions;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The recurrent cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Long short-term memory.
    #[default]
    Lstm,
    /// Gated recurrent unit, in PyTorch's form.
    Gru,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        })
    }
}

impl FromStr for Cell {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "lstm" => Ok(Self::Lstm),
            "gru" => Ok(Self::Gru),
            _ => Err(Error::setting("cell", format!("must be \"lstm\" or \"gru\", got {s:?}"))),
        }
    }
}

/// What a [`LanguageModel`](crate::LanguageModel) is made of, but for its vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The recurrent cell. Default LSTM.
    pub cell: Cell,
    /// Features of a token's vector. Default: as many as `hidden`.
    pub embedding: usize,
    /// Features of a layer's state. Default 128.
    pub hidden: usize,
    /// Recurrent layers on top of each other. Default 2.
    pub layers: usize,
    /// Probability of dropping a feature on its way into, between and out of the recurrent layers, in training.
    /// Default 0.
    pub dropout: f64,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self::new(Cell::Lstm, 128, 2)
    }
}

impl ModelConfig {
    /// So many layers of so many features, with token vectors of the same size, without dropout.
    pub fn new(cell: Cell, hidden: usize, layers: usize) -> Self {
        Self { cell, embedding: hidden, hidden, layers, dropout: 0.0 }
    }

    /// Sets the features of a token's vector.
    pub fn embedding(mut self, embedding: usize) -> Self {
        self.embedding = embedding;
        self
    }

    /// Sets the dropout.
    pub fn dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (key, value) in [("embedding", self.embedding), ("hidden", self.hidden), ("layers", self.layers)]
        {
            at_least_one(key, value)?;
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::setting("dropout", format!("must lie in [0, 1), got {}", self.dropout)));
        }
        Ok(())
    }
}

/// How long to train, counted from the first step ever, over every resumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Passes over the training part.
    Epochs(usize),
    /// Steps.
    Steps(usize),
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
    /// First learning rate of Adam. Default 0.002.
    pub learning_rate: f64,
    /// How the learning rate changes, by step. Default: not at all.
    pub schedule: Schedule,
    /// Largest norm of the gradient; beyond it, it is scaled down. Default 5.
    pub clip: f64,
    /// How much of the corpus is kept back. Default 5% for validation and 5% for the test.
    pub split: Split,
    /// Steps between two validations, and between two checkpoints; 0 means only at the end. Default 500.
    pub eval_every: usize,
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
            clip: 5.0,
            split: Split::default(),
            eval_every: 500,
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
        Ok(self.schedule.validate()?)
    }
}

fn at_least_one(key: &'static str, value: usize) -> Result<()> {
    if value == 0 {
        return Err(Error::setting(key, "must be at least 1, got 0"));
    }
    Ok(())
}
