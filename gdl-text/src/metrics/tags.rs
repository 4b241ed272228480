use super::overlap::{Overlap, ratio};
use super::pairs::pairs;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How well marked tokens were found, 0 to 1 each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagScores {
    /// Share of the tokens marked that ought to be.
    pub precision: f64,
    /// Share of the tokens that ought to be marked that are.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

/// How well answers were marked in passages, 0 to 1 each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanScores {
    /// Mean over passages of F1 of the tokens marked.
    pub f1: f64,
    /// Share of the passages in which exactly the right tokens are marked.
    pub exact: f64,
}

/// Precision, recall and F1 of marked tokens, counted over all rows together: `true` for a token that is
/// marked.
///
/// When nothing is marked and nothing ought to be, all three are 1; when only one of the two holds, all three
/// are 0.
///
/// # Errors
/// [`Error::Setting`] for lists that are empty or not of the same length, and for rows that are not.
///
/// # Example
/// ```
/// let scores = gdl_text::metrics::tag_f1(&[vec![true, true, false]], &[vec![true, false, false]])?;
/// assert_eq!((scores.precision, scores.recall), (0.5, 1.0));
/// # Ok::<(), gdl_text::Error>(())
/// ```
pub fn tag_f1(predicted: &[Vec<bool>], truth: &[Vec<bool>]) -> Result<TagScores> {
    let mut total = Overlap::default();
    for overlap in overlaps(predicted, truth)? {
        total += overlap;
    }
    let all = |otherwise| if is_empty(total) { 1.0 } else { otherwise };
    Ok(TagScores { precision: all(total.precision()), recall: all(total.recall()), f1: all(total.f1()) })
}

/// Mean F1 of the tokens marked per passage, and share of the passages marked exactly right: `true` for a
/// token of the answer.
///
/// A passage without an answer has F1 1 when nothing is marked in it, and 0 otherwise.
///
/// # Errors
/// As [`tag_f1`].
///
/// # Source
/// Rajpurkar et al. 2016, *SQuAD: 100,000+ questions for machine comprehension of text*, section 6.1. There
/// the words of the answers are compared, wherever they stand, without articles and punctuation; here their
/// places in the passage.
pub fn span_f1(predicted: &[Vec<bool>], truth: &[Vec<bool>]) -> Result<SpanScores> {
    let overlaps = overlaps(predicted, truth)?;
    let f1: f64 = overlaps.iter().map(|overlap| if is_empty(*overlap) { 1.0 } else { overlap.f1() }).sum();
    let exact = predicted.iter().zip(truth).filter(|(p, t)| p == t).count();
    Ok(SpanScores { f1: f1 / overlaps.len() as f64, exact: ratio(exact, overlaps.len()) })
}

/// Marked tokens by row.
fn overlaps(predicted: &[Vec<bool>], truth: &[Vec<bool>]) -> Result<Vec<Overlap>> {
    let of = |(i, (predicted, truth)): (usize, (&Vec<bool>, &Vec<bool>))| {
        if predicted.len() != truth.len() {
            let (row, got, need) = (i + 1, predicted.len(), truth.len());
            return Err(Error::setting("scores", format!("row {row} needs {need} tags, got {got}")));
        }
        let count = |row: &[bool]| row.iter().filter(|&&tag| tag).count();
        let shared = predicted.iter().zip(truth).filter(|&(&p, &t)| p && t).count();
        Ok(Overlap { hypothesis: count(predicted), reference: count(truth), shared })
    };
    pairs(predicted, truth)?.enumerate().map(of).collect()
}

/// Whether nothing is marked on either side, which is how it ought to be.
fn is_empty(overlap: Overlap) -> bool {
    overlap.hypothesis + overlap.reference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&str]) -> Vec<Vec<bool>> {
        rows.iter().map(|row| row.chars().map(|c| c == 'x').collect()).collect()
    }

    #[test]
    fn tags_are_counted_together_and_spans_by_passage() {
        let (predicted, truth) = (rows(&["xx...", ".xx", "....", "x"]), rows(&["x.xx.", ".xx", "....", "."]));
        // Right: 1 + 2; marked 2 + 2 + 1, to be marked 3 + 2.
        let tags = tag_f1(&predicted, &truth).unwrap();
        assert_eq!(tags, TagScores { precision: 0.6, recall: 0.6, f1: 0.6 });
        // 2 / 5, 1, 1 and 0.
        let spans = span_f1(&predicted, &truth).unwrap();
        assert!((spans.f1 - 0.6).abs() < 1e-12, "{spans:?}");
        assert_eq!(spans.exact, 0.5);
    }

    #[test]
    fn nothing_is_scored_without_nan() {
        let of = |predicted, truth| tag_f1(&rows(&[predicted]), &rows(&[truth])).unwrap();
        let all = |score| TagScores { precision: score, recall: score, f1: score };
        assert_eq!(
            [of("", ""), of("..", ".."), of("x.", ".."), of("..", "x.")],
            [1.0, 1.0, 0.0, 0.0].map(all)
        );
    }

    #[test]
    fn rows_of_other_lengths_are_refused() {
        let error = tag_f1(&rows(&["x", "xx"]), &rows(&["x", "x"])).unwrap_err();
        assert_eq!(error.to_string(), "scores: row 2 needs 1 tags, got 2");
        assert!(span_f1(&rows(&["x", "xx"]), &rows(&["x", "x"])).is_err());
        assert!(span_f1(&rows(&["x"]), &rows(&["x", "x"])).is_err());
        assert!(tag_f1(&[], &[]).is_err());
    }
}
