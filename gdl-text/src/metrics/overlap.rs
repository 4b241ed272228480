use std::collections::HashMap;
use std::hash::Hash;
use std::ops::AddAssign;

/// How many things a hypothesis has and its reference, and how many of them they share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) hypothesis: usize,
    pub(super) reference: usize,
    pub(super) shared: usize,
}

impl Overlap {
    /// Of runs of `n` items, `n` at least 1. One counts as shared as often as it is in both.
    pub(super) fn of_ngrams<T: Eq + Hash>(hypothesis: &[T], reference: &[T], n: usize) -> Self {
        let mut left = HashMap::<&[T], usize>::new();
        for ngram in reference.windows(n) {
            *left.entry(ngram).or_default() += 1;
        }
        let mut shared = 0;
        for ngram in hypothesis.windows(n) {
            if let Some(count @ 1..) = left.get_mut(ngram) {
                *count -= 1;
                shared += 1;
            }
        }
        let (hypothesis, reference) = (hypothesis.windows(n).len(), reference.windows(n).len());
        Self { hypothesis, reference, shared }
    }

    /// Share of the hypothesis that is in the reference; 0 of nothing.
    pub(super) fn precision(self) -> f64 {
        ratio(self.shared, self.hypothesis)
    }

    /// Share of the reference that is in the hypothesis; 0 of nothing.
    pub(super) fn recall(self) -> f64 {
        ratio(self.shared, self.reference)
    }

    /// Harmonic mean of precision and recall; 0 when nothing is shared.
    pub(super) fn f1(self) -> f64 {
        ratio(2 * self.shared, self.hypothesis + self.reference)
    }
}

impl AddAssign for Overlap {
    fn add_assign(&mut self, other: Self) {
        self.hypothesis += other.hypothesis;
        self.reference += other.reference;
        self.shared += other.shared;
    }
}

/// `part / whole`, and 0 for a whole of 0.
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ngram_counts_as_often_as_both_have_it() {
        let of = |n| Overlap::of_ngrams(b"aaab", b"aacaab", n);
        assert_eq!(of(1), Overlap { hypothesis: 4, reference: 6, shared: 4 });
        // aa twice against twice, ab once against once.
        assert_eq!(of(2), Overlap { hypothesis: 3, reference: 5, shared: 3 });
        // aaa and aab against aac, aca, caa, aab.
        assert_eq!(of(3), Overlap { hypothesis: 2, reference: 4, shared: 1 });
        assert_eq!(of(5), Overlap { hypothesis: 0, reference: 2, shared: 0 });
        assert_eq!(of(7), Overlap::default());
    }
}
