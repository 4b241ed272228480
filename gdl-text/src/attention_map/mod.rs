//! Where a sequence-to-sequence model looked in the source as it wrote each token of the target, and a page that shows it.

mod page;

pub use page::page;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How far above 1 a probability or a sum of them may lie: what rounding in half precision makes of it.
const SLACK: f32 = 1e-2;

/// The attention of one sentence pair: for each target token, how much each source token counted.
///
/// What is in one has been checked, whether it was made by [`new`](Self::new) or read from a file.
///
/// # Example
/// ```
/// use gdl_text::AttentionMap;
///
/// let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
/// let weights = vec![vec![0.9, 0.1], vec![0.2, 0.7]];
/// let map = AttentionMap::new(words("chat noir"), words("black cat"), weights, None)?;
/// assert_eq!(map.strongest(1), Some(1));
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct AttentionMap {
    source: Vec<String>,
    target: Vec<String>,
    weights: Vec<Vec<f32>>,
    copied: Option<Vec<f32>>,
}

/// What a file says, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    source: Vec<String>,
    target: Vec<String>,
    weights: Vec<Vec<f32>>,
    copied: Option<Vec<f32>>,
}

impl TryFrom<Unchecked> for AttentionMap {
    type Error = Error;

    fn try_from(parts: Unchecked) -> Result<Self> {
        Self::new(parts.source, parts.target, parts.weights, parts.copied)
    }
}

impl AttentionMap {
    /// A map of `source` and `target` tokens as they were printed; an end token may stand last, as `</s>`.
    ///
    /// # Shape
    /// `weights` has a row for each target token and a column for each source token; a row's sum is at most 1, and less where
    /// some attention went to what is not shown. `copied` has, for each target token, the probability that it was copied from
    /// the source rather than generated.
    ///
    /// # Errors
    /// [`Error::Setting`] with what has the wrong length, or is no probability.
    pub fn new(
        source: Vec<String>,
        target: Vec<String>,
        weights: Vec<Vec<f32>>,
        copied: Option<Vec<f32>>,
    ) -> Result<Self> {
        let wrong = |message: String| Err(Error::setting("attention", message));
        let is_probability = |p: f32| (0.0..=1.0 + SLACK).contains(&p);
        if weights.len() != target.len() {
            return wrong(format!(
                "expected {} rows, one per target token, got {}",
                target.len(),
                weights.len()
            ));
        }
        for (i, row) in weights.iter().enumerate() {
            if row.len() != source.len() {
                let expected = format!("expected {} weights, one per source token", source.len());
                return wrong(format!("row {i}: {expected}, got {}", row.len()));
            }
            if let Some(weight) = row.iter().find(|&&weight| !is_probability(weight)) {
                return wrong(format!("row {i}: a weight must lie in 0..=1, got {weight}"));
            }
            let sum: f32 = row.iter().sum();
            if !is_probability(sum) {
                return wrong(format!("row {i}: the sum must be at most 1, got {sum}"));
            }
        }
        if let Some(copied) = &copied {
            if copied.len() != target.len() {
                let expected = format!("expected {} probabilities, one per target token", target.len());
                return wrong(format!("copied: {expected}, got {}", copied.len()));
            }
            if let Some(p) = copied.iter().find(|&&p| !is_probability(p)) {
                return wrong(format!("copied: a probability must lie in 0..=1, got {p}"));
            }
        }
        Ok(Self { source, target, weights, copied })
    }

    /// The source tokens.
    pub fn source(&self) -> &[String] {
        &self.source
    }

    /// The target tokens.
    pub fn target(&self) -> &[String] {
        &self.target
    }

    /// A row for each target token, a weight in it for each source token.
    pub fn weights(&self) -> &[Vec<f32>] {
        &self.weights
    }

    /// For each target token the probability that it was copied; none from a model that cannot copy.
    pub fn copied(&self) -> Option<&[f32]> {
        self.copied.as_deref()
    }

    /// The source token that counted most for a target token, the first of equals; none where nothing counted.
    pub fn strongest(&self, target: usize) -> Option<usize> {
        let row = self.weights.get(target)?;
        // Of equals `max_by` gives the last: from behind, that is the first.
        let (place, &weight) = row.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1))?;
        (weight > 0.0).then_some(place)
    }

    /// Whether a target token was more likely copied than generated.
    pub fn was_copied(&self, target: usize) -> bool {
        self.copied().and_then(|copied| copied.get(target)).is_some_and(|&p| p > 0.5)
    }

    /// Whether the tokens are characters: none is longer, but for ones like `</s>`.
    pub fn is_of_characters(&self) -> bool {
        let special = |token: &str| token.starts_with('<') && token.ends_with('>');
        self.source.iter().chain(&self.target).all(|token| token.chars().nth(1).is_none() || special(token))
    }
}

/// A token as it can be seen: `␣` for each space, `↵` for a line end, `⇥` for a tab, `∅` for nothing at all, `\u{fffd}` for
/// control characters.
pub fn visible(token: &str) -> String {
    if token.is_empty() {
        return "∅".into();
    }
    let shown = |c| match c {
        '\n' => '↵',
        '\t' => '⇥',
        c if c.is_whitespace() => '␣',
        // What would turn the characters after it around.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    token.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    fn refused(weights: Vec<Vec<f32>>, copied: Option<Vec<f32>>) -> String {
        AttentionMap::new(tokens("a b"), tokens("x y"), weights, copied).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let good = vec![vec![0.5, 0.5], vec![0.0, 1.005]];
        assert!(AttentionMap::new(tokens("a b"), tokens("x y"), good.clone(), Some(vec![0.0, 1.0])).is_ok());
        let with = |row: [f32; 2]| refused(vec![vec![0.5, 0.5], row.to_vec()], None);
        assert_eq!(with([-0.1, 0.2]), "attention: row 1: a weight must lie in 0..=1, got -0.1");
        assert_eq!(with([0.1, f32::NAN]), "attention: row 1: a weight must lie in 0..=1, got NaN");
        assert_eq!(with([f32::INFINITY, 0.0]), "attention: row 1: a weight must lie in 0..=1, got inf");
        assert_eq!(with([0.75, 0.5]), "attention: row 1: the sum must be at most 1, got 1.25");
        let short = refused(vec![vec![0.5, 0.5]], None);
        assert_eq!(short, "attention: expected 2 rows, one per target token, got 1");
        let narrow = refused(vec![vec![0.5, 0.5], vec![1.0]], None);
        assert_eq!(narrow, "attention: row 1: expected 2 weights, one per source token, got 1");
        let copied = refused(good.clone(), Some(vec![1.0]));
        assert_eq!(copied, "attention: copied: expected 2 probabilities, one per target token, got 1");
        let copied = refused(good, Some(vec![0.5, 2.0]));
        assert_eq!(copied, "attention: copied: a probability must lie in 0..=1, got 2");
    }

    #[test]
    fn the_strongest_is_the_first_of_equals_and_none_of_zeros() {
        let weights = vec![vec![0.2, 0.4, 0.4], vec![0.0; 3]];
        let map = AttentionMap::new(tokens("a b c"), tokens("x y"), weights, Some(vec![0.5, 0.6])).unwrap();
        assert_eq!([0, 1, 2].map(|i| map.strongest(i)), [Some(1), None, None]);
        assert_eq!([0, 1, 2].map(|i| map.was_copied(i)), [false, true, false]);
        let empty = AttentionMap::new(vec![], tokens("x"), vec![vec![]], None).unwrap();
        assert_eq!(empty.strongest(0), None);
    }

    #[test]
    fn a_file_gives_back_the_same_and_is_checked() {
        let weights = vec![vec![0.1, 0.123_456_79], vec![1.0 / 3.0, 1e-20]];
        let map = AttentionMap::new(tokens("a </s>"), tokens("x y"), weights, Some(vec![0.1, 0.9])).unwrap();
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<AttentionMap>(&json).unwrap(), map);
        let wrong = r#"{"source":["a"],"target":["x"],"weights":[[1.5]],"copied":null}"#;
        let error = serde_json::from_str::<AttentionMap>(wrong).unwrap_err().to_string();
        assert!(error.contains("a weight must lie in 0..=1, got 1.5"), "{error}");
    }

    #[test]
    fn characters_and_words_are_told_apart() {
        let map = |source: &[&str], target: &[&str]| {
            let owned = |tokens: &[&str]| tokens.iter().map(|t| t.to_string()).collect::<Vec<_>>();
            let weights = vec![vec![0.0; source.len()]; target.len()];
            AttentionMap::new(owned(source), owned(target), weights, None).unwrap()
        };
        assert!(map(&["é", " ", ""], &["日", "</s>"]).is_of_characters());
        assert!(!map(&["a"], &["ab"]).is_of_characters());
    }

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(visible(" a\u{a0}b\n\t\u{7}\u{202e}"), "␣a␣b↵⇥\u{fffd}\u{fffd}");
        assert_eq!(visible(""), "∅");
    }
}
