use super::Sampler;
use super::ranked::Ranked;
use super::sampler::Course;
use crate::Result;
use gdl_train::Rng;

/// A text that is being written: takes logits, gives tokens. Made by [`Sampler::start`].
#[derive(Debug, Clone)]
pub struct Draws<'a> {
    sampler: &'a Sampler,
    course: Course,
    rng: Rng,
    scores: Vec<f64>,
    ranked: Ranked,
}

/// A token that may come next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The token.
    pub token: u32,
    /// The probability that it would be drawn with.
    pub probability: f64,
}

impl<'a> Draws<'a> {
    pub(super) fn new(sampler: &'a Sampler, course: Course, rng: Rng) -> Self {
        Self { sampler, course, rng, scores: Vec::new(), ranked: Ranked::default() }
    }

    /// Draws the next token from the logits (V) of the model and takes it into the text; none where the text has its full
    /// length, or the pattern is matched and nothing can follow.
    ///
    /// # Errors
    /// [`Error::DeadEnd`](crate::Error::DeadEnd) when every token is banned, [`Error::Tensor`](crate::Error::Tensor)
    /// when the logits are not V finite numbers.
    pub fn next(&mut self, logits: &[f32]) -> Result<Option<u32>> {
        if !self.rank(logits)? {
            return Ok(None);
        }
        let token = self.ranked.draw(&mut self.rng);
        if let Some(token) = token {
            self.push(token);
        }
        Ok(token)
    }

    /// The likeliest tokens that may come next, at most `n`, as they would be drawn; fewer where fewer are left.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn candidates(&mut self, logits: &[f32], n: usize) -> Result<Vec<Candidate>> {
        if !self.rank(logits)? {
            return Ok(Vec::new());
        }
        let total = self.ranked.total();
        let candidate = |(token, weight)| Candidate { token, probability: weight / total };
        Ok((0..n.min(self.ranked.len())).filter_map(|i| self.ranked.get(i)).map(candidate).collect())
    }

    /// Takes a token into the text that was chosen elsewhere; false, and nothing has changed, where the pattern has no place
    /// for it.
    pub fn push(&mut self, token: u32) -> bool {
        self.course.push(self.sampler, token)
    }

    /// The tokens of the text, its prompt's first.
    pub fn tokens(&self) -> &[u32] {
        &self.course.past.tokens
    }

    /// The tokens behind the prompt.
    pub fn written(&self) -> &[u32] {
        self.course.written()
    }

    fn rank(&mut self, logits: &[f32]) -> Result<bool> {
        let some = self.sampler.score(logits, &self.course, &mut self.scores)?;
        if some {
            self.ranked.fill(&self.scores);
            self.ranked.cut(&self.sampler.config);
        }
        Ok(some)
    }
}
