use super::ranked::Ranked;
use super::sampler::Course;
use super::{Sampler, log_sum_exp};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

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
}

impl Default for BeamConfig {
    fn default() -> Self {
        Self { beams: 4, n_best: 1, length_penalty: LengthPenalty::Power(0.0) }
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
}

struct Beam {
    course: Course,
    log_prob: f64,
    sum: f64,
}

impl Beam {
    fn found(self, penalty: LengthPenalty) -> Found {
        let tokens = self.course.written().to_vec();
        let score = self.sum / penalty.divisor(tokens.len());
        Found { tokens, log_prob: self.log_prob, score }
    }
}

/// The likeliest texts of at most `length` tokens after a prompt, the best first; temperature and what follows it play no part.
///
/// `logits` (V) are the model's after the prompt. `read(rows, tokens)` goes on with a batch: row i is row `rows[i]` of the batch
/// before (of the prompt, at first) with token `tokens[i]` behind it; it gives their logits (rows x V). `ends` says of
/// the tokens written whether the text is at its end, besides the ends that the sampler knows: the length, the end token, and a
/// pattern that nothing can follow.
///
/// Texts that have ended leave the beam, which goes on until it cannot find a better one.
///
/// # Errors
/// [`Error::Setting`] and [`Error::Pattern`], [`Error::DeadEnd`] when every token is banned, and those of `read` and `ends`.
pub fn beam_search(
    sampler: &Sampler,
    config: &BeamConfig,
    (prompt, context, length): (&[u32], usize, usize),
    logits: &[f32],
    mut read: impl FnMut(&[usize], &[u32]) -> Result<Vec<f32>>,
    mut ends: impl FnMut(&[u32]) -> Result<bool>,
) -> Result<Vec<Found>> {
    config.check()?;
    let vocab = sampler.vocab_size();
    let penalty = config.length_penalty;
    let mut beams = vec![Beam { course: sampler.course(prompt, context, length)?, log_prob: 0.0, sum: 0.0 }];
    let (mut logits, mut found, mut dead) = (logits.to_vec(), Vec::<Found>::new(), None);
    let (mut scores, mut all, mut ranked) = (Vec::new(), Vec::new(), Ranked::default());
    loop {
        // The sums that every beam could have with every token.
        all.clear();
        let mut log_totals = Vec::new();
        for (beam, logits) in beams.iter().zip(logits.chunks(vocab.max(1))) {
            log_totals.push(log_sum_exp(logits));
            match sampler.score(logits, &beam.course, &mut scores) {
                Ok(true) => {
                    let base = beam.sum - log_totals[log_totals.len() - 1];
                    all.extend(scores.iter().map(|score| base + score));
                }
                Ok(false) => {
                    let Beam { ref course, log_prob, sum } = *beam;
                    found.push(Beam { course: course.clone(), log_prob, sum }.found(penalty));
                    all.extend(std::iter::repeat_n(f64::NEG_INFINITY, vocab));
                }
                Err(error @ Error::DeadEnd { .. }) => {
                    dead = Some(error);
                    all.extend(std::iter::repeat_n(f64::NEG_INFINITY, vocab));
                }
                Err(error) => return Err(error),
            }
        }
        ranked.fill(&all);
        let (mut next, mut rows, mut tokens, mut place) = (Vec::new(), Vec::new(), Vec::new(), 0);
        while next.len() < config.beams
            && let Some((index, sum)) = ranked.get(place)
        {
            place += 1;
            let (row, token) = (index as usize / vocab, index % vocab as u32);
            let log_prob = f64::from(logits[index as usize]) - log_totals[row];
            let mut beam =
                Beam { course: beams[row].course.clone(), log_prob: beams[row].log_prob + log_prob, sum };
            beam.course.push(sampler, token);
            let ended = beam.course.left == 0 || sampler.end() == Some(token) || ends(beam.course.written())?;
            if ended {
                found.push(beam.found(penalty));
            } else {
                next.push(beam);
                rows.push(row);
                tokens.push(token);
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(config.beams);
        beams = next;
        if beams.is_empty() || found.len() == config.beams && !hope(&beams, &found, sampler, penalty) {
            break;
        }
        logits = read(&rows, &tokens)?;
        if logits.len() != beams.len() * vocab {
            let message =
                format!("beam_search: expected {} x {vocab} logits, got {}", beams.len(), logits.len());
            return Err(candle_core::Error::Msg(message).into());
        }
    }
    if let (true, Some(error)) = (found.is_empty(), dead) {
        return Err(error);
    }
    found.truncate(config.n_best);
    Ok(found)
}

/// Whether a beam can still become better than the worst of what was found.
fn hope(beams: &[Beam], found: &[Found], sampler: &Sampler, penalty: LengthPenalty) -> bool {
    let worst = found.last().map_or(f64::NEG_INFINITY, |found| found.score);
    // A sum only falls, unless scores are raised; at best it stays, and is divided by the largest divisor to come.
    let best = |beam: &Beam| {
        let (written, left) = (beam.course.written().len(), beam.course.left);
        let divisor = penalty.divisor(written + 1).max(penalty.divisor(written.saturating_add(left)));
        beam.sum / divisor
    };
    sampler.raises() || beams.iter().any(|beam| best(beam) > worst)
}
