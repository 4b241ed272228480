use super::past::Past;
use super::sampler::Processor;
use super::{DryConfig, Vocabulary};

/// A penalty on going on with a repetition; see [`DryConfig`].
#[derive(Debug)]
pub(super) struct Dry {
    config: DryConfig,
    /// By token: whether it ends a sequence.
    breaker: Vec<bool>,
}

impl Dry {
    /// None where the penalty is 0.
    pub(super) fn new(config: &DryConfig, vocabulary: &dyn Vocabulary) -> Option<Self> {
        let breaks = |id| {
            let text = vocabulary.text(id).unwrap_or_default();
            config.breakers.iter().any(|breaker| text.contains(breaker))
        };
        let breaker = (0..vocabulary.size() as u32).map(breaks).collect();
        (config.multiplier > 0.0).then(|| Self { config: config.clone(), breaker })
    }

    fn breaks(&self, token: u32) -> bool {
        self.breaker.get(token as usize).copied().unwrap_or(true)
    }
}

impl Processor for Dry {
    fn apply(&self, scores: &mut [f64], past: &Past) {
        let tokens = &past.tokens;
        let first = tokens.len() - self.config.window.map_or(tokens.len(), |window| window.min(tokens.len()));
        // The last token first, as far as no sequence ends: what may be repeated.
        let last: Vec<u32> = tokens[first..].iter().rev().copied().collect();
        let limit = last.iter().take_while(|&&token| !self.breaks(token)).count();
        if limit < self.config.allowed_length {
            return;
        }
        // By token: the longest repetition that it would go on with.
        let mut longest = std::collections::BTreeMap::<u32, usize>::new();
        for (back, length) in common_prefixes(&last).into_iter().enumerate().skip(1) {
            let (next, length) = (last[back - 1], length.min(limit));
            if length >= self.config.allowed_length && !self.breaks(next) {
                let known = longest.entry(next).or_default();
                *known = length.max(*known);
            }
        }
        for (token, length) in longest {
            if let Some(score) = scores.get_mut(token as usize) {
                let beyond = (length - self.config.allowed_length) as f64;
                // A finite number, so that no other penalty makes something undefined of it.
                *score -= (self.config.multiplier * self.config.base.powf(beyond)).min(1e30);
            }
        }
    }
}

/// For each place, how far what begins there is the same as what begins at the start (the Z-algorithm); linear in time.
fn common_prefixes(tokens: &[u32]) -> Vec<usize> {
    let n = tokens.len();
    let mut z = vec![n; n];
    let (mut start, mut end) = (0, 0);
    for i in 1..n {
        let mut length = if i < end { z[i - start].min(end - i) } else { 0 };
        while i + length < n && tokens[i + length] == tokens[length] {
            length += 1;
        }
        if i + length > end {
            (start, end) = (i, i + length);
        }
        z[i] = length;
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_as_by_hand() {
        assert_eq!(common_prefixes(&[1, 1, 2, 1, 1, 2, 1]), [7, 1, 0, 4, 1, 0, 1]);
        assert_eq!(common_prefixes(&[]), [0usize; 0]);
    }
}
