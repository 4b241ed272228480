use super::ranked::Ranked;
use super::sampler::Course;
use super::{Sampler, log_sum_exp};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a text's log-probability is divided by before texts are compared: long ones are less probable than short ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LengthPenalty {
    /// `length^alpha`: 0 for none, 1 for the mean per token. As in OpenNMT and `transformers`.
    Power(f64),
    /// `((5 + length) / 6)^alpha`, as in Wu et al. 2016, equation 14.
    Wu(f64),
}

impl LengthPenalty {
    fn alpha(self) -> f64 {
        match self {
            Self::Power(alpha) | Self::Wu(alpha) => alpha,
        }
    }

    fn divisor(self, length: usize) -> f64 {
        match self {
            Self::Power(alpha) => (length.max(1) as f64).powf(alpha),
            Self::Wu(alpha) => ((5.0 + length as f64) / 6.0).powf(alpha),
        }
    }
}

/// How to look for the likeliest texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeamConfig {
    /// Texts followed side by side. Default 4.
    pub beams: usize,
    /// Texts given, at most as many as beams. Default 1.
    pub n_best: usize,
    /// How texts of different lengths are compared. Default: by log-probability alone.
    pub length_penalty: LengthPenalty,
    /// Groups that the beams are parted into, each of which looks for texts of its own (Vijayakumar et al. 2016); a divisor of
    /// `beams`. Default 1.
    pub groups: usize,
    /// What a token loses in a group for each beam of the groups before it that takes the same one at that place; nothing where there is
    /// one group. Default 0.5.
    pub diversity: f64,
}

impl Default for BeamConfig {
    fn default() -> Self {
        Self { beams: 4, n_best: 1, length_penalty: LengthPenalty::Power(0.0), groups: 1, diversity: 0.5 }
    }
}

impl BeamConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Setting`] with the setting's name, what it must be and what it is.
    pub fn check(&self) -> Result<()> {
        if self.beams == 0 {
            return Err(Error::setting("beams", "must be at least 1, got 0"));
        }
        if self.n_best == 0 || self.n_best > self.beams {
            let message = format!("must lie in 1..={}, the number of beams, got {}", self.beams, self.n_best);
            return Err(Error::setting("n-best", message));
        }
        let alpha = self.length_penalty.alpha();
        if !alpha.is_finite() {
            return Err(Error::setting("length penalty", format!("must be a number, got {alpha}")));
        }
        if self.groups == 0 || !self.beams.is_multiple_of(self.groups) {
            let message = format!("must divide the {} beams, got {}", self.beams, self.groups);
            return Err(Error::setting("groups", message));
        }
        if !(self.diversity >= 0.0 && self.diversity.is_finite()) {
            return Err(Error::setting("diversity", format!("must be 0 or above, got {}", self.diversity)));
        }
        Ok(())
    }
}

/// A text that beam search has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its tokens, without the prompt's; with the one that ends it, if there is such a token.
    pub tokens: Vec<u32>,
    /// The natural logarithm of its probability under the model.
    pub log_prob: f64,
    /// What it was ranked by: as `log_prob`, but with bias and penalties, divided for its length.
    pub score: f64,
    /// The row, among those of the step that its last token came with, that this was chosen behind.
    pub row: usize,
}

#[derive(Debug, Clone)]
struct Beam {
    course: Course,
    log_prob: f64,
    sum: f64,
    group: usize,
    row: usize,
}

impl Beam {
    fn found(self, penalty: LengthPenalty, less: f64) -> Found {
        let tokens = self.course.written().to_vec();
        let score = self.sum / penalty.divisor(tokens.len()) - less;
        Found { tokens, log_prob: self.log_prob, score, row: self.row }
    }
}

/// A search for the likeliest texts, the best first; temperature and what follows it play no part.
///
/// It takes logits and says what is to be read next, so that many of them can share the batches that a model reads:
/// [`advance`](Self::advance) until nothing is to be read. Texts that have ended leave the beam, which goes on until it cannot find a
/// better one.
#[derive(Debug)]
pub struct BeamSearch<'a> {
    sampler: &'a Sampler,
    config: BeamConfig,
    beams: Vec<Beam>,
    found: Vec<Found>,
    dead: Option<Error>,
    /// The sums that every beam could have with every token.
    all: Vec<f64>,
    scores: Vec<f64>,
    ranked: Ranked,
}

impl<'a> BeamSearch<'a> {
    /// A search for texts of at most `length` tokens after the prompt's, in the context that the prompt leaves.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings outside their ranges, [`Error::Pattern`] when no text of that length matches the pattern.
    pub fn new(
        sampler: &'a Sampler,
        config: &BeamConfig,
        (prompt, context, length): (&[u32], usize, usize),
    ) -> Result<Self> {
        config.check()?;
        let course = sampler.course(prompt, context, length)?;
        let beams = (0..config.groups).map(|group| Beam {
            course: course.clone(),
            log_prob: 0.0,
            sum: 0.0,
            group,
            row: 0,
        });
        let (all, scores, ranked) = (Vec::new(), Vec::new(), Ranked::default());
        let (beams, found) = (beams.collect(), Vec::new());
        Ok(Self { sampler, config: *config, beams, found, dead: None, all, scores, ranked })
    }

    /// How many rows of logits come next: one for each beam; at first one for each group, all of them after the prompt.
    pub fn rows(&self) -> usize {
        self.beams.len()
    }

    /// Takes the logits (rows x V) and gives what is to be read for the next: row i is row `rows[i]` of those with token `tokens[i]`
    /// behind it. Empty where the search is at its end.
    ///
    /// `less`, where it is not empty, is taken off the score of what ends behind each row. `ends` says of the tokens written whether the text
    /// is at its end, besides the ends that the sampler knows: the length, the end token, and a pattern that nothing can follow.
    ///
    /// # Errors
    /// [`Error::Tensor`] when there are not so many logits, and those of `ends`.
    pub fn advance(
        &mut self,
        logits: &[f32],
        less: &[f64],
        mut ends: impl FnMut(&[u32]) -> Result<bool>,
    ) -> Result<(Vec<usize>, Vec<u32>)> {
        let vocab = self.sampler.vocab_size();
        if logits.len() != self.beams.len() * vocab {
            let (want, have) = (self.beams.len(), logits.len());
            let message = format!("beam search: expected {want} x {vocab} logits, got {have}");
            return Err(candle_core::Error::Msg(message).into());
        }
        let less = |row: usize| less.get(row).copied().unwrap_or(0.0);
        let log_totals = self.score(logits, less)?;
        let (mut next, mut rows, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        let mut taken = HashMap::<u32, f64>::new();
        let size = self.config.beams / self.config.groups;
        for group in 0..self.config.groups {
            let first = self.beams.iter().take_while(|beam| beam.group < group).count();
            let behind = self.beams.iter().filter(|beam| beam.group == group).count();
            let sums = &mut self.all[first * vocab..(first + behind) * vocab];
            for (&token, &times) in &taken {
                let column = sums.iter_mut().skip(token as usize).step_by(vocab);
                column.for_each(|sum| *sum -= self.config.diversity * times);
            }
            self.ranked.fill(sums);
            let (mut place, end, mut chosen) = (0, next.len() + size, HashMap::<u32, f64>::new());
            while next.len() < end
                && let Some((index, sum)) = self.ranked.get(place)
            {
                place += 1;
                let (row, token) = (first + index as usize / vocab, index % vocab as u32);
                let penalty = self.config.diversity * taken.get(&token).copied().unwrap_or(0.0);
                let Beam { course, log_prob, .. } = &self.beams[row];
                let log_prob = log_prob + f64::from(logits[row * vocab + token as usize]) - log_totals[row];
                let mut beam = Beam { course: course.clone(), log_prob, sum: sum + penalty, group, row };
                beam.course.push(self.sampler, token);
                let ended = beam.course.left == 0
                    || self.sampler.end() == Some(token)
                    || ends(beam.course.written())?;
                *chosen.entry(token).or_default() += 1.0;
                if ended {
                    self.found.push(beam.found(self.config.length_penalty, less(row)));
                } else {
                    next.push(beam);
                    rows.push(row);
                    tokens.push(token);
                }
            }
            for (token, times) in chosen {
                *taken.entry(token).or_default() += times;
            }
        }
        self.found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.tokens.cmp(&b.tokens)));
        // Groups may find the same text.
        self.found.dedup_by(|a, b| a.tokens == b.tokens);
        self.found.truncate(self.config.beams);
        self.beams = next;
        if self.found.len() == self.config.beams && !self.hope() {
            self.beams.clear();
        }
        if self.beams.is_empty() { Ok((Vec::new(), Vec::new())) } else { Ok((rows, tokens)) }
    }

    /// Fills in what the beams could come to, and gives the logarithms of their logits' totals. Beams that nothing can follow
    /// end.
    fn score(&mut self, logits: &[f32], less: impl Fn(usize) -> f64) -> Result<Vec<f64>> {
        let vocab = self.sampler.vocab_size();
        self.all.clear();
        let mut log_totals = Vec::with_capacity(self.beams.len());
        for (row, (beam, logits)) in self.beams.iter().zip(logits.chunks(vocab.max(1))).enumerate() {
            let log_total = log_sum_exp(logits);
            log_totals.push(log_total);
            let goes_on = match self.sampler.score(logits, &beam.course, &mut self.scores) {
                Ok(goes_on) => {
                    if !goes_on {
                        self.found.push(beam.clone().found(self.config.length_penalty, less(row)));
                    }
                    goes_on
                }
                Err(error @ Error::DeadEnd { .. }) => {
                    self.dead = Some(error);
                    false
                }
                Err(error) => return Err(error),
            };
            match goes_on {
                true => self.all.extend(self.scores.iter().map(|score| beam.sum - log_total + score)),
                false => self.all.extend(std::iter::repeat_n(f64::NEG_INFINITY, vocab)),
            }
        }
        Ok(log_totals)
    }

    /// Whether a beam can still become better than the worst of what was found.
    fn hope(&self) -> bool {
        let (penalty, sampler) = (self.config.length_penalty, self.sampler);
        let worst = self.found.last().map_or(f64::NEG_INFINITY, |found| found.score);
        // A sum only falls, unless scores are raised; at best it stays, and is divided by the largest divisor to come.
        let best = |beam: &Beam| {
            let (written, left) = (beam.course.written().len(), beam.course.left);
            let divisor = penalty.divisor(written + 1).max(penalty.divisor(written.saturating_add(left)));
            beam.sum / divisor
        };
        sampler.raises() || self.beams.iter().any(|beam| best(beam) > worst)
    }

    /// What was found, the best first.
    ///
    /// # Errors
    /// [`Error::DeadEnd`] when every token was banned before any text had ended.
    pub fn finish(mut self) -> Result<Vec<Found>> {
        if let (true, Some(error)) = (self.found.is_empty(), self.dead) {
            return Err(error);
        }
        self.found.truncate(self.config.n_best);
        Ok(self.found)
    }
}

/// The likeliest texts after a prompt, by a [`BeamSearch`] of its own.
///
/// `logits` (V) are the model's after the prompt. `read(rows, tokens)` goes on with a batch: row i is row `rows[i]` of the batch
/// before (of the prompt, at first) with token `tokens[i]` behind it; it gives their logits (rows x V). `ends` is as in
/// [`BeamSearch::advance`].
///
/// # Errors
/// Those of [`BeamSearch`], and those of `read` and `ends`.
pub fn beam_search(
    sampler: &Sampler,
    config: &BeamConfig,
    prompt: (&[u32], usize, usize),
    logits: &[f32],
    mut read: impl FnMut(&[usize], &[u32]) -> Result<Vec<f32>>,
    mut ends: impl FnMut(&[u32]) -> Result<bool>,
) -> Result<Vec<Found>> {
    let mut search = BeamSearch::new(sampler, config, prompt)?;
    let (mut logits, mut first) = (logits.repeat(search.rows()), true);
    loop {
        let (mut rows, tokens) = search.advance(&logits, &[], &mut ends)?;
        if rows.is_empty() {
            return search.finish();
        }
        if std::mem::take(&mut first) {
            // All groups begin behind the one prompt.
            rows.fill(0);
        }
        logits = read(&rows, &tokens)?;
    }
}
