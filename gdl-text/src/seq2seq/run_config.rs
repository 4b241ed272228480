use super::codec::Codec;
use super::examples::Sides;
use super::trainer::fitted;
use super::{Pairs, PairsMark, TrainConfig};
use crate::{Error, Result, Tokenizer, run_config};
use serde::{Deserialize, Serialize};

pub(crate) const KIND: &str = "sequence-to-sequence";

/// `config.json` of a run: all it takes to build the model again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Always "sequence-to-sequence".
    pub kind: String,
    /// The settings it was started with, the model's vocabularies among them.
    pub seq2seq: TrainConfig,
    /// The pairs it learns from.
    pub pairs: PairsMark,
    /// The pairs that it validates on, where those are others. Default: none.
    #[serde(default)]
    pub valid: Option<PairsMark>,
    /// Tokens of the longest source that it learns from.
    pub longest_source: usize,
}

impl RunConfig {
    /// Takes what a run's `config.json` holds.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when it is none, or one of another kind.
    pub fn from_json(json: &str) -> Result<Self> {
        let config: Self = run_config::from_json(json, KIND)?;
        config.seq2seq.check()?;
        Ok(config)
    }
}

impl TrainConfig {
    /// Both sides of a run with these settings from their tokenizers; without one for the source, that has the target's.
    pub(crate) fn sides_of(&self, target: Tokenizer, source: Option<Tokenizer>) -> Result<Sides> {
        let origin = || "the tokenizers".to_string();
        if self.shared == source.is_some() {
            let message = match self.shared {
                true => "source and target have one vocabulary, and two were given",
                false => "source and target have a vocabulary each, and one was given",
            };
            return Err(Error::Mismatch { origin: origin(), message: message.into() });
        }
        let target = Codec { tokenizer: target };
        let source = source.map_or_else(|| target.clone(), |tokenizer| Codec { tokenizer });
        let (model, sides) = (&self.model, Sides { source, target });
        if fitted(model, &sides) != *model {
            let message = format!(
                "the weights are for {} source and {} target tokens, they have {} and {}",
                model.source_vocab,
                model.target_vocab,
                sides.source.size(),
                sides.target.size()
            );
            return Err(Error::Mismatch { origin: origin(), message });
        }
        Ok(sides)
    }
}

impl PairsMark {
    /// Checks that pairs are those with this mark.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when they are others.
    pub fn check(&self, pairs: &Pairs) -> Result<()> {
        self.check_mark(pairs.mark())
    }

    /// Checks that rows with that mark are these.
    pub(crate) fn check_mark(&self, mark: PairsMark) -> Result<()> {
        if (mark.rows, &mark.fnv1a) != (self.rows, &self.fnv1a) {
            let message = format!(
                "the run was begun with {} ({} rows, FNV-1a {}), and these are {} rows, FNV-1a {}",
                self.origin, self.rows, self.fnv1a, mark.rows, mark.fnv1a
            );
            return Err(Error::Mismatch { origin: mark.origin, message });
        }
        Ok(())
    }
}
