use super::words::{normalizer, splitter, words};
use super::{Level, Tokenizer, TokenizerConfig, UNKNOWN, byte_token, pieces};
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeBuilder, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::models::wordlevel::WordLevelBuilder;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

const NAME: &str = "the tokenizer";

fn refused(e: impl std::fmt::Display) -> Error {
    Error::tokenizer(NAME, e)
}

impl Tokenizer {
    /// Takes the vocabulary from a text.
    ///
    /// Characters are numbered by code point, words from the most frequent down; 0 is the unknown token. Runs of bytes have none.
    ///
    /// # Errors
    /// [`Error::Setting`] for choices that exclude each other, [`Error::Vocabulary`] when the text has fewer than two
    /// different tokens, [`Error::Tokenizer`] at level `custom`, which takes a file.
    pub fn train(text: &str, config: &TokenizerConfig) -> Result<Self> {
        Self::train_on([Ok(text.to_string())].into_iter(), config)
    }

    /// As [`train`](Self::train), from a text in pieces.
    pub(crate) fn train_on<I>(text: I, config: &TokenizerConfig) -> Result<Self>
    where
        I: Iterator<Item = Result<String>> + Send,
    {
        config.check()?;
        let inner = match config.level {
            Level::Char | Level::Word => listed(&vocabulary(text, config)?, config),
            Level::Bpe | Level::Unigram => learnt(text, config)?,
            Level::Custom => return Err(refused("at level custom it is read from a file, not trained")),
        };
        Self::new(inner.map_err(refused)?, config, NAME)
    }

    /// A character or word tokenizer of these tokens, in this order behind the unknown one, which is not among them.
    ///
    /// # Errors
    /// [`Error::Setting`] for choices that exclude each other, [`Error::Tokenizer`] at other levels, or when a token comes twice.
    pub fn from_tokens(tokens: &[String], config: &TokenizerConfig) -> Result<Self> {
        config.check()?;
        if !matches!(config.level, Level::Char | Level::Word) {
            return Err(refused(format!("a list of tokens says nothing at level {}", config.level)));
        }
        let mut seen = std::collections::HashSet::from([UNKNOWN]);
        if let Some(twice) = tokens.iter().find(|token| !seen.insert(token)) {
            return Err(refused(format!("the token {twice:?} comes twice")));
        }
        Self::new(listed(tokens, config).map_err(refused)?, config, NAME)
    }
}

/// The tokens of a text that count, in the order of their numbers.
fn vocabulary(text: impl Iterator<Item = Result<String>>, config: &TokenizerConfig) -> Result<Vec<String>> {
    let mut counts = count(text, config)?;
    counts.remove(UNKNOWN);
    let mut tokens: Vec<(String, u64)> =
        counts.into_iter().filter(|(_, count)| *count >= config.min_count as u64).collect();
    if tokens.len() < 2 {
        let hint = if config.min_count > 1 { "; lower the minimum count, or give more text" } else { "" };
        return Err(Error::Vocabulary { origin: "the text".into(), have: tokens.len(), hint });
    }
    // What is equally frequent stays in its order.
    let by_count = |tokens: &mut Vec<(String, u64)>| tokens.sort_by_key(|token| std::cmp::Reverse(token.1));
    if config.level == Level::Word {
        by_count(&mut tokens);
    }
    if let Some(most) = config.max_vocab.map(|most| most - 1).filter(|&most| most < tokens.len()) {
        by_count(&mut tokens);
        tokens.truncate(most);
        if config.level == Level::Char {
            tokens.sort();
        }
    }
    let bytes = config.byte_fallback.then(|| (0..=255).map(byte_token)).into_iter().flatten();
    Ok(tokens.into_iter().map(|(token, _)| token).chain(bytes).collect())
}

/// Counts the tokens of a text.
fn count(
    text: impl Iterator<Item = Result<String>>,
    config: &TokenizerConfig,
) -> Result<BTreeMap<String, u64>> {
    if config.level == Level::Word {
        let mut counts = HashMap::<String, u64>::new();
        for piece in text {
            words(&piece?, config, |word| match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(counts.insert(word.to_string(), 1)),
            })?;
        }
        return Ok(counts.into_iter().collect());
    }
    let mut counts = vec![0u64; char::MAX as usize + 1];
    for piece in text {
        for c in piece?.chars() {
            match config.lowercase {
                false => counts[c as usize] += 1,
                true => c.to_lowercase().for_each(|c| counts[c as usize] += 1),
            }
        }
    }
    let seen = counts.into_iter().zip(0u32..).filter(|(n, _)| *n > 0);
    Ok(seen.filter_map(|(n, code)| Some((char::from_u32(code)?.to_string(), n))).collect())
}

/// A tokenizer of a list of tokens, the unknown one before them.
fn listed(tokens: &[String], config: &TokenizerConfig) -> tokenizers::Result<tokenizers::Tokenizer> {
    let vocab = [UNKNOWN.to_string()].into_iter().chain(tokens.iter().cloned()).zip(0u32..);
    let mut tokenizer = if config.level == Level::Word {
        let model = WordLevelBuilder::new().vocab(vocab.collect()).unk_token(UNKNOWN.into()).build()?;
        let mut tokenizer = tokenizers::Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(splitter(config.words)?));
        tokenizer
    } else {
        let model = BpeBuilder::new()
            .vocab_and_merges::<tokenizers::models::bpe::Vocab>(vocab.collect(), vec![])
            .unk_token(UNKNOWN.into())
            .byte_fallback(config.byte_fallback)
            // Its cache holds whole lines, which do not come again.
            .cache_capacity(0)
            .build()?;
        let mut tokenizer = tokenizers::Tokenizer::new(model);
        if config.byte_fallback {
            tokenizer.with_decoder(Some(Sequence::new(vec![ByteFallback::new().into(), Fuse::new().into()])));
        } else {
            tokenizer.with_decoder(Some(Fuse::new()));
        }
        tokenizer
    };
    tokenizer.with_normalizer(normalizer(config)?)?;
    Ok(tokenizer)
}

/// A tokenizer whose tokens, runs of bytes, are learnt from a text.
fn learnt<I>(text: I, config: &TokenizerConfig) -> Result<tokenizers::Result<tokenizers::Tokenizer>>
where
    I: Iterator<Item = Result<String>> + Send,
{
    let size = config.max_vocab.unwrap_or_default();
    let (mut tokenizer, mut trainer) = if config.level == Level::Bpe {
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(size)
            .min_frequency(config.min_count as u64)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        (tokenizers::Tokenizer::new(BPE::default()), TrainerWrapper::from(trainer))
    } else {
        let trainer = UnigramTrainer::builder()
            .show_progress(false)
            .vocab_size(size.min(u32::MAX as usize) as u32)
            .initial_alphabet(ByteLevel::alphabet())
            .build()
            .map_err(refused)?;
        (tokenizers::Tokenizer::new(Unigram::default()), TrainerWrapper::from(trainer))
    };
    tokenizer.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let normalizer = normalizer(config).map_err(refused)?;
    let mut failed = None;
    let text = text.map_while(|piece| piece.map_err(|e| failed = Some(e)).ok());
    let text = text.flat_map(|piece| pieces(&piece).map(str::to_string).collect::<Vec<_>>());
    let trained = tokenizer
        .with_normalizer(normalizer)
        .map(drop)
        .and_then(|()| tokenizer.train(&mut trainer, text).map(drop));
    match failed {
        Some(e) => Err(e),
        None => Ok(trained.map(|()| tokenizer)),
    }
}
