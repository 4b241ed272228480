use crate::sampling::Vocabulary;
use crate::{Error, Result, Tokenizer};

/// The tokens that sequences need beside those of a tokenizer, which are numbered behind them.
pub(crate) const PAD: u32 = 0;
pub(crate) const BOS: u32 = 1;
pub(crate) const EOS: u32 = 2;
const BEHIND: u32 = 3;

/// A tokenizer as one side of a model has it.
#[derive(Debug, Clone)]
pub(crate) struct Codec {
    pub(crate) tokenizer: Tokenizer,
}

/// A source in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) ids: Vec<u32>,
    /// Their names.
    pub(crate) words: Vec<String>,
    /// What each is on the target side, beyond its vocabulary one number for each word of [`extra`](Self::extra); empty where nothing is
    /// copied.
    pub(crate) places: Vec<u32>,
    /// The words that the target vocabulary does not have, each once.
    pub(crate) extra: Vec<String>,
}

impl Codec {
    pub(crate) fn size(&self) -> usize {
        self.tokenizer.vocab_size() + BEHIND as usize
    }

    /// The token for what the vocabulary does not have; where it has everything, one that never stands for anything.
    pub(crate) fn unk(&self) -> u32 {
        self.tokenizer.unknown().map_or(PAD, |unknown| unknown + BEHIND)
    }

    fn id(&self, word: &str) -> Option<u32> {
        self.tokenizer.id(word).filter(|&id| Some(id) != self.tokenizer.unknown()).map(|id| id + BEHIND)
    }

    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.tokenizer.encode(text)?.into_iter().map(|id| id + BEHIND).collect())
    }

    /// A target whose words may come from a source.
    pub(crate) fn encode_copying(&self, text: &str, source: &Source) -> Result<Vec<u32>> {
        let size = self.size() as u32;
        let id = |word: &String| {
            let copied = || source.extra.iter().position(|extra| extra == word).map(|k| size + k as u32);
            self.id(word).or_else(copied).unwrap_or_else(|| self.unk())
        };
        Ok(self.tokenizer.tokens(text)?.iter().map(id).collect())
    }

    /// A source, and what it is to the target side if that copies.
    pub(crate) fn source(&self, text: &str, target: Option<&Self>) -> Result<Source> {
        Ok(self.source_of(self.tokenizer.tokens(text)?, target))
    }

    /// A source that is in tokens already, by their names.
    pub(crate) fn source_of(&self, words: Vec<String>, target: Option<&Self>) -> Source {
        let ids = words.iter().map(|word| self.id(word).unwrap_or(self.unk())).collect();
        let (mut places, mut extra) = (Vec::new(), Vec::<String>::new());
        if let Some(target) = target {
            for word in &words {
                places.push(match target.id(word) {
                    Some(id) => id,
                    None => {
                        let known = extra.iter().position(|extra| extra == word);
                        let at = known.unwrap_or(extra.len());
                        if known.is_none() {
                            extra.push(word.clone());
                        }
                        (target.size() + at) as u32
                    }
                });
            }
        }
        Source { ids, words, places, extra }
    }

    /// Ids to text, words beyond the vocabulary from `extra`; what only marks a row is left out.
    pub(crate) fn decode(&self, ids: &[u32], extra: &[String]) -> Result<String> {
        let mut stream = self.tokenizer.stream();
        let mut text = String::new();
        for &id in ids {
            match (id.checked_sub(BEHIND), extra.get((id as usize).wrapping_sub(self.size()))) {
                (_, Some(word)) => text += &stream.push_word(word),
                (Some(id), None) => text += &stream.push(id)?,
                (None, None) => {}
            }
        }
        Ok(text)
    }

    /// The tokens as one would show them.
    pub(crate) fn shown(&self, ids: &[u32], extra: &[String]) -> Vec<String> {
        let show = |&id: &u32| match extra.get((id as usize).wrapping_sub(self.size())) {
            Some(word) => word.clone(),
            None => self.text(id).unwrap_or_default(),
        };
        ids.iter().map(show).collect()
    }

    /// The names of a source's tokens as one would show them.
    pub(crate) fn shown_words(&self, words: &[String]) -> Vec<String> {
        let show = |word: &String| match self.tokenizer.id(word) {
            Some(id) => Vocabulary::text(&self.tokenizer, id).unwrap_or_else(|| word.clone()),
            None => word.clone(),
        };
        words.iter().map(show).map(|word| crate::tokenizer::without_marks(&word)).collect()
    }

    /// Whether words of a source can be found on this side by their names.
    pub(crate) fn check_copying(&self, source: &Self) -> Result<()> {
        for side in [self, source] {
            let config = side.tokenizer.config();
            if config.stemming.is_some() || config.byte_fallback {
                let what = if config.byte_fallback { "byte fallback" } else { "stemming" };
                return Err(Error::setting("copy", format!("does not go with {what}")));
            }
        }
        let [a, b] = [self, source].map(|side| side.tokenizer.config().level);
        if a != b {
            return Err(Error::setting("copy", format!("takes one level of tokens, got {b} and {a}")));
        }
        Ok(())
    }
}

/// What a sampler sees: the tokens of the target side.
impl Vocabulary for Codec {
    fn size(&self) -> usize {
        self.size()
    }

    fn unknown(&self) -> Option<u32> {
        self.tokenizer.unknown().map(|unknown| unknown + BEHIND)
    }

    fn end(&self) -> Option<u32> {
        Some(EOS)
    }

    fn text(&self, token: u32) -> Option<String> {
        match token.checked_sub(BEHIND) {
            Some(id) => Vocabulary::text(&self.tokenizer, id).map(|t| crate::tokenizer::without_marks(&t)),
            None => ["<pad>", "<s>", "</s>"].get(token as usize).map(ToString::to_string),
        }
    }

    fn contexts(&self) -> usize {
        self.tokenizer.contexts()
    }

    fn print(&self, context: usize, token: u32, out: &mut Vec<u8>) -> usize {
        match token.checked_sub(BEHIND) {
            Some(id) => self.tokenizer.print(context, id, out),
            None => context,
        }
    }
}

/// A side's tokens and those that a source adds.
#[derive(Debug)]
pub(crate) struct Extended<'a> {
    pub(crate) codec: &'a Codec,
    pub(crate) extra: usize,
}

impl Vocabulary for Extended<'_> {
    fn size(&self) -> usize {
        self.codec.size() + self.extra
    }

    fn unknown(&self) -> Option<u32> {
        Vocabulary::unknown(self.codec)
    }

    fn end(&self) -> Option<u32> {
        Some(EOS)
    }

    /// What a source adds has no name: it is another word in every row.
    fn text(&self, token: u32) -> Option<String> {
        self.codec.text(token).filter(|_| (token as usize) < self.codec.size())
    }

    fn contexts(&self) -> usize {
        self.codec.contexts()
    }

    fn print(&self, context: usize, token: u32, out: &mut Vec<u8>) -> usize {
        self.codec.print(context, token, out)
    }
}
