use super::BleuTokens;
use super::overlap::{Overlap, ratio};
use super::pairs::pairs;
use crate::Result;
use serde::{Deserialize, Serialize};

/// BLEU, and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bleu {
    /// The geometric mean of the precisions times the brevity penalty, 0 to 100.
    pub score: f64,
    /// Share of the runs of 1, 2, 3 and 4 words that the references have too, 0 to 100 each. Smoothed: where
    /// no run of a length is right, half of one is, a quarter of one for the next such length, and so on. All
    /// 0 when no single word is right; 0 for lengths that no text has.
    pub precisions: [f64; 4],
    /// `exp(1 - reference_length / hypothesis_length)` for texts shorter than the references, else 1.
    pub brevity_penalty: f64,
    /// Words of the texts.
    pub hypothesis_length: usize,
    /// Words of the references.
    pub reference_length: usize,
}

impl Bleu {
    /// Words of the texts per word of the references; 0 for empty references.
    pub fn length_ratio(&self) -> f64 {
        ratio(self.hypothesis_length, self.reference_length)
    }
}

/// BLEU of texts against one reference each, over all of them as one corpus, with tokens by
/// [`BleuTokens::ThirteenA`] and case told apart.
///
/// It is 0 when no text has four words, however right they are: see [`sentence_bleu`] for those. Empty texts
/// against empty references score 0 too.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for lists that are empty or not of the same length.
///
/// # Example
/// ```
/// let bleu = gdl_text::metrics::bleu(&["the cat sat on a mat"], &["the cat sat on the mat"])?;
/// // 5 of 6 words, 3 of 5 pairs, 2 of 4 threes, 1 of 3 fours.
/// assert_eq!(bleu.precisions.map(f64::round), [83.0, 60.0, 50.0, 33.0]);
/// assert!((bleu.score - 53.73).abs() < 0.01);
/// # Ok::<(), gdl_text::Error>(())
/// ```
///
/// # Source
/// Papineni et al. 2002, *BLEU: a method for automatic evaluation of machine translation*; smoothing is
/// method 3 of Chen and Cherry 2014, *A systematic comparison of smoothing techniques for sentence-level
/// BLEU*. The figures are those of sacrebleu 2.6.0 by default
/// (`nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`).
pub fn bleu<H: AsRef<str>, R: AsRef<str>>(hypotheses: &[H], references: &[R]) -> Result<Bleu> {
    bleu_with(hypotheses, references, BleuTokens::default())
}

/// As [`bleu`], with other tokens.
///
/// # Errors
/// As [`bleu`].
pub fn bleu_with<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    tokens: BleuTokens,
) -> Result<Bleu> {
    let mut counts = Counts::default();
    for (hypothesis, reference) in pairs(hypotheses, references)? {
        counts.add(hypothesis.as_ref(), reference.as_ref(), tokens);
    }
    Ok(counts.score(false))
}

/// BLEU of one text, as sacrebleu's `sentence_bleu`: as [`bleu`], but a text of fewer than four words is
/// scored by the runs that it does have.
///
/// # Example
/// ```
/// use gdl_text::metrics::{bleu, sentence_bleu};
///
/// assert_eq!(sentence_bleu("quite right", "quite right").score, 100.0);
/// assert_eq!(bleu(&["quite right"], &["quite right"])?.score, 0.0);
/// # Ok::<(), gdl_text::Error>(())
/// ```
pub fn sentence_bleu(hypothesis: &str, reference: &str) -> Bleu {
    let mut counts = Counts::default();
    counts.add(hypothesis, reference, BleuTokens::default());
    counts.score(true)
}

#[derive(Default)]
struct Counts {
    hypothesis: usize,
    reference: usize,
    /// Of runs of 1, 2, 3 and 4 words.
    ngrams: [Overlap; 4],
}

impl Counts {
    fn add(&mut self, hypothesis: &str, reference: &str, tokens: BleuTokens) {
        let (hypothesis, reference) = (tokens.split(hypothesis), tokens.split(reference));
        self.hypothesis += hypothesis.len();
        self.reference += reference.len();
        for (n, overlap) in (1..).zip(&mut self.ngrams) {
            *overlap += Overlap::of_ngrams(&hypothesis, &reference, n);
        }
    }

    /// `effective`: by the lengths that texts have, not by all four.
    fn score(&self, effective: bool) -> Bleu {
        let &Self { hypothesis, reference, ngrams } = self;
        // Of no words at all it is exp(-infinity), 0.
        let brevity_penalty =
            if hypothesis < reference { (1.0 - reference as f64 / hypothesis as f64).exp() } else { 1.0 };
        let any = ngrams.iter().any(|overlap| overlap.shared > 0);
        let mut smoothing = 1.0;
        let shares = ngrams.map(|overlap| {
            if !any || overlap.hypothesis == 0 || overlap.shared > 0 {
                return overlap.precision();
            }
            smoothing /= 2.0;
            smoothing / overlap.hypothesis as f64
        });
        let orders = ngrams.iter().filter(|overlap| !effective || overlap.hypothesis > 0).count();
        // The logarithm of 0 is minus infinity, and makes the mean 0.
        let sum: f64 = shares.iter().take(orders).map(|share| share.ln()).sum();
        let mean = if any { (sum / orders as f64).exp() } else { 0.0 };
        Bleu {
            score: 100.0 * brevity_penalty * mean,
            precisions: shares.map(|share| 100.0 * share),
            brevity_penalty,
            hypothesis_length: hypothesis,
            reference_length: reference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_worked_by_hand() {
        // Words right: 3 of 4; pairs 1 of 3; no threes of 2 (half of one), no four of 1 (a quarter of one).
        let bleu = bleu(&["a b x c"], &["a b c d e"]).unwrap();
        let precisions = [75.0, 100.0 / 3.0, 25.0, 25.0];
        bleu.precisions.iter().zip(precisions).for_each(|(got, want)| assert!((got - want).abs() < 1e-12));
        let want = 100.0 * (-0.25f64).exp() * (0.75f64 / 3.0 / 16.0).powf(0.25);
        assert!((bleu.score - want).abs() < 1e-12, "{}, expected {want}", bleu.score);
        assert_eq!((bleu.hypothesis_length, bleu.reference_length, bleu.length_ratio()), (4, 5, 0.8));
    }

    #[test]
    fn nothing_is_scored_without_nan() {
        for (hypothesis, reference, penalty) in [("", "", 1.0), ("", "a b", 0.0), ("a b", "", 1.0)] {
            let score = bleu(&[hypothesis], &[reference]).unwrap();
            assert_eq!(score, sentence_bleu(hypothesis, reference));
            assert_eq!((score.score, score.precisions, score.brevity_penalty), (0.0, [0.0; 4], penalty));
            assert!(score.length_ratio().is_finite());
        }
    }
}
