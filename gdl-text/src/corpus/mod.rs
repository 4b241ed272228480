use crate::{Error, Result, builtin};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A text to learn from, and where it came from.
///
/// # Example
/// ```
/// use gdl_text::{Corpus, Split};
///
/// let corpus = Corpus::from_text("greetings", "hello hello hello hello ")?;
/// let parts = corpus.split(&Split { valid: 0.25, test: 0.25 })?;
/// assert_eq!((parts.train, parts.valid, parts.test), ("hello hello ", "hello ", "hello "));
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corpus {
    origin: String,
    text: String,
}

/// How much of a corpus is kept back: the text is cut by position into training, validation and test, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Fraction for validation. Default 0.05.
    pub valid: f64,
    /// Fraction for the test, at the end; training never touches it. Default 0.05.
    pub test: f64,
}

/// The three parts of a corpus; those kept back may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What the model learns from.
    pub train: &'a str,
    /// What its progress is measured on.
    pub valid: &'a str,
    /// What is left for the end.
    pub test: &'a str,
}

impl Default for Split {
    fn default() -> Self {
        Self { valid: 0.05, test: 0.05 }
    }
}

impl Corpus {
    /// Reads one UTF-8 file; a byte order mark at its start is dropped.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::IsDirectory`], [`Error::NotUtf8`] with the place of the first wrong byte, and
    /// [`Error::Empty`] when there is nothing but white space.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() {
            return Err(Error::IsDirectory { path: path.into() });
        }
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let offset = e.utf8_error().valid_up_to();
            let line = 1 + e.as_bytes()[..offset].iter().filter(|&&b| b == b'\n').count();
            Error::NotUtf8 { path: path.into(), offset, line, byte: e.as_bytes()[offset] }
        })?;
        let text = text.strip_prefix('\u{feff}').map(str::to_string).unwrap_or(text);
        Self::from_text(path.display().to_string(), text)
    }

    /// A text that is already there; `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::Empty`] when there is nothing but white space.
    pub fn from_text(origin: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (origin, text) = (origin.into(), text.into());
        if text.trim().is_empty() {
            return Err(Error::Empty { origin });
        }
        Ok(Self { origin, text })
    }

    /// The fables inside this crate ([`builtin::FABLES`]).
    ///
    /// # Errors
    /// None in practice: the text is not empty.
    pub fn fables() -> Result<Self> {
        Self::from_text("builtin:fables", builtin::FABLES)
    }

    /// Where the text came from, most often a path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Cuts the text by position, counted in characters.
    ///
    /// # Errors
    /// [`Error::Setting`] when a fraction is negative or nothing is left for training.
    pub fn split(&self, split: &Split) -> Result<Parts<'_>> {
        let Split { valid, test } = *split;
        for (key, fraction) in [("valid fraction", valid), ("test fraction", test)] {
            if !(0.0..1.0).contains(&fraction) {
                return Err(Error::setting(key, format!("must lie in [0, 1), got {fraction}")));
            }
        }
        if valid + test >= 1.0 {
            return Err(Error::setting(
                "valid fraction",
                format!("{valid} for validation and {test} for the test leave nothing to train on"),
            ));
        }
        let chars = self.text.chars().count();
        // Rounded, not floored: 1 - 0.05 - 0.05 is a hair below 0.9, and must not cost a character.
        let train_end = (chars as f64 * (1.0 - valid - test)).round() as usize;
        let valid_end = (chars as f64 * (1.0 - test)).round() as usize;
        let byte = |char: usize| self.text.char_indices().nth(char).map_or(self.text.len(), |(at, _)| at);
        let (train_end, valid_end) = (byte(train_end), byte(valid_end));
        let train = &self.text[..train_end];
        if train.trim().is_empty() {
            return Err(Error::setting(
                "valid fraction",
                format!("{valid} for validation and {test} for the test leave nothing of {chars} characters"),
            ));
        }
        Ok(Parts { train, valid: &self.text[train_end..valid_end], test: &self.text[valid_end..] })
    }
}
