mod chars;
mod config;
#[cfg(feature = "files")]
mod files;
mod printed;
mod spacing;
mod stream;
mod train;
mod vocabulary;
mod words;

pub use config::{Level, Stemming, TokenizerConfig, WordSplit};
pub use stream::StreamDecoder;

use crate::{Error, Result};
use chars::Chars;
use printed::Printed;
use std::sync::Arc;
use tokenizers::ModelWrapper;
pub(crate) use words::OPENING;
use words::{parted, words};

/// What stands for every token that the vocabulary does not have; id 0 of characters and words.
pub(crate) const UNKNOWN: &str = "<unk>";

/// Longer lines are encoded in pieces: the `tokenizers` crate keeps some 50 bytes for each of a line.
const PIECE: usize = 1 << 16;

/// Text to token ids and back; a [`tokenizers::Tokenizer`] and the choices behind it.
///
/// Characters are tokens of a BPE model without merges, words those of a word-level model, runs of bytes those of a byte-level BPE or
/// unigram model, so that `tokenizer.json` is read by every program that uses `tokenizers`. Stemming is the exception: it happens only
/// here.
///
/// # Example
/// ```
/// use gdl_text::{Level, Tokenizer, TokenizerConfig};
///
/// let text = "\"I know,\" said the crow. \"I know!\"";
/// let words = Tokenizer::train(text, &TokenizerConfig::new(Level::Word).min_count(1))?;
/// let ids = words.encode("\"The crow!\" said I.")?;
/// assert_eq!(ids.len(), 8);
/// assert_eq!(words.decode(&ids)?, "\"the crow!\" said i.");
/// assert_eq!(words.encode("rook")?[0], words.unknown().unwrap());
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    config: TokenizerConfig,
    vocab_size: usize,
    unknown: Option<u32>,
    /// At character level.
    chars: Option<Arc<Chars>>,
    /// At all levels but words, which print by where they stand.
    printed: Option<Arc<Printed>>,
}

impl Tokenizer {
    /// Takes what a `tokenizer.json` holds, to be used with the choices it was trained with, or one from elsewhere at level
    /// `custom`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when it is none, [`Error::Mismatch`] when it is one of the other level or its ids have holes.
    pub fn from_json(json: &str, config: &TokenizerConfig) -> Result<Self> {
        Self::from_bytes(json.as_bytes(), config, "the tokenizer")
    }

    fn from_bytes(json: &[u8], config: &TokenizerConfig, origin: &str) -> Result<Self> {
        config.check()?;
        let inner = tokenizers::Tokenizer::from_bytes(json).map_err(|e| Error::tokenizer(origin, e))?;
        Self::new(inner, config, origin)
    }

    fn new(inner: tokenizers::Tokenizer, config: &TokenizerConfig, origin: &str) -> Result<Self> {
        let mismatch = |message: String| Error::Mismatch { origin: origin.to_string(), message };
        let level = config.level;
        let fits = match inner.get_model() {
            ModelWrapper::BPE(_) => matches!(level, Level::Char | Level::Bpe | Level::Custom),
            ModelWrapper::WordLevel(_) => matches!(level, Level::Word | Level::Custom),
            ModelWrapper::Unigram(_) => matches!(level, Level::Unigram | Level::Custom),
            _ => level == Level::Custom,
        };
        if !fits {
            return Err(mismatch(format!("expected a tokenizer of level {level}, found another")));
        }
        let highest = inner.get_vocab(true).into_values().max();
        let vocab_size = highest.map_or(0, |highest| highest as usize + 1);
        if vocab_size < 2 {
            return Err(mismatch(format!("its vocabulary has {vocab_size} token(s)")));
        }
        let unknown = unknown(&inner);
        if matches!(level, Level::Char | Level::Word) && unknown != Some(0) {
            return Err(mismatch(format!("expected the unknown token {UNKNOWN:?} as id 0")));
        }
        if level != Level::Custom
            && let Some(hole) = (0..vocab_size as u32).find(|&id| inner.id_to_token(id).is_none())
        {
            return Err(mismatch(format!("expected the ids 0..{vocab_size}, but {hole} has no token")));
        }
        let chars = Some(unknown.unwrap_or_default())
            .filter(|_| level == Level::Char)
            .map(|unknown| Arc::new(Chars::new(&inner, config.lowercase, unknown)));
        let printed = match level {
            Level::Word => None,
            _ => Some(Arc::new(Printed::new(&inner, config, vocab_size, origin)?)),
        };
        Ok(Self { inner, config: config.clone(), vocab_size, unknown, chars, printed })
    }

    /// What `tokenizer.json` holds.
    ///
    /// # Errors
    /// None in practice: what was built can be written.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(|e| Error::tokenizer("the tokenizer", e))
    }

    /// The choices made.
    pub fn config(&self) -> &TokenizerConfig {
        &self.config
    }

    /// How many different tokens there are, the unknown one included.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id of the token that stands for all that the vocabulary does not have, if there is one.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// The id of a token, if the vocabulary has it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of an id, if there is one.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Text to ids; what the vocabulary does not have becomes [`unknown`](Self::unknown), or is spelled in bytes.
    ///
    /// Words are those of each line, runs of bytes those of each piece of some 64 kB, cut where lines or words begin.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the `tokenizers` crate refuses.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let refused = |e: tokenizers::Error| Error::tokenizer("the tokenizer", e);
        if let Some(chars) = &self.chars {
            return Ok(chars.encode(text));
        }
        let mut ids = Vec::new();
        if self.config.stemming.is_some() {
            let unknown = self.unknown.unwrap_or_default();
            words(text, &self.config, |word| ids.push(self.id(word).unwrap_or(unknown)))?;
            return Ok(ids);
        }
        let pieces: Vec<&str> = match self.config.level {
            Level::Word => pieces(text).collect(),
            _ => long_pieces(text).collect(),
        };
        // In groups: an encoding takes some hundred bytes per token for as long as it lives.
        for group in pieces.chunks(1024) {
            for encoding in self.inner.encode_batch_fast(group.to_vec(), false).map_err(refused)? {
                ids.extend_from_slice(encoding.get_ids());
            }
        }
        Ok(ids)
    }

    /// The tokens of a text by their names, those that the vocabulary does not have too.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the `tokenizers` crate refuses.
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<String>> {
        let mut tokens = Vec::new();
        let push = |word: &str| tokens.push(word.to_string());
        match (self.config.level, &self.chars) {
            (Level::Word, _) => match self.inner.get_pre_tokenizer() {
                Some(splitter) if self.config.stemming.is_none() => {
                    parted(text, self.inner.get_normalizer(), splitter, push)?;
                }
                _ => words(text, &self.config, push)?,
            },
            (_, Some(chars)) if !chars.has_bytes() => {
                tokens.extend(self.cased(text).map(String::from));
            }
            _ => tokens.extend(self.encode(text)?.into_iter().filter_map(|id| self.token(id))),
        }
        Ok(tokens)
    }

    /// Ids to text. Characters and runs of bytes come back as they were; words get their spaces by the rules of English typography.
    /// Bytes that are no character, which no text is encoded as, are left out.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when an id lies outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let mut stream = self.stream();
        ids.iter().map(|&id| stream.push(id)).collect()
    }

    /// A decoder that takes one id at a time.
    pub fn stream(&self) -> StreamDecoder<'_> {
        StreamDecoder::new(self)
    }

    /// A decoder in the midst of a text.
    fn stream_in(&self, context: usize) -> StreamDecoder<'_> {
        StreamDecoder::in_context(self, context)
    }

    /// The characters of a text that a character-level vocabulary does not have, each once; none for words.
    pub fn unseen_chars(&self, text: &str) -> Vec<char> {
        let Some(chars) = self.chars.as_ref().filter(|chars| !chars.has_bytes()) else { return Vec::new() };
        let mut unseen = Vec::new();
        for c in self.cased(text) {
            if chars.get(c).is_none() && !unseen.contains(&c) {
                unseen.push(c);
            }
        }
        unseen
    }

    /// The characters of a text as this tokenizer has them.
    pub(crate) fn cased(&self, text: &str) -> impl Iterator<Item = char> {
        let lower = self.config.lowercase;
        text.chars().flat_map(move |c| if lower { c.to_lowercase().collect() } else { vec![c] })
    }

    /// Whether there are tokens that are parts of characters.
    pub(crate) fn has_parts(&self) -> bool {
        self.printed.as_ref().is_some_and(|printed| !printed.whole)
    }
}

/// A token with its quotation marks as one sees them.
pub(crate) fn without_marks(token: &str) -> String {
    let mark = OPENING.iter().find(|(_, opening)| token.chars().eq([*opening]));
    mark.map_or_else(|| token.to_string(), |(mark, _)| mark.to_string())
}

/// The token that a model has for all that it does not know.
fn unknown(tokenizer: &tokenizers::Tokenizer) -> Option<u32> {
    let token = match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.get_unk_token().clone(),
        ModelWrapper::WordLevel(model) => Some(model.unk_token.clone()),
        ModelWrapper::WordPiece(model) => Some(model.unk_token.clone()),
        ModelWrapper::Unigram(model) => {
            // There is no other way to ask it.
            let model = serde_json::to_value(model).ok()?;
            return model.get("unk_id")?.as_u64()?.try_into().ok();
        }
    };
    tokenizer.token_to_id(&token?)
}

/// What a byte is called that is a token by itself.
pub(crate) fn byte_token(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// The byte that a token is by that name.
fn byte_of_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)
}

/// Pieces of at most so many bytes, cut where lines or words begin.
fn long_pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = text.floor_char_boundary(PIECE);
        if end < text.len() {
            end = crate::corpus::cut(&text[..end]);
        }
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The parts that are encoded one by one: lines with their ends, and long lines cut at a space where there is one.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(long_pieces)
}
