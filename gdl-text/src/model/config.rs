use super::Window;
use crate::config::at_least_one;
use crate::{Error, Result};
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
///
/// All probabilities lie in [0, 1) and matter in training alone.
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
    /// Probability of dropping a feature between the recurrent layers, and, where nothing else is said, on its way into
    /// and out of them. Default 0.
    pub dropout: f64,
    /// Probability of dropping a feature of a token's vector on its way into the layers. Default: `dropout`.
    #[serde(default)]
    pub input_dropout: Option<f64>,
    /// Probability of dropping a feature of what the last layer gives. Default: `dropout`.
    #[serde(default)]
    pub output_dropout: Option<f64>,
    /// Whether these three drop the same features of a row at every token of a step (variational or locked dropout, Gal
    /// and Ghahramani 2015). Default false.
    #[serde(default)]
    pub locked_dropout: bool,
    /// Probability of dropping a token's whole vector, wherever it occurs in a step. Default 0.
    #[serde(default)]
    pub embedding_dropout: f64,
    /// Probability of dropping a weight from state to state (weight drop, Merity et al. 2017). Default 0.
    #[serde(default)]
    pub weight_drop: f64,
    /// Whether tokens are scored by the vectors they are read with (Press and Wolf 2016). The last layer then has as many
    /// features as these. Default false.
    #[serde(default)]
    pub tied: bool,
    /// Vectors and scores start uniformly within so much of 0, instead of as PyTorch's layers do (see
    /// [`LanguageModel`](crate::LanguageModel)). Default: the latter.
    #[serde(default)]
    pub init_range: Option<f64>,
    /// Whether the last tokens are read anew before each, as textgenrnn does; for models that were trained elsewhere. Default:
    /// every token is read once.
    #[serde(default)]
    pub window: Option<Window>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self::new(Cell::Lstm, 128, 2)
    }
}

impl ModelConfig {
    /// So many layers of so many features, with token vectors of the same size, without dropout.
    pub fn new(cell: Cell, hidden: usize, layers: usize) -> Self {
        Self {
            cell,
            embedding: hidden,
            hidden,
            layers,
            dropout: 0.0,
            input_dropout: None,
            output_dropout: None,
            locked_dropout: false,
            embedding_dropout: 0.0,
            weight_drop: 0.0,
            tied: false,
            init_range: None,
            window: None,
        }
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

    /// Sets whether tokens are scored by the vectors they are read with.
    pub fn tied(mut self, tied: bool) -> Self {
        self.tied = tied;
        self
    }

    /// Features that tokens are scored by: of what the last layer gives; with a window, of the vectors and all layers.
    pub fn outputs(&self) -> usize {
        match (self.window, self.tied) {
            (Some(_), _) => self.embedding + self.layers * self.hidden,
            (None, true) => self.embedding,
            (None, false) => self.hidden,
        }
    }

    /// Features of each layer's state: all alike, but for the last with tied vectors of another size.
    pub fn widths(&self) -> Vec<usize> {
        let mut widths = vec![self.hidden; self.layers];
        if let (Some(last), None) = (widths.last_mut(), self.window) {
            *last = self.outputs();
        }
        widths
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (key, value) in [("embedding", self.embedding), ("hidden", self.hidden), ("layers", self.layers)]
        {
            at_least_one(key, value)?;
        }
        for (key, p) in [
            ("dropout", self.dropout),
            ("input dropout", self.input_dropout.unwrap_or(0.0)),
            ("output dropout", self.output_dropout.unwrap_or(0.0)),
            ("embedding dropout", self.embedding_dropout),
            ("weight drop", self.weight_drop),
        ] {
            if !(0.0..1.0).contains(&p) {
                return Err(Error::setting(key, format!("must lie in [0, 1), got {p}")));
            }
        }
        if self.init_range.is_some_and(|range| !(range > 0.0 && range.is_finite())) {
            return Err(Error::setting("init range", "must be above 0"));
        }
        if let Some(window) = self.window {
            at_least_one("window", window.length)?;
            if self.tied || self.cell != Cell::Lstm {
                return Err(Error::setting("window", "goes with LSTM layers and scores of their own"));
            }
        }
        if self.tied && self.layers == 1 && self.embedding != self.hidden {
            let message = format!(
                "a single layer must have the {} features of a token's vector, not {}",
                self.embedding, self.hidden
            );
            return Err(Error::setting("tied", message));
        }
        Ok(())
    }
}
