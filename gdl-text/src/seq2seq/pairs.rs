use crate::{Error, Result};
use gdl_kernels::Fnv1a;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read};

/// Texts and what is to be made of them: one pair in a line, a tab between source and target.
///
/// # Example
/// ```
/// use gdl_text::seq2seq::Pairs;
///
/// let pairs = Pairs::from_reader("memory", "go on\ton va\nstop\tassez\n".as_bytes())?;
/// assert_eq!(pairs.rows()[1], ("stop".to_string(), "assez".to_string()));
/// let error = Pairs::from_reader("memory", "go on\ton va\nstop\n".as_bytes()).unwrap_err();
/// assert!(error.to_string().starts_with("memory, line 2: "));
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs {
    origin: String,
    rows: Vec<(String, String)>,
}

/// What pairs are known by: enough to see that a run goes on with those that it began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairsMark {
    /// Where they came from.
    pub origin: String,
    /// How many there are.
    pub rows: usize,
    /// FNV-1a of their texts, 64 bits, in hexadecimal.
    pub fnv1a: String,
}

impl Pairs {
    /// Reads to the end of what a reader gives; `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read, [`Error::Table`] with the line for what is not one pair, an empty source, or no UTF-8,
    /// [`Error::Empty`] when there is none.
    pub fn from_reader(origin: impl Into<String>, reader: impl Read) -> Result<Self> {
        let origin = origin.into();
        let rows = lines(&origin, reader)?.into_iter().enumerate().map(|(n, line)| {
            let columns: Vec<&str> = line.split('\t').collect();
            match columns[..] {
                [source, target] => checked(&origin, n + 1, source, target),
                _ => {
                    let hint = if columns.len() > 2 { "; a text cannot have a tab inside" } else { "" };
                    let message = format!(
                        "expected a source, a tab and a target, found {} column(s){hint}",
                        columns.len()
                    );
                    Err(Error::Table { origin: origin.clone(), line: n as u64 + 1, message })
                }
            }
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        Self::some(origin, rows)
    }

    /// Pairs that are there already.
    ///
    /// # Errors
    /// [`Error::Table`] with the row for an empty source, or a tab or a line end in a text, [`Error::Empty`] when there is none.
    pub fn from_rows(origin: impl Into<String>, rows: Vec<(String, String)>) -> Result<Self> {
        let origin = origin.into();
        for (n, (source, target)) in rows.iter().enumerate() {
            checked(&origin, n + 1, source, target)?;
            if [source, target].iter().any(|text| text.contains(['\t', '\n', '\r'])) {
                let message = "a text cannot have a tab or a line end inside".to_string();
                return Err(Error::Table { origin, line: n as u64 + 1, message });
            }
        }
        Self::some(origin, rows)
    }

    fn some(origin: String, rows: Vec<(String, String)>) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::Empty { origin });
        }
        Ok(Self { origin, rows })
    }

    /// Where they came from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Sources and targets.
    pub fn rows(&self) -> &[(String, String)] {
        &self.rows
    }

    /// The sources.
    pub fn sources(&self) -> Vec<&str> {
        self.rows.iter().map(|(source, _)| source.as_str()).collect()
    }

    /// The targets.
    pub fn targets(&self) -> Vec<&str> {
        self.rows.iter().map(|(_, target)| target.as_str()).collect()
    }

    /// Their mark.
    pub fn mark(&self) -> PairsMark {
        let mut hash = Fnv1a::default();
        for (source, target) in &self.rows {
            source.bytes().chain([b'\t']).chain(target.bytes()).chain([b'\n']).for_each(|b| hash.update(b));
        }
        PairsMark {
            origin: self.origin.clone(),
            rows: self.rows.len(),
            fnv1a: format!("{:016x}", hash.finish()),
        }
    }
}

/// The rows before those that are kept back for validation, and those: the last `back`, or where nobody says a twentieth, at most 1,000.
///
/// # Errors
/// [`Error::Setting`] when nothing would be left to train on.
pub(crate) fn held_back<'a, T>(
    origin: &str,
    rows: &'a [T],
    back: Option<usize>,
) -> Result<(&'a [T], &'a [T])> {
    let have = rows.len();
    let usual = if have < 2 { 0 } else { (have / 20).clamp(1, 1000) };
    let back = back.unwrap_or(usual);
    match have.checked_sub(back) {
        Some(kept) if kept > 0 => Ok(rows.split_at(kept)),
        _ => {
            let message = format!("{origin} has {have} rows, and {back} of them kept back leave none");
            Err(Error::setting("valid rows", message))
        }
    }
}

fn checked(origin: &str, line: usize, source: &str, target: &str) -> Result<(String, String)> {
    if source.trim().is_empty() {
        let message = "the source is empty: there is nothing to read".to_string();
        return Err(Error::Table { origin: origin.into(), line: line as u64, message });
    }
    Ok((source.to_string(), target.to_string()))
}

/// The lines of a text, without their ends.
///
/// # Errors
/// [`Error::Read`], and [`Error::Table`] with the line that is no UTF-8.
pub fn lines(origin: &str, reader: impl Read) -> Result<Vec<String>> {
    let mut reader = BufReader::new(reader);
    let mut all = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line);
        if read.map_err(|source| Error::Read { path: origin.into(), source })? == 0 {
            return Ok(all);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if all.is_empty() && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        let line = String::from_utf8(line).map_err(|e| Error::Table {
            origin: origin.into(),
            line: all.len() as u64 + 1,
            message: format!("not UTF-8: {}", e.utf8_error()),
        })?;
        all.push(line);
    }
}
