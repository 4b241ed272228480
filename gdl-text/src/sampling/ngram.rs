use super::past::Past;
use super::sampler::Processor;

/// Bans every token that would end a sequence of n tokens which stands in the text already.
#[derive(Debug)]
pub(super) struct NoRepeatNgram(pub(super) usize);

impl Processor for NoRepeatNgram {
    fn apply(&self, scores: &mut [f64], past: &Past) {
        let tokens = &past.tokens;
        let Some(start) = (tokens.len() + 1).checked_sub(self.0) else { return };
        let last = &tokens[start..];
        for ngram in tokens.windows(self.0) {
            if let Some((&next, before)) = ngram.split_last()
                && before == last
                && let Some(score) = scores.get_mut(next as usize)
            {
                *score = f64::NEG_INFINITY;
            }
        }
    }
}
