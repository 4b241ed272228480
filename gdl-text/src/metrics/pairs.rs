use crate::{Error, Result};

/// Checks that there are texts, and as many references (or rows of tokens).
///
/// # Errors
/// [`Error::Setting`] when there is none, or not as many of one as of the other.
pub(super) fn check(texts: usize, references: usize) -> Result<()> {
    if texts != references {
        let message = format!("each text needs its reference, got {references} for {texts}");
        return Err(Error::setting("scores", message));
    }
    if texts == 0 {
        return Err(Error::setting("scores", "need at least one text, got none"));
    }
    Ok(())
}

/// Each hypothesis with its reference.
///
/// # Errors
/// As [`check`].
pub(super) fn pairs<'a, H, R>(
    hypotheses: &'a [H],
    references: &'a [R],
) -> Result<impl Iterator<Item = (&'a H, &'a R)>> {
    check(hypotheses.len(), references.len())?;
    Ok(hypotheses.iter().zip(references))
}
