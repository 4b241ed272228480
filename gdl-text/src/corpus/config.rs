use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How files become documents, and documents one text. Saved with the model, so that a run goes on with the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorpusConfig {
    /// What a document is. Default: a whole file.
    pub documents: Documents,
    /// What stands before each document in the text that is learnt from. Default: nothing. The book has 20 times `|` there.
    pub before: String,
    /// What stands behind each. Default: what the files have there (a line end, or nothing behind a whole file), a line end
    /// behind a field of a table, and the same blank lines between what blank lines part.
    pub after: Option<String>,
    /// The files' encoding by its name on the web: `utf-8`, `windows-1252`, `shift_jis`. A byte order mark counts more. Default
    /// `utf-8`.
    pub encoding: String,
}

/// What a document of a corpus is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Documents {
    /// A whole file.
    #[default]
    Files,
    /// A line.
    Lines,
    /// What stands between runs of at least so many blank lines.
    Blank(usize),
    /// A column of a table: comma-separated, or tab-separated where the file's name ends in `.tsv` or `.tab`. The column is named
    /// as in the first row, or by its number from 1; then the first row is a document too.
    Csv(String),
}

impl Default for CorpusConfig {
    fn default() -> Self {
        Self { documents: Documents::Files, before: String::new(), after: None, encoding: "utf-8".into() }
    }
}

impl CorpusConfig {
    pub(super) fn encoding(&self) -> Result<&'static encoding_rs::Encoding> {
        encoding_rs::Encoding::for_label(self.encoding.as_bytes()).ok_or_else(|| {
            let message = format!(
                "there is no {:?}; utf-8, windows-1252, utf-16le, shift_jis, gbk are some of them",
                self.encoding
            );
            Error::setting("encoding", message)
        })
    }

    /// What stands behind each document.
    pub(super) fn after(&self) -> String {
        self.after.clone().unwrap_or_else(|| match &self.documents {
            Documents::Files => String::new(),
            Documents::Lines | Documents::Csv(_) => "\n".into(),
            Documents::Blank(lines) => "\n".repeat(lines + 1),
        })
    }
}

impl fmt::Display for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => f.write_str("files"),
            Self::Lines => f.write_str("lines"),
            Self::Blank(lines) => write!(f, "blank:{lines}"),
            Self::Csv(column) => write!(f, "csv:{column}"),
        }
    }
}

impl FromStr for Documents {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let what = "must be files, lines, blank:N (at least N blank lines between two) or csv:COLUMN";
        match s.split_once(':') {
            None if s == "files" => Ok(Self::Files),
            None if s == "lines" => Ok(Self::Lines),
            Some(("blank", lines)) => match lines.parse() {
                Ok(lines) if lines > 0 => Ok(Self::Blank(lines)),
                _ => Err(Error::setting("documents", format!("{what}, N at least 1; got {s:?}"))),
            },
            Some(("csv", column)) if !column.is_empty() => Ok(Self::Csv(column.into())),
            _ => Err(Error::setting("documents", format!("{what}, got {s:?}"))),
        }
    }
}

/// How much of a corpus is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Fraction for validation. Default 0.05.
    pub valid: f64,
    /// Fraction for the test; training never touches it. Default 0.05.
    pub test: f64,
    /// Fractions of what. Default: of the text.
    pub by: SplitBy,
}

/// What is kept back of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// Stretches of the text: it is cut, by position counted in characters, into training, validation and test, in this order.
    #[default]
    Position,
    /// Whole documents, drawn from all over the corpus; always the same ones of the same number of documents.
    Documents,
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Position => "position",
            Self::Documents => "documents",
        })
    }
}

impl FromStr for SplitBy {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "position" => Ok(Self::Position),
            "documents" => Ok(Self::Documents),
            _ => Err(Error::setting("split", format!("must be position or documents, got {s:?}"))),
        }
    }
}

impl Default for Split {
    fn default() -> Self {
        Self { valid: 0.05, test: 0.05, by: SplitBy::Position }
    }
}

impl Split {
    pub(super) fn check(&self) -> Result<()> {
        let Self { valid, test, .. } = *self;
        for (key, fraction) in [("valid fraction", valid), ("test fraction", test)] {
            if !(0.0..1.0).contains(&fraction) {
                return Err(Error::setting(key, format!("must lie in [0, 1), got {fraction}")));
            }
        }
        if valid + test >= 1.0 {
            let message = format!("{valid} for validation and {test} for the test leave nothing to train on");
            return Err(Error::setting("valid fraction", message));
        }
        Ok(())
    }

    /// Where the training part ends and where the validation part does, of so many characters or documents.
    pub(super) fn ends(&self, n: u64) -> [u64; 2] {
        // Rounded, not floored: 1 - 0.05 - 0.05 is a hair below 0.9, and must not cost a character.
        let at = |fraction: f64| (n as f64 * fraction).round() as u64;
        [at(1.0 - self.valid - self.test), at(1.0 - self.test)]
    }
}
