use super::overlap::Overlap;
use super::pairs::pairs;
use crate::Result;
use serde::{Deserialize, Serialize};

/// ROUGE: the mean over texts of F1 against the reference, 0 to 100 each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rouge {
    /// Of words.
    pub rouge1: f64,
    /// Of pairs of words.
    pub rouge2: f64,
    /// Of the words of a longest common subsequence.
    pub rouge_l: f64,
}

/// What ROUGE takes for words, in lower case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RougeTokens {
    /// Runs of `a` to `z` and `0` to `9`, as published figures for English are. Drops every other letter:
    /// `été` is the word `t`, and a Chinese text has no words. The default.
    #[default]
    Ascii,
    /// Runs of letters and digits of any script. Scripts without spaces have whole sentences for words, and an
    /// accent that is a character of its own ends a word.
    Unicode,
}

impl RougeTokens {
    fn has(self, c: char) -> bool {
        match self {
            Self::Ascii => c.is_ascii_alphanumeric(),
            Self::Unicode => c.is_alphanumeric(),
        }
    }
}

/// ROUGE-1, ROUGE-2 and ROUGE-L of texts against one reference each, with [`RougeTokens::Ascii`].
///
/// A text without words scores 0, also against a reference without words; so does one word, right or wrong,
/// in pairs of words.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for lists that are empty or not of the same length.
///
/// # Example
/// ```
/// let rouge = gdl_text::metrics::rouge(&["The dog bit the man."], &["the man bit the dog"])?;
/// assert_eq!(rouge.rouge1, 100.0);
/// // All pairs but "dog bit", three of four; "the bit the", three of five words.
/// assert_eq!((rouge.rouge2, rouge.rouge_l), (75.0, 60.0));
/// # Ok::<(), gdl_text::Error>(())
/// ```
///
/// # Source
/// Lin 2004, *ROUGE: a package for automatic evaluation of summaries*. The figures are the mean F1 of the
/// package `rouge-score` 0.1.2 without stemming. ROUGE-L reads a text as one sentence; its time grows as the
/// product of the lengths.
pub fn rouge<H: AsRef<str>, R: AsRef<str>>(hypotheses: &[H], references: &[R]) -> Result<Rouge> {
    rouge_with(hypotheses, references, RougeTokens::default())
}

/// As [`rouge`], with other tokens.
///
/// # Errors
/// As [`rouge`].
pub fn rouge_with<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    tokens: RougeTokens,
) -> Result<Rouge> {
    let mut sums = [0.0; 3];
    for (hypothesis, reference) in pairs(hypotheses, references)? {
        let (hypothesis, reference) = (hypothesis.as_ref().to_lowercase(), reference.as_ref().to_lowercase());
        let (hypothesis, reference) = (split(&hypothesis, tokens), split(&reference, tokens));
        let subsequence = Overlap {
            hypothesis: hypothesis.len(),
            reference: reference.len(),
            shared: common_subsequence(&hypothesis, &reference),
        };
        let [words, pairs] = [1, 2].map(|n| Overlap::of_ngrams(&hypothesis, &reference, n));
        for (sum, overlap) in sums.iter_mut().zip([words, pairs, subsequence]) {
            *sum += overlap.f1();
        }
    }
    let [rouge1, rouge2, rouge_l] = sums.map(|sum| 100.0 * sum / hypotheses.len() as f64);
    Ok(Rouge { rouge1, rouge2, rouge_l })
}

fn split(text: &str, tokens: RougeTokens) -> Vec<&str> {
    text.split(|c| !tokens.has(c)).filter(|word| !word.is_empty()).collect()
}

/// How long the longest sequence is that is left of both by leaving out words.
fn common_subsequence(a: &[&str], b: &[&str]) -> usize {
    // Lengths for the words of `a` read so far, against each beginning of `b`, the empty one first.
    let mut lengths = vec![0; b.len() + 1];
    for word in a {
        let mut diagonal = 0;
        for j in 0..b.len() {
            let above = lengths[j + 1];
            lengths[j + 1] = if *word == b[j] { diagonal + 1 } else { above.max(lengths[j]) };
            diagonal = above;
        }
    }
    lengths[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accented_letters_count_only_as_unicode() {
        let of = |tokens| rouge_with(&["Été"], &["âtè"], tokens).unwrap().rouge1;
        assert_eq!((of(RougeTokens::Ascii), of(RougeTokens::Unicode)), (100.0, 0.0));
        let of = |tokens| rouge_with(&["日本 語。"], &["日本,国"], tokens).unwrap().rouge1;
        assert_eq!((of(RougeTokens::Ascii), of(RougeTokens::Unicode)), (0.0, 50.0));
    }

    #[test]
    fn the_longest_subsequences_are_those_of_trying_them_all() {
        let words = |bits: u32, n| (0..n).map(|i| ["a", "b"][(bits >> i) as usize & 1]).collect::<Vec<_>>();
        let kept = |words: &[&'static str], mask: u32| {
            (0..words.len()).filter(|i| mask >> i & 1 == 1).map(|i| words[i]).collect::<Vec<_>>()
        };
        for (a, b) in (0..32).flat_map(|a| (0..16).map(move |b| (words(a, 5), words(b, 4)))) {
            let found = (0..16)
                .map(|mask| kept(&b, mask))
                .filter(|part| (0..32).any(|mask| kept(&a, mask) == *part))
                .map(|part| part.len())
                .max();
            assert_eq!(Some(common_subsequence(&a, &b)), found, "{a:?} {b:?}");
        }
    }

    #[test]
    fn nothing_is_scored_without_nan() {
        for (hypothesis, reference) in [("", ""), ("", "a b"), ("a b", ""), ("?", "!")] {
            let zero = Rouge { rouge1: 0.0, rouge2: 0.0, rouge_l: 0.0 };
            assert_eq!(rouge(&[hypothesis], &[reference]).unwrap(), zero);
        }
    }
}
