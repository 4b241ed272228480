use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// One character; decoding gives back exactly what was encoded.
    Char,
    /// One word, punctuation mark or line end.
    Word,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Char => "char",
            Self::Word => "word",
        })
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "char" => Ok(Self::Char),
            "word" => Ok(Self::Word),
            _ => Err(Error::setting("level", format!("must be \"char\" or \"word\", got {s:?}"))),
        }
    }
}

/// The language of a stemmer: the Snowball algorithms of the `rust-stemmers` crate.
///
/// # Source
/// Porter, *Snowball: a language for stemming algorithms*, 2001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Stemming {
    Arabic,
    Danish,
    Dutch,
    English,
    Finnish,
    French,
    German,
    Greek,
    Hungarian,
    Italian,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Spanish,
    Swedish,
    Tamil,
    Turkish,
}

impl Stemming {
    /// All languages.
    pub const ALL: [Self; 18] = [
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::English,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
    ];

    pub(crate) fn stemmer(self) -> rust_stemmers::Stemmer {
        use rust_stemmers::Algorithm;
        rust_stemmers::Stemmer::create(match self {
            Self::Arabic => Algorithm::Arabic,
            Self::Danish => Algorithm::Danish,
            Self::Dutch => Algorithm::Dutch,
            Self::English => Algorithm::English,
            Self::Finnish => Algorithm::Finnish,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Greek => Algorithm::Greek,
            Self::Hungarian => Algorithm::Hungarian,
            Self::Italian => Algorithm::Italian,
            Self::Norwegian => Algorithm::Norwegian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Romanian => Algorithm::Romanian,
            Self::Russian => Algorithm::Russian,
            Self::Spanish => Algorithm::Spanish,
            Self::Swedish => Algorithm::Swedish,
            Self::Tamil => Algorithm::Tamil,
            Self::Turkish => Algorithm::Turkish,
        })
    }
}

impl fmt::Display for Stemming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

impl FromStr for Stemming {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|language| language.to_string() == s).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(ToString::to_string).collect();
            Error::setting("stemming", format!("must be one of {}, got {s:?}", all.join(", ")))
        })
    }
}

/// How text becomes tokens. Saved with the model: a model is of no use with other choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// What a token is.
    pub level: Level,
    /// Whether everything becomes lower case first. Default: false for characters, true for words.
    pub lowercase: bool,
    /// Tokens that the training text has less often become the unknown token. Default: 1 for characters, 2 for words.
    pub min_count: usize,
    /// Whether words are cut down to their stems; needs words in lower case. Default none.
    #[serde(default)]
    pub stemming: Option<Stemming>,
}

impl TokenizerConfig {
    /// The defaults of a level.
    pub fn new(level: Level) -> Self {
        match level {
            Level::Char => Self { level, lowercase: false, min_count: 1, stemming: None },
            Level::Word => Self { level, lowercase: true, min_count: 2, stemming: None },
        }
    }

    /// Sets whether everything becomes lower case.
    pub fn lowercase(mut self, lowercase: bool) -> Self {
        self.lowercase = lowercase;
        self
    }

    /// Sets how often a token must occur.
    pub fn min_count(mut self, min_count: usize) -> Self {
        self.min_count = min_count;
        self
    }

    /// Sets the language to stem words in, if any.
    pub fn stemming(mut self, stemming: Option<Stemming>) -> Self {
        self.stemming = stemming;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.min_count == 0 {
            return Err(Error::setting("min count", "must be at least 1 (which keeps every token), got 0"));
        }
        if self.stemming.is_some() && (self.level != Level::Word || !self.lowercase) {
            return Err(Error::setting("stemming", "works on words in lower case only"));
        }
        Ok(())
    }
}
