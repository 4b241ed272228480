mod config;
mod spacing;
mod stream;
mod vocabulary;

pub use config::{Level, Stemming, TokenizerConfig};
pub use stream::StreamDecoder;

use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::bpe::BpeBuilder;
use tokenizers::models::wordlevel::WordLevelBuilder;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, Replace, Sequence};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    ModelWrapper, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, SplitDelimiterBehavior,
};

/// What stands for every token that the vocabulary does not have; always id 0.
const UNKNOWN: &str = "<unk>";

/// What a word-level token is: the unknown token where a text spells it, a line end, a number with its points, a word
/// with its apostrophes, a run of dots or dashes, or any other visible character by itself.
const WORDS: &str =
    r"<unk>|\n|\p{N}+(?:[.,]\p{N}+)+|[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}_]+)*|\.{2,}|-{2,}|\S";

/// A straight quotation mark looks the same on both sides of what it encloses. The opening ones, which follow a space, a
/// bracket, a dash or nothing, become tokens of their own (of the private use area, shown as the mark), so that a model
/// can learn which is which and decoding knows on which side the space goes.
const OPENING: [(char, char); 2] = [('"', '\u{e000}'), ('\'', '\u{e001}')];

/// Longer lines are encoded in pieces: the `tokenizers` crate keeps some 50 bytes for each of a line.
const PIECE: usize = 1 << 16;

/// Text to token ids and back; a [`tokenizers::Tokenizer`] and the choices behind it.
///
/// Characters are tokens of a BPE model without merges, words those of a word-level model, so that `tokenizer.json` is
/// read by every program that uses `tokenizers`. Stemming is the exception: it happens only here.
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
/// assert_eq!(words.encode("rook")?, [words.unknown()]);
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    config: TokenizerConfig,
    vocab_size: usize,
}

impl Tokenizer {
    /// Takes the vocabulary from a text.
    ///
    /// Characters are numbered by code point, words from the most frequent down; 0 is the unknown token.
    ///
    /// # Errors
    /// [`Error::Setting`] for choices that exclude each other, [`Error::Vocabulary`] when the text has fewer than two
    /// different tokens.
    pub fn train(text: &str, config: &TokenizerConfig) -> Result<Self> {
        config.check()?;
        let mut counts = BTreeMap::new();
        count(text, config, &mut counts)?;
        counts.remove(UNKNOWN);
        let mut tokens: Vec<(String, usize)> =
            counts.into_iter().filter(|(_, count)| *count >= config.min_count).collect();
        if tokens.len() < 2 {
            let hint = if config.min_count > 1 { "; lower the minimum count, or give more text" } else { "" };
            return Err(Error::Vocabulary { origin: "the text".into(), have: tokens.len(), hint });
        }
        if config.level == Level::Word {
            tokens.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        }
        let tokens = tokens.into_iter().map(|(token, _)| token);
        let vocab = [UNKNOWN.to_string()].into_iter().chain(tokens).zip(0u32..).collect();
        let inner = build(vocab, config).map_err(|e| Error::tokenizer("the tokenizer", e))?;
        Self::new(inner, config, "the tokenizer")
    }

    /// Reads a saved `tokenizer.json`, to be used with the choices it was trained with.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the file cannot be read or is none, [`Error::Mismatch`] when it is one of the other
    /// level or its ids have holes.
    pub fn load(path: impl AsRef<Path>, config: &TokenizerConfig) -> Result<Self> {
        let path = path.as_ref();
        let origin = path.display().to_string();
        config.check()?;
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| Error::tokenizer(&origin, e))?;
        Self::new(inner, config, &origin)
    }

    fn new(inner: tokenizers::Tokenizer, config: &TokenizerConfig, origin: &str) -> Result<Self> {
        let mismatch = |message: String| Error::Mismatch { origin: origin.to_string(), message };
        let level = match inner.get_model() {
            ModelWrapper::BPE(_) => Level::Char,
            ModelWrapper::WordLevel(_) => Level::Word,
            _ => return Err(mismatch("it is neither a character nor a word tokenizer".into())),
        };
        if level != config.level {
            return Err(mismatch(format!("expected level {}, found level {level}", config.level)));
        }
        let vocab_size = inner.get_vocab_size(true);
        if inner.token_to_id(UNKNOWN) != Some(0) {
            return Err(mismatch(format!("expected the unknown token {UNKNOWN:?} as id 0")));
        }
        if let Some(hole) = (0..vocab_size as u32).find(|&id| inner.id_to_token(id).is_none()) {
            return Err(mismatch(format!("expected the ids 0..{vocab_size}, but {hole} has no token")));
        }
        Ok(Self { inner, config: config.clone(), vocab_size })
    }

    /// Writes `tokenizer.json`: whole or not at all.
    ///
    /// # Errors
    /// [`Error::Train`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let json = self.to_json()?;
        let path = path.as_ref();
        let write = |file: &mut std::fs::File| {
            file.write_all(json.as_bytes()).map_err(|source| gdl_train::Error::Io {
                action: "write",
                path: path.into(),
                source,
            })
        };
        Ok(gdl_train::atomic_write(path, write)?)
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

    /// The id of the unknown token.
    pub fn unknown(&self) -> u32 {
        0
    }

    /// The id of a token, if the vocabulary has it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of an id, if there is one.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Text to ids; what the vocabulary does not have becomes [`unknown`](Self::unknown).
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the `tokenizers` crate refuses.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let refused = |e: tokenizers::Error| Error::tokenizer("the tokenizer", e);
        let mut ids = Vec::new();
        if self.config.stemming.is_some() {
            words(text, &self.config, |word| ids.push(self.id(word).unwrap_or(self.unknown())))?;
            return Ok(ids);
        }
        let pieces: Vec<&str> = pieces(text).collect();
        // In groups: an encoding takes some hundred bytes per token for as long as it lives.
        for group in pieces.chunks(1024) {
            for encoding in self.inner.encode_batch_fast(group.to_vec(), false).map_err(refused)? {
                ids.extend_from_slice(encoding.get_ids());
            }
        }
        Ok(ids)
    }

    /// Ids to text. Characters come back as they were; words get their spaces by the rules of English typography.
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
        if self.config.level != Level::Char {
            return Vec::new();
        }
        let lower = |c: char| if self.config.lowercase { c.to_lowercase().collect() } else { vec![c] };
        let mut unseen = Vec::new();
        for c in text.chars().flat_map(lower) {
            if self.id(c.encode_utf8(&mut [0; 4])).is_none() && !unseen.contains(&c) {
                unseen.push(c);
            }
        }
        unseen
    }
}

/// The parts that are encoded one by one: lines with their ends, and long lines cut at a space where there is one.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|mut line| {
        std::iter::from_fn(move || {
            if line.is_empty() {
                return None;
            }
            let mut end = line.len().min(PIECE);
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            if end < line.len() {
                end = line[..end].rfind(' ').map_or(end, |space| space + 1);
            }
            let (piece, rest) = line.split_at(end);
            line = rest;
            Some(piece)
        })
    })
}

fn build(vocab: HashMap<String, u32>, config: &TokenizerConfig) -> tokenizers::Result<tokenizers::Tokenizer> {
    let vocab = vocab.into_iter().collect();
    let mut tokenizer = match config.level {
        Level::Char => {
            let model = BpeBuilder::new()
                .vocab_and_merges::<tokenizers::models::bpe::Vocab>(vocab, vec![])
                .unk_token(UNKNOWN.into())
                // Its cache holds whole lines, which do not come again.
                .cache_capacity(0)
                .build()?;
            tokenizers::Tokenizer::new(model)
        }
        Level::Word => {
            let model = WordLevelBuilder::new().vocab(vocab).unk_token(UNKNOWN.into()).build()?;
            let mut tokenizer = tokenizers::Tokenizer::new(model);
            tokenizer.with_pre_tokenizer(Some(word_splitter()?));
            tokenizer
        }
    };
    tokenizer.with_normalizer(normalizer(config)?)?;
    if config.level == Level::Char {
        tokenizer.with_decoder(Some(Fuse::new()));
    }
    Ok(tokenizer)
}

/// Keeps what [`WORDS`] finds and drops what lies between.
fn word_splitter() -> tokenizers::Result<Split> {
    Split::new(SplitPattern::Regex(WORDS.into()), SplitDelimiterBehavior::Removed, true)
}

/// What is done to a text before it is split.
fn normalizer(config: &TokenizerConfig) -> tokenizers::Result<Option<Sequence>> {
    let mut steps = Vec::new();
    if config.level == Level::Word {
        for (mark, token) in OPENING {
            let pattern = format!(r"(?<![^\s(\[{{—–-]){mark}");
            steps.push(Replace::new(ReplacePattern::Regex(pattern), token)?.into());
        }
    }
    if config.lowercase {
        steps.push(Lowercase.into());
    }
    Ok((!steps.is_empty()).then(|| Sequence::new(steps)))
}

/// The word-level tokens of a text, stemmed if so configured.
fn words(text: &str, config: &TokenizerConfig, mut each: impl FnMut(&str)) -> Result<()> {
    let refused = |e: tokenizers::Error| Error::tokenizer("the tokenizer", e);
    let splitter = word_splitter().map_err(refused)?;
    let normalizer = normalizer(config).map_err(refused)?;
    let stemmer = config.stemming.map(Stemming::stemmer);
    for piece in pieces(text) {
        let mut normalized = NormalizedString::from(piece);
        if let Some(normalizer) = &normalizer {
            normalizer.normalize(&mut normalized).map_err(refused)?;
        }
        let mut split = PreTokenizedString::from(normalized);
        splitter.pre_tokenize(&mut split).map_err(refused)?;
        for (word, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            match &stemmer {
                Some(stemmer) if word != UNKNOWN => each(&stemmer.stem(word)),
                _ => each(word),
            }
        }
    }
    Ok(())
}

/// Counts the tokens of a text.
fn count(text: &str, config: &TokenizerConfig, counts: &mut BTreeMap<String, usize>) -> Result<()> {
    match config.level {
        Level::Char => {
            let mut by_char = BTreeMap::<char, usize>::new();
            let lower = |c: char| c.to_lowercase();
            for c in text.chars() {
                match config.lowercase {
                    false => *by_char.entry(c).or_default() += 1,
                    true => lower(c).for_each(|c| *by_char.entry(c).or_default() += 1),
                }
            }
            counts.extend(by_char.into_iter().map(|(c, n)| (c.to_string(), n)));
            Ok(())
        }
        Level::Word => words(text, config, |word| *counts.entry(word.to_string()).or_default() += 1),
    }
}
