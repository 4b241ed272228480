use super::examples::passage;
use super::{Model, Question};
use crate::seq2seq::codec::{Extended, Source};
use crate::seq2seq::examples::{alike, sources};
use crate::seq2seq::{WriteConfig, Written};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How to ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskConfig {
    /// Words that are part of an answer with more than this probability are taken for one, those next to each other together; in [0, 1].
    /// Default 0.5, as in the book. Where there are none, the likeliest word is the answer, with the words around it that are at least half
    /// as likely.
    pub threshold: f64,
    /// How questions are written. Default: the likeliest word each time.
    pub write: WriteConfig,
}

impl Default for AskConfig {
    fn default() -> Self {
        Self { threshold: 0.5, write: WriteConfig::default() }
    }
}

/// An answer that was found in a passage, and what asks for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// Its words, counted from 0.
    pub words: Range<usize>,
    /// These words.
    pub answer: String,
    /// The mean of their probabilities of being part of an answer.
    pub probability: f64,
    /// The questions: the best first, samples in the order of their numbers.
    pub questions: Vec<Written>,
}

/// The answers that the probabilities of a passage's words come to.
fn answers(probabilities: &[f32], threshold: f64) -> Vec<Range<usize>> {
    let is_over = |p: f32| f64::from(p) > threshold;
    let mut all: Vec<Range<usize>> = Vec::new();
    for (word, _) in probabilities.iter().enumerate().filter(|(_, p)| is_over(**p)) {
        match all.last_mut() {
            Some(last) if last.end == word => last.end += 1,
            _ => all.push(word..word + 1),
        }
    }
    let likeliest =
        probabilities.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    if let (true, Some((word, most))) = (all.is_empty(), likeliest) {
        let near = |p: &&f32| **p >= 0.5 * most;
        let before = probabilities[..word].iter().rev().take_while(near).count();
        let behind = probabilities[word..].iter().take_while(near).count();
        all.push(word - before..word + behind.max(1));
    }
    all
}

fn mean(probabilities: &[f32]) -> f64 {
    probabilities.iter().map(|&p| f64::from(p)).sum::<f64>() / probabilities.len().max(1) as f64
}

impl Model {
    /// For each word of each passage the probability that it is part of an answer.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn tags<S: AsRef<str>>(&self, passages: &[S]) -> Result<Vec<Vec<f32>>> {
        self.tags_of(&self.read(passages))
    }

    /// Asks about passages: for each the answers that it finds, in their order, with as many questions as are asked for. There is one answer
    /// at least, but in a passage without words.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range, [`Error::DeadEnd`] when what is banned leaves nothing.
    pub fn ask<S: AsRef<str>>(&self, passages: &[S], config: &AskConfig) -> Result<Vec<Vec<Asked>>> {
        if !(0.0..=1.0).contains(&config.threshold) {
            return Err(Error::setting("threshold", format!("must lie in [0, 1], got {}", config.threshold)));
        }
        let all = self.read(passages);
        let (mut asked, mut marked) = (Vec::new(), Vec::new());
        for ((source, text), tags) in all.iter().zip(passages).zip(self.tags_of(&all)?) {
            let words: Vec<&str> = text.as_ref().split_whitespace().collect();
            let of = |answer: Range<usize>| {
                marked.push((source, (0..words.len()).map(|word| answer.contains(&word)).collect()));
                Asked {
                    answer: words[answer.clone()].join(" "),
                    probability: mean(&tags[answer.clone()]),
                    words: answer,
                    questions: Vec::new(),
                }
            };
            asked.push(answers(&tags, config.threshold).into_iter().map(of).collect::<Vec<_>>());
        }
        let questions = self.write_all(&marked, &config.write)?;
        for (asked, questions) in asked.iter_mut().flatten().zip(questions) {
            asked.questions = questions;
        }
        Ok(asked)
    }

    /// Writes questions about passages whose answers are known: those of the rows, whose own questions play no part.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn ask_for(&self, rows: &[Question], config: &WriteConfig) -> Result<Vec<Vec<Written>>> {
        let passages: Vec<&str> = rows.iter().map(Question::passage).collect();
        let all = self.read(&passages);
        let marked: Vec<_> = all.iter().zip(rows).map(|(source, row)| (source, row.tags())).collect();
        self.write_all(&marked, config)
    }

    fn read<S: AsRef<str>>(&self, passages: &[S]) -> Vec<Source> {
        let copy = self.config.training.model.copy;
        passages.iter().map(|text| passage(text.as_ref(), &self.sides, copy)).collect()
    }

    fn tags_of(&self, all: &[Source]) -> Result<Vec<Vec<f32>>> {
        /// Passages per call. The value changes nothing in the result.
        const BATCH: usize = 64;
        let mut tags = vec![Vec::new(); all.len()];
        for rows in alike(all.iter()).chunks(BATCH) {
            let picked: Vec<&Source> = rows.iter().map(|&n| &all[n]).collect();
            let sources = sources(&picked, &self.config.training.model, self.network.device())?;
            for (&n, found) in rows.iter().zip(self.network.tag(&sources)?) {
                tags[n] = found;
            }
        }
        Ok(tags)
    }

    /// Questions about passages with one marked answer each.
    fn write_all(&self, marked: &[(&Source, Vec<bool>)], config: &WriteConfig) -> Result<Vec<Vec<Written>>> {
        let model = &self.config.training.model;
        config.check(model.attention.is_some())?;
        let mut written: Vec<Vec<Written>> = marked.iter().map(|_| Vec::new()).collect();
        for rows in alike(marked.iter().map(|(source, _)| *source)).chunks(config.batch) {
            let picked: Vec<&Source> = rows.iter().map(|&n| marked[n].0).collect();
            let tags: Vec<Vec<bool>> = rows.iter().map(|&n| marked[n].1.clone()).collect();
            let sources = sources(&picked, model, self.network.device())?;
            let extra = sources.extended_vocab(model) - model.target_vocab;
            let vocabulary = Extended { codec: &self.sides.target, extra };
            let decoder = self.network.writing(&sources, &tags)?;
            let found = config.search(decoder, &vocabulary, sources.lengths(), rows)?;
            for (&n, found) in rows.iter().zip(found) {
                let texts = found.into_iter().map(|found| self.sides.written(found, marked[n].0, config));
                written[n] = texts.collect::<Result<_>>()?;
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges are meant")]
mod tests {
    use super::answers;

    #[test]
    fn words_next_to_each_other_are_one_answer() {
        assert_eq!(answers(&[0.6, 0.1, 0.7, 0.9, 0.5], 0.5), [0..1, 2..4]);
        assert_eq!(answers(&[0.6, 0.1, 0.7, 0.9, 0.51], 0.5), [0..1, 2..5]);
        assert_eq!(answers(&[0.6, 0.1], 0.0), [0..2]);
    }

    #[test]
    fn without_any_the_likeliest_and_what_is_near_is_one() {
        assert_eq!(answers(&[0.1, 0.2, 0.4, 0.3, 0.19, 0.3], 0.5), [1..4]);
        assert_eq!(answers(&[0.4, 0.4], 0.5), [0..2]);
        assert_eq!(answers(&[1.0, 0.2], 1.0), [0..1]);
        assert_eq!(answers(&[0.0, 0.0], 0.0), [0..2]);
        assert_eq!(answers(&[0.3, 0.1, 0.3], 0.5), [0..1]);
        assert!(answers(&[], 0.5).is_empty());
    }
}
