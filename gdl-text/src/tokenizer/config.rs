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
    /// A run of bytes, often a part of a word with the space before it, merged from pairs that are frequent in the training text
    /// (byte-level BPE). Every text can be encoded, and decoding gives it back exactly.
    ///
    /// # Source
    /// Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words with Subword Units*, 2016; Radford et al. 2019 for
    /// bytes.
    Bpe,
    /// A run of bytes too, from a unigram language model of the training text. How the `tokenizers` crate learns it is not exactly
    /// repeatable: two trainings may differ in a few rare tokens. A run keeps those that it has.
    ///
    /// # Source
    /// Kudo, *Subword Regularization*, 2018.
    Unigram,
    /// What a `tokenizer.json` from elsewhere says.
    Custom,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Char, Self::Word, Self::Bpe, Self::Unigram, Self::Custom];

    /// Whether tokens are learnt from the training text as runs of bytes.
    pub(crate) fn is_learnt(self) -> bool {
        matches!(self, Self::Bpe | Self::Unigram)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Char => "char",
            Self::Word => "word",
            Self::Bpe => "bpe",
            Self::Unigram => "unigram",
            Self::Custom => "custom",
        })
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|level| level.to_string() == s).ok_or_else(|| {
            let message = format!("must be char, word, bpe, unigram or custom, got {s:?}");
            Error::setting("level", message)
        })
    }
}

/// What a word is, at word level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WordSplit {
    /// Punctuation marks are tokens of their own, and the spaces around them come back by the rules of English typography.
    #[default]
    Punctuation,
    /// Whatever stands between white space, for texts whose tokens are parted by spaces already, as the Penn Treebank's are.
    Space,
}

impl fmt::Display for WordSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Punctuation => "punctuation",
            Self::Space => "space",
        })
    }
}

impl FromStr for WordSplit {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "punctuation" => Ok(Self::Punctuation),
            "space" => Ok(Self::Space),
            _ => Err(Error::setting("words", format!("must be punctuation or space, got {s:?}"))),
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
    /// Tokens that the training text has less often become the unknown token; pairs that it has less often are not merged (BPE).
    /// Default: 1 for characters, 2 for words and BPE.
    pub min_count: usize,
    /// Whether words are cut down to their stems; needs words in lower case. Default none.
    #[serde(default)]
    pub stemming: Option<Stemming>,
    /// What a word is. Default: punctuation marks are tokens of their own.
    #[serde(default)]
    pub words: WordSplit,
    /// The largest vocabulary: the most frequent characters or words, the unknown token among them; what BPE and unigram go for.
    /// Default: no limit for characters and words, 4096 for BPE and unigram.
    #[serde(default)]
    pub max_vocab: Option<usize>,
    /// Whether characters that the vocabulary does not have are spelled in bytes, instead of becoming the unknown token; there are
    /// 256 tokens more for that. Default false.
    #[serde(default)]
    pub byte_fallback: bool,
}

impl TokenizerConfig {
    /// The defaults of a level.
    pub fn new(level: Level) -> Self {
        Self {
            level,
            lowercase: level == Level::Word,
            min_count: if matches!(level, Level::Word | Level::Bpe) { 2 } else { 1 },
            stemming: None,
            words: WordSplit::Punctuation,
            max_vocab: level.is_learnt().then_some(4096),
            byte_fallback: false,
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

    /// Sets what a word is.
    pub fn words(mut self, words: WordSplit) -> Self {
        self.words = words;
        self
    }

    /// Sets the largest vocabulary.
    pub fn max_vocab(mut self, max_vocab: Option<usize>) -> Self {
        self.max_vocab = max_vocab;
        self
    }

    /// Sets whether unseen characters are spelled in bytes.
    pub fn byte_fallback(mut self, byte_fallback: bool) -> Self {
        self.byte_fallback = byte_fallback;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let level = self.level;
        if self.min_count == 0 {
            return Err(Error::setting("min count", "must be at least 1 (which keeps every token), got 0"));
        }
        if self.min_count > 1 && matches!(level, Level::Unigram | Level::Custom) {
            return Err(Error::setting("min count", format!("plays no part at level {level}")));
        }
        if self.stemming.is_some() && (level != Level::Word || !self.lowercase) {
            return Err(Error::setting("stemming", "works on words in lower case only"));
        }
        if self.words != WordSplit::Punctuation && level != Level::Word {
            return Err(Error::setting("words", format!("plays no part at level {level}")));
        }
        if self.byte_fallback && level != Level::Char {
            let message = format!("is for characters; level {level} does without, or has its own");
            return Err(Error::setting("byte fallback", message));
        }
        if level == Level::Custom && (self.lowercase || self.max_vocab.is_some()) {
            let key = if self.lowercase { "lowercase" } else { "max vocab" };
            return Err(Error::setting(key, "is what the tokenizer's file says"));
        }
        let fewest = if level.is_learnt() { 257 } else { 3 };
        match self.max_vocab {
            Some(n) if n < fewest => Err(Error::setting(
                "max vocab",
                format!("must be at least {fewest} at level {level}, got {n}"),
            )),
            None if level.is_learnt() => {
                Err(Error::setting("max vocab", format!("level {level} takes a number")))
            }
            _ => Ok(()),
        }
    }
}
