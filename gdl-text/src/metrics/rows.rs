use super::overlap::ratio;
use super::pairs::pairs;
use crate::Result;

/// Share of the texts that are their references to the last character, 0 to 1. Nothing is normalised before.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for lists that are empty or not of the same length.
///
/// # Example
/// ```
/// let share = gdl_text::metrics::exact_match(&["yes", "No"], &["yes", "no"])?;
/// assert_eq!(share, 0.5);
/// # Ok::<(), gdl_text::Error>(())
/// ```
pub fn exact_match<H: AsRef<str>, R: AsRef<str>>(hypotheses: &[H], references: &[R]) -> Result<f64> {
    let equal = pairs(hypotheses, references)?.filter(|(h, r)| h.as_ref() == r.as_ref()).count();
    Ok(ratio(equal, hypotheses.len()))
}

/// Share of the places at which rows of tokens are their references, 0 to 1.
///
/// Row and reference are compared place by place, each with an end behind its last token (give them without
/// one, or both with one). A row and reference of n and m tokens have `max(n, m) + 1` places: those behind
/// the end of the shorter are wrong, whichever it is, so only equal rows have 1, and tokens too many cost as
/// much as tokens too few. A token left out shifts all that follow it, which then count as wrong. Places of
/// all rows are counted together.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for lists that are empty or not of the same length.
///
/// # Example
/// ```
/// use gdl_text::metrics::token_accuracy;
///
/// // Right, right, an end that comes too early, and nothing in the place of the end.
/// assert_eq!(token_accuracy(&[vec![5, 6]], &[vec![5, 6, 7]])?, 0.5);
/// assert_eq!(token_accuracy(&[vec![5, 6, 7]], &[vec![5, 6, 7]])?, 1.0);
/// # Ok::<(), gdl_text::Error>(())
/// ```
pub fn token_accuracy<T: PartialEq>(hypotheses: &[Vec<T>], references: &[Vec<T>]) -> Result<f64> {
    let (mut right, mut places) = (0, 0);
    for (hypothesis, reference) in pairs(hypotheses, references)? {
        right += hypothesis.iter().zip(reference).filter(|(h, r)| h == r).count();
        right += usize::from(hypothesis.len() == reference.len());
        places += hypothesis.len().max(reference.len()) + 1;
    }
    Ok(ratio(right, places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_rows_have_all_places_right() {
        let of = |h: &str, r: &str| token_accuracy(&[h.chars().collect()], &[r.chars().collect()]).unwrap();
        assert_eq!((of("", ""), of("abc", "abc")), (1.0, 1.0));
        assert_eq!((of("abc", "ab"), of("ab", "abc"), of("abx", "abc")), (0.5, 0.5, 0.75));
        assert_eq!((of("", "ab"), of("ab", ""), of("bca", "abc")), (0.0, 0.0, 0.25));
        // 2 of 4 places and 1 of 1, not the mean of their shares.
        let rows = |rows: [&str; 2]| rows.map(|row| row.chars().collect::<Vec<_>>());
        assert_eq!(token_accuracy(&rows(["ab", ""]), &rows(["abc", ""])).unwrap(), 0.6);
    }
}
