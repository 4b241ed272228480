use crate::atomic::atomic_write;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// One line of a [`MetricsLog`].
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The step it was logged at.
    pub step: u64,
    /// The values, by name; those that were not finite come back as NaN.
    pub values: BTreeMap<String, f64>,
}

/// As it stands in the file: JSON has no NaN, `null` takes its place.
#[derive(Serialize, Deserialize)]
struct Line {
    step: u64,
    #[serde(flatten)]
    values: BTreeMap<String, Option<f64>>,
}

/// A log of numbers by step, one JSON object per line: `{"step":100,"loss":1.25}`.
///
/// Every line is handed to the system at once, so another program can follow the file while it grows.
///
/// # Example
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// let mut log = gdl_train::MetricsLog::at(dir.path().join("metrics.jsonl"));
/// log.append(100, &[("loss", 1.25)])?;
/// assert_eq!(log.read()?[0].values["loss"], 1.25);
/// # Ok::<(), gdl_train::Error>(())
/// ```
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: Option<File>,
}

impl MetricsLog {
    /// The log at that path, which is made with the first line.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn append(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let values = values.iter().map(|&(name, v)| (name.to_string(), v.is_finite().then_some(v))).collect();
        let mut line = serde_json::to_vec(&Line { step, values })
            .map_err(|e| Error::format(&self.path, "metrics log", e))?;
        line.push(b'\n');
        if self.file.is_none() {
            // Lines are only ever added: what a crash has left of a last line must not run into the next.
            self.keep(|_| true)?;
            let file = File::options().create(true).append(true).open(&self.path);
            self.file = Some(file.map_err(Error::io("write", &self.path))?);
        }
        match &mut self.file {
            Some(file) => file.write_all(&line).map_err(Error::io("write", &self.path)),
            None => Ok(()),
        }
    }

    /// All records; none when there is no file. A last line broken off by a crash is passed over.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] naming the first bad line that is not the last.
    pub fn read(&self) -> Result<Vec<Record>> {
        let (lines, _) = self.lines()?;
        Ok(lines.into_iter().map(|(_, record)| record).collect())
    }

    /// Removes every record after `step`: a run that goes on from there logs them again.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn truncate_after(&mut self, step: u64) -> Result<()> {
        self.file = None;
        self.keep(|record| record.step <= step)
    }

    /// Writes the file anew when it holds anything but records that `wanted` wants.
    fn keep(&self, wanted: impl Fn(&Record) -> bool) -> Result<()> {
        let (lines, broken) = self.lines()?;
        if !broken && lines.iter().all(|(_, record)| wanted(record)) {
            return Ok(());
        }
        atomic_write(&self.path, |file| {
            for (line, _) in lines.iter().filter(|(_, record)| wanted(record)) {
                writeln!(file, "{line}").map_err(Error::io("write", &self.path))?;
            }
            Ok(())
        })
    }

    /// Every whole line with its record, and whether a broken one follows.
    fn lines(&self) -> Result<(Vec<(String, Record)>, bool)> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok((Vec::new(), false)),
            Err(e) => return Err(Error::io("read", &self.path)(e)),
        };
        let mut records = Vec::new();
        let mut rest = &bytes[..];
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            let parsed: Line = match serde_json::from_slice(line) {
                Ok(parsed) => parsed,
                // After a power cut a file may end in zeros, newline or not.
                Err(_) if rest.is_empty() => return Ok((records, true)),
                Err(e) => {
                    let message = format!("line {}: {e}", records.len() + 1);
                    return Err(Error::format(&self.path, "metrics log", message));
                }
            };
            let values = parsed.values.into_iter().map(|(k, v)| (k, v.unwrap_or(f64::NAN))).collect();
            let text = String::from_utf8_lossy(line).into_owned();
            records.push((text, Record { step: parsed.step, values }));
        }
        Ok((records, !rest.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(log: &MetricsLog) -> Vec<u64> {
        log.read().unwrap().iter().map(|r| r.step).collect()
    }

    #[test]
    fn survives_a_crash_and_goes_on_from_a_step() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.jsonl");
        let mut log = MetricsLog::at(&path);
        assert!(log.read().unwrap().is_empty());
        for step in [10, 20, 30] {
            log.append(step, &[("loss", 0.1 * step as f64), ("nan", f64::NAN)]).unwrap();
        }
        assert_eq!(log.read().unwrap()[0].values["loss"], 1.0);
        assert!(log.read().unwrap()[0].values["nan"].is_nan());

        let mut text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("{\"step\":10,\"loss\":1.0,\"nan\":null}\n"), "{text}");
        text.push_str("{\"step\":40,\"lo");
        fs::write(&path, text).unwrap();
        assert_eq!(steps(&log), [10, 20, 30]);

        let mut log = MetricsLog::at(&path);
        log.append(40, &[]).unwrap();
        assert_eq!(steps(&log), [10, 20, 30, 40]);
        log.truncate_after(20).unwrap();
        log.append(30, &[]).unwrap();
        assert_eq!(steps(&log), [10, 20, 30]);
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.jsonl");
        fs::write(&path, "{\"step\":1}\nnonsense\n{\"step\":2}\n").unwrap();
        let error = MetricsLog::at(&path).read().unwrap_err().to_string();
        assert!(error.contains("m.jsonl") && error.contains("line 2"), "{error}");
    }
}
