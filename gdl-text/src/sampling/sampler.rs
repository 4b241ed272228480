use super::bias::Bias;
use super::dry::Dry;
use super::ngram::NoRepeatNgram;
use super::past::Past;
use super::penalties::Penalties;
use super::{Draws, Pattern, SamplingConfig, Vocabulary};
use crate::{Error, Result};
use gdl_train::Rng;
use std::fmt::Debug;

/// One link of the chain: changes scores in view of the text so far, or bans tokens by a score of minus infinity.
pub(super) trait Processor: Debug + Send + Sync {
    fn apply(&self, scores: &mut [f64], past: &Past);
}

/// The settings, made ready for a vocabulary: shared by every text that is written with them.
///
/// See the [module](super) for the order in which they act.
#[derive(Debug)]
pub struct Sampler {
    pub(super) config: SamplingConfig,
    bias: Bias,
    processors: Vec<Box<dyn Processor>>,
    pattern: Option<Pattern>,
    vocab_size: usize,
    end: Option<u32>,
}

impl Sampler {
    /// Checks the settings and looks up the tokens that they name. With a pattern, what is written matches it as a whole; see
    /// [`Pattern`].
    ///
    /// # Errors
    /// [`Error::Setting`] for a value outside its range or a token that is not in the vocabulary, [`Error::Pattern`] for
    /// a pattern that cannot be used.
    pub fn new(config: &SamplingConfig, pattern: Option<&str>, vocabulary: &dyn Vocabulary) -> Result<Self> {
        config.check()?;
        let bias = Bias::new(config, vocabulary)?;
        let pattern =
            pattern.map(|pattern| Pattern::new(pattern, vocabulary, |id| bias.banned.contains(&id)));
        let mut processors: Vec<Box<dyn Processor>> = Vec::new();
        if let Some(penalties) = Penalties::new(config) {
            processors.push(Box::new(penalties));
        }
        if let Some(dry) = config.dry.as_ref().and_then(|dry| Dry::new(dry, vocabulary)) {
            processors.push(Box::new(dry));
        }
        if let Some(n) = config.no_repeat_ngram {
            processors.push(Box::new(NoRepeatNgram(n)));
        }
        Ok(Self {
            config: config.clone(),
            bias,
            processors,
            pattern: pattern.transpose()?,
            vocab_size: vocabulary.size(),
            end: vocabulary.end(),
        })
    }

    /// Begins a text of at most `length` tokens after the prompt's, in the context that the prompt leaves, with draws from `rng`.
    ///
    /// # Errors
    /// [`Error::Pattern`] when no text of that length matches the pattern.
    pub fn start(&self, prompt: &[u32], context: usize, rng: Rng, length: usize) -> Result<Draws<'_>> {
        Ok(Draws::new(self, self.course(prompt, context, length)?, rng))
    }

    pub(super) fn course(&self, prompt: &[u32], context: usize, length: usize) -> Result<Course> {
        let node = self.pattern.as_ref().map(|pattern| pattern.start(context, length)).transpose()?;
        let past = Past::new(prompt, self.vocab_size, self.config.penalty_window);
        Ok(Course { past, prompt: prompt.len(), node, left: length })
    }

    /// The token that ends a text, if there is one.
    pub(super) fn end(&self) -> Option<u32> {
        self.end
    }

    /// How many tokens there are.
    pub(super) fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Whether a token's score can come out higher than it went in.
    pub(super) fn raises(&self) -> bool {
        let config = &self.config;
        config.logit_bias.values().any(|&bias| bias > 0.0)
            || config.repetition_penalty < 1.0
            || config.frequency_penalty < 0.0
            || config.presence_penalty < 0.0
    }

    /// Writes the scores of what may come next into `scores`: logits with everything done to them but the temperature and what
    /// follows it. False where the text is at its end.
    pub(super) fn score(&self, logits: &[f32], course: &Course, scores: &mut Vec<f64>) -> Result<bool> {
        if logits.len() != self.vocab_size {
            let message =
                format!("sampler: expected {} logits, one per token, got {}", self.vocab_size, logits.len());
            return Err(candle_core::Error::Msg(message).into());
        }
        // Minus infinity is what cannot come.
        if let Some(bad) = logits.iter().find(|&&l| l.is_nan() || l == f32::INFINITY) {
            return Err(candle_core::Error::Msg(format!("sampler: the model gives the score {bad}")).into());
        }
        if course.left == 0 {
            return Ok(false);
        }
        scores.clear();
        scores.extend(logits.iter().copied().map(f64::from));
        self.bias.apply(scores, &course.past);
        if course.written().len() < self.config.min_length
            && let Some(score) = self.end.and_then(|end| scores.get_mut(end as usize))
        {
            *score = f64::NEG_INFINITY;
        }
        if let Some((pattern, node)) = self.pattern.as_ref().zip(course.node) {
            let end = self.end.filter(|_| pattern.matches(node));
            let end_score = end.and_then(|end| scores.get(end as usize).copied());
            pattern.restrict(node, course.left, scores);
            if let (Some(end), Some(score)) = (end, end_score) {
                scores[end as usize] = score;
            }
        }
        for processor in &self.processors {
            processor.apply(scores, &course.past);
        }
        let some = scores.iter().any(|score| *score > f64::NEG_INFINITY);
        let matched = self.pattern.as_ref().zip(course.node).is_some_and(|(p, node)| p.matches(node));
        if !some && !matched {
            return Err(Error::DeadEnd { written: course.past.tokens.len() - course.prompt });
        }
        Ok(some)
    }
}

/// Where a text stands.
#[derive(Debug, Clone)]
pub(super) struct Course {
    pub(super) past: Past,
    /// Tokens of the prompt.
    pub(super) prompt: usize,
    /// The place in the pattern.
    node: Option<u32>,
    /// How many tokens may still come.
    pub(super) left: usize,
}

impl Course {
    /// The tokens behind the prompt.
    pub(super) fn written(&self) -> &[u32] {
        &self.past.tokens[self.prompt..]
    }

    /// Takes one more token; false, and nothing has changed, where the pattern has no place for it.
    pub(super) fn push(&mut self, sampler: &Sampler, token: u32) -> bool {
        if let Some((pattern, node)) = sampler.pattern.as_ref().zip(self.node)
            && sampler.end != Some(token)
        {
            let next = pattern.after(node, self.left, token);
            if next.is_none() {
                return false;
            }
            self.node = next;
        }
        self.past.push(token);
        self.left = self.left.saturating_sub(1);
        true
    }
}
