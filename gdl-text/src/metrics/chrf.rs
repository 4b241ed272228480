use super::bleu_tokens::{is_space, words};
use super::overlap::Overlap;
use super::pairs::pairs;
use crate::Result;
use std::hash::Hash;

/// Longest runs of characters counted.
const CHARACTERS: usize = 6;
/// How much more recall weighs than precision, squared.
const BETA_SQUARED: f64 = 4.0;

/// chrF2 of texts against one reference each, 0 to 100: F of the runs of 1 to 6 characters, over all texts as
/// one corpus.
///
/// Precision and recall are means over the lengths of runs that texts and references have; recall weighs
/// twice as much. Spaces do not count, so it serves languages without them too. Empty texts or empty
/// references score 0.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for lists that are empty or not of the same length.
///
/// # Example
/// ```
/// let chrf = gdl_text::metrics::chrf(&["abd"], &["abc"])?;
/// // 2 of 3 characters, 1 of 2 pairs, 0 of 1 triple, both ways.
/// assert!((chrf - 100.0 * (2.0 / 3.0 + 1.0 / 2.0) / 3.0).abs() < 1e-9);
/// # Ok::<(), gdl_text::Error>(())
/// ```
///
/// # Source
/// Popović 2015, *chrF: character n-gram F-score for automatic MT evaluation*. The figures are those of
/// sacrebleu 2.6.0 by default (`nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`).
pub fn chrf<H: AsRef<str>, R: AsRef<str>>(hypotheses: &[H], references: &[R]) -> Result<f64> {
    chrf_with(hypotheses, references, 0)
}

/// As [`chrf`], with runs of 1 to `word_order` words besides; 2 for chrF++. Punctuation at an end of a word
/// is a word.
///
/// # Errors
/// As [`chrf`].
///
/// # Source
/// Popović 2017, *chrF++: words helping character n-grams*; as sacrebleu, which parts one mark of ASCII
/// punctuation from a word, that at its end before that at its beginning.
pub fn chrf_with<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    word_order: usize,
) -> Result<f64> {
    let (mut by_characters, mut by_words) = (Vec::new(), Vec::new());
    for (hypothesis, reference) in pairs(hypotheses, references)? {
        let (hypothesis, reference) = (hypothesis.as_ref(), reference.as_ref());
        add(&mut by_characters, &characters(hypothesis), &characters(reference), CHARACTERS);
        if word_order > 0 {
            add(&mut by_words, &parted(hypothesis), &parted(reference), word_order);
        }
    }
    by_characters.extend(by_words);
    Ok(100.0 * f_score(&by_characters))
}

/// Adds to the totals of runs of 1, 2, ... items, at most of `longest`, those of a text.
fn add<T: Eq + Hash>(totals: &mut Vec<Overlap>, hypothesis: &[T], reference: &[T], longest: usize) {
    // As in sacrebleu, runs that the reference is too short for do not count.
    let orders = longest.min(reference.len());
    totals.resize(orders.max(totals.len()), Overlap::default());
    for (n, total) in (1..=orders).zip(totals) {
        *total += Overlap::of_ngrams(hypothesis, reference, n);
    }
}

fn f_score(totals: &[Overlap]) -> f64 {
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    // Runs are only counted where the reference has some, so these are the lengths that both sides have.
    for total in totals.iter().filter(|total| total.hypothesis > 0) {
        precision += total.precision();
        recall += total.recall();
        orders += 1.0;
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall) / orders
}

fn characters(text: &str) -> Vec<char> {
    text.chars().filter(|&c| !is_space(c)).collect()
}

/// Words, with one mark of punctuation at the end or at the beginning for itself.
fn parted(text: &str) -> Vec<&str> {
    let is_mark = |mark: &str| mark.starts_with(|c: char| c.is_ascii_punctuation());
    let part = |word| {
        let last = str::char_indices(word).next_back().map_or(0, |(at, _)| at);
        let first = word.chars().next().map_or(0, char::len_utf8);
        let at = if is_mark(&word[last..]) {
            last
        } else if is_mark(word) {
            first
        } else {
            0
        };
        let (start, end) = word.split_at(at);
        [start, end].into_iter().filter(|word| !word.is_empty())
    };
    words(text).flat_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_is_parted_from_a_word() {
        assert_eq!(
            parted("(hi) (there, «là»... x . é, -"),
            ["(hi", ")", "(there", ",", "«là»..", ".", "x", ".", "é", ",", "-"]
        );
        assert_eq!(parted("(hi well"), ["(", "hi", "well"]);
        assert!(parted(" \n").is_empty());
    }

    #[test]
    fn nothing_is_scored_without_nan() {
        for (hypothesis, reference) in [("", ""), ("", "a b"), ("a b", ""), ("a", "b"), (" ", "\n")] {
            for word_order in [0, 2, usize::MAX] {
                assert_eq!(chrf_with(&[hypothesis], &[reference], word_order).unwrap(), 0.0);
            }
        }
        assert_eq!(chrf_with(&["so it is"], &["so it is"], usize::MAX).unwrap(), 100.0);
    }
}
