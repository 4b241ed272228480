use super::Question;
use crate::seq2seq::codec::Source;
use crate::seq2seq::examples::{Batch as Texts, Examples as Pairs, Sides};
use crate::{Error, Result};
use candle_core::Device;
use gdl_seq2seq::{Seq2SeqConfig, Sources, Targets};

/// Passages with their answers and questions, in tokens.
#[derive(Debug, Clone)]
pub(super) struct Examples {
    pub(super) texts: Pairs,
    /// For each word of each passage whether it is part of the answer.
    tags: Vec<Vec<bool>>,
}

/// One batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) passages: Sources,
    pub(super) tags: Vec<Vec<bool>>,
    pub(super) questions: Targets,
    /// Tokens in it.
    pub(super) tokens: usize,
}

/// A passage in tokens, one for each of its words.
pub(super) fn passage(text: &str, sides: &Sides, copy: bool) -> Source {
    let words = text.split_whitespace().map(|word| sides.source.tokenizer.cased(word).collect());
    sides.source.source_of(words.collect(), copy.then_some(&sides.target))
}

impl Examples {
    /// Those rows that are not too long, and how many are.
    pub(super) fn new(
        rows: &[Question],
        sides: &Sides,
        copy: bool,
        (longest_passage, longest_question): (Option<usize>, Option<usize>),
    ) -> Result<(Self, usize)> {
        let mut texts = Pairs { sources: Vec::new(), targets: Vec::new(), chars: 0, unknown: 0 };
        let (mut tags, mut left_out) = (Vec::new(), 0);
        for row in rows {
            let mut source = passage(row.passage(), sides, copy);
            let target = match copy {
                true => sides.target.encode_copying(row.question(), &source)?,
                false => sides.target.encode(row.question())?,
            };
            let fits = |len: usize, longest: Option<usize>| longest.is_none_or(|longest| len <= longest);
            if !fits(source.ids.len(), longest_passage) || !fits(target.len(), longest_question) {
                left_out += 1;
                continue;
            }
            texts.chars += row.question().chars().count();
            texts.unknown += target.iter().filter(|&&id| id == sides.target.unk()).count();
            // Names are wanted where something is shown, and take several times what all else does.
            source.words = Vec::new();
            texts.sources.push(source);
            texts.targets.push(target);
            tags.push(row.tags());
        }
        Ok((Self { texts, tags }, left_out))
    }

    pub(super) fn len(&self) -> usize {
        self.tags.len()
    }

    /// An error where nothing is left.
    pub(super) fn some(&self, origin: &str, left_out: usize) -> Result<()> {
        if self.len() > 0 {
            return Ok(());
        }
        let message = format!(
            "{origin}: none of {left_out} rows is short enough: raise the longest passage or question"
        );
        Err(Error::setting("max source, max target", message))
    }

    pub(super) fn batch(&self, rows: &[usize], config: &Seq2SeqConfig, device: &Device) -> Result<Batch> {
        let Texts { sources, targets, tokens } = self.texts.batch(rows, config, device)?;
        let tags = rows.iter().map(|&row| self.tags[row].clone()).collect();
        Ok(Batch { passages: sources, tags, questions: targets, tokens })
    }

    /// Words of all passages.
    pub(super) fn passage_words(&self) -> usize {
        self.tags.iter().map(Vec::len).sum()
    }
}
