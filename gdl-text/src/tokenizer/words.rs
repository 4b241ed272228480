use super::{Stemming, TokenizerConfig, UNKNOWN, WordSplit, pieces};
use crate::{Error, Result};
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, Replace, Sequence};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    SplitDelimiterBehavior,
};

/// What a word-level token is: the unknown token where a text spells it, a line end, a number with its points, a word
/// with its apostrophes, a run of dots or dashes, or any other visible character by itself.
const WORDS: &str =
    r"<unk>|\n|\p{N}+(?:[.,]\p{N}+)+|[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}_]+)*|\.{2,}|-{2,}|\S";

/// A line end, or what stands between white space.
const PARTED: &str = r"\n|\S+";

/// A straight quotation mark looks the same on both sides of what it encloses. The opening ones, which follow a space, a
/// bracket, a dash or nothing, become tokens of their own (of the private use area, shown as the mark), so that a model
/// can learn which is which and decoding knows on which side the space goes.
pub(crate) const OPENING: [(char, char); 2] = [('"', '\u{e000}'), ('\'', '\u{e001}')];

/// Keeps the words and drops what lies between.
pub(super) fn splitter(words: WordSplit) -> tokenizers::Result<Split> {
    let pattern = match words {
        WordSplit::Punctuation => WORDS,
        WordSplit::Space => PARTED,
    };
    Split::new(SplitPattern::Regex(pattern.into()), SplitDelimiterBehavior::Removed, true)
}

/// What is done to a text before it is split.
pub(super) fn normalizer(config: &TokenizerConfig) -> tokenizers::Result<Option<Sequence>> {
    let mut steps = Vec::new();
    if config.level == super::Level::Word && config.words == WordSplit::Punctuation {
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
pub(super) fn words(text: &str, config: &TokenizerConfig, mut each: impl FnMut(&str)) -> Result<()> {
    let refused = |e: tokenizers::Error| Error::tokenizer("the tokenizer", e);
    let splitter = splitter(config.words).map_err(refused)?;
    let normalizer = normalizer(config).map_err(refused)?;
    let stemmer = config.stemming.map(Stemming::stemmer);
    parted(text, normalizer.as_ref(), &splitter, |word| match &stemmer {
        Some(stemmer) if word != UNKNOWN => each(&stemmer.stem(word)),
        _ => each(word),
    })
}

/// What a text comes to under a normalizer and a splitter that are there already: each is a regular expression, which takes longer to make than
/// a line takes to split.
pub(super) fn parted(
    text: &str,
    normalizer: Option<&impl Normalizer>,
    splitter: &impl PreTokenizer,
    mut each: impl FnMut(&str),
) -> Result<()> {
    let refused = |e: tokenizers::Error| Error::tokenizer("the tokenizer", e);
    for piece in pieces(text) {
        let mut normalized = NormalizedString::from(piece);
        if let Some(normalizer) = normalizer {
            normalizer.normalize(&mut normalized).map_err(refused)?;
        }
        let mut split = PreTokenizedString::from(normalized);
        splitter.pre_tokenize(&mut split).map_err(refused)?;
        for (word, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            each(word);
        }
    }
    Ok(())
}
