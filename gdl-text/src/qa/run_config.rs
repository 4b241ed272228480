use super::TrainConfig;
use crate::seq2seq::PairsMark;
use crate::{Result, run_config};
use serde::{Deserialize, Serialize};

pub(crate) const KIND: &str = "question-answer";

/// `config.json` of a run: all it takes to build the model again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Always "question-answer".
    pub kind: String,
    /// The settings it was started with, the model's vocabulary among them.
    pub qa: TrainConfig,
    /// The questions it learns from.
    pub questions: PairsMark,
    /// The questions that it validates on, where those are others. Default: none.
    #[serde(default)]
    pub valid: Option<PairsMark>,
    /// Words of the longest passage that it learns from.
    pub longest_passage: usize,
}

impl RunConfig {
    /// Takes what a run's `config.json` holds.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) when it is none, or one of another kind.
    pub fn from_json(json: &str) -> Result<Self> {
        let config: Self = run_config::from_json(json, KIND)?;
        config.qa.check()?;
        Ok(config)
    }
}
