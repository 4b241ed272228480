use crate::{Corpus, CorpusConfig, CorpusMark, Error, Result, Tokenizer, TrainConfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) const KIND: &str = "language-model";

/// `config.json` of a run: all it takes to build the model again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Always "language-model".
    pub kind: String,
    /// The settings it was started with.
    pub train: TrainConfig,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// The text it learns from.
    pub corpus: CorpusMark,
    /// How that is read. Default: as whole files.
    #[serde(default)]
    pub reading: CorpusConfig,
    /// The text that it validates on, where that is one of its own ([`Trainer::validate_with`](crate::Trainer::validate_with)). Default: none.
    #[serde(default)]
    pub valid: Option<CorpusMark>,
}

impl RunConfig {
    /// Takes what a run's `config.json` holds.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when it is none, or one of another kind.
    pub fn from_json(json: &str) -> Result<Self> {
        let config: Self = from_json(json, KIND)?;
        config.train.check()?;
        Ok(config)
    }

    /// Checks that a text is the one that the run learns from, where that is known.
    pub(crate) fn check_corpus(&self, corpus: &Corpus) -> Result<()> {
        if self.corpus.is_unknown() {
            return Ok(());
        }
        self.corpus.check(corpus, "trained")
    }

    /// Checks that a text is the one that the run validates on.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when it is not.
    pub fn check_valid(&self, corpus: &Corpus) -> Result<()> {
        self.valid.as_ref().map_or(Ok(()), |mark| mark.check(corpus, "validated"))
    }

    /// Checks that a tokenizer is that of the weights.
    pub(crate) fn check_tokenizer(&self, tokenizer: &Tokenizer, origin: &str) -> Result<()> {
        let (have, want) = (tokenizer.vocab_size(), self.vocab_size);
        if have != want {
            let message = format!("the weights are for {want} tokens, it has {have}");
            return Err(Error::Mismatch { origin: origin.into(), message });
        }
        Ok(())
    }
}

impl CorpusMark {
    /// Checks that a text is the one with this mark, on which a run was trained or validated.
    fn check(&self, corpus: &Corpus, done: &str) -> Result<()> {
        let mark = Self::new(corpus);
        if (mark.bytes, &mark.fnv1a) != (self.bytes, &self.fnv1a) {
            let message = format!(
                "the run was {done} on {} ({} bytes, FNV-1a {}), and this text has {} bytes, FNV-1a {}",
                self.origin, self.bytes, self.fnv1a, mark.bytes, mark.fnv1a
            );
            return Err(Error::Mismatch { origin: mark.origin, message });
        }
        Ok(())
    }

    /// Whether the model was imported, and the text that it has learnt from is not known.
    pub fn is_unknown(&self) -> bool {
        self.fnv1a.is_empty()
    }
}

/// Reads a run's configuration of that kind. The kind comes first: of another one's, the missing fields say nothing.
pub(crate) fn from_json<T: DeserializeOwned>(json: &str, kind: &str) -> Result<T> {
    const ORIGIN: &str = "the configuration";
    let wrong = |e: serde_json::Error| Error::Mismatch { origin: ORIGIN.into(), message: e.to_string() };
    let any = serde_json::from_str(json).map_err(wrong)?;
    check_kind_of(&any, kind, || ORIGIN.into())?;
    serde_json::from_value(any).map_err(wrong)
}

/// Checks that a configuration is of that kind.
pub(crate) fn check_kind_of(config: &Value, wanted: &str, origin: impl Fn() -> String) -> Result<()> {
    let kind = config.get("kind").and_then(Value::as_str).unwrap_or("none");
    if kind != wanted {
        let message = format!("expected the kind {wanted:?}, found {kind:?}");
        return Err(Error::Mismatch { origin: origin(), message });
    }
    Ok(())
}
