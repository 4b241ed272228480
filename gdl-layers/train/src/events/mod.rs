//! Event files for [TensorBoard](https://www.tensorflow.org/tensorboard): `tensorboard --logdir RUN`.

mod crc32c;
mod proto;

use crate::{Error, Result};
use proto::{What, record};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A picture as the bytes of a PNG or JPEG file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Writes numbers, pictures and texts by step into `events.out.tfevents.*` files in one folder.
///
/// A writer makes a file of its own with the first event, behind those that are there; every event is handed to the system
/// at once, so TensorBoard can follow. A training that goes on from an earlier step says so by
/// [`purge_from`](Self::purge_from).
///
/// # Example
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// let mut events = gdl_train::events::EventWriter::at(dir.path().join("tensorboard"));
/// events.scalars(100, &[("loss", 1.25), ("learning_rate", 2e-4)])?;
/// # Ok::<(), gdl_train::Error>(())
/// ```
///
/// # Source
/// TensorFlow's `event.proto`, `summary.proto` and `record_writer.cc`; what `purge_from` writes is what its own writers and
/// PyTorch's (`purge_step`) write.
#[derive(Debug)]
pub struct EventWriter {
    folder: PathBuf,
    file: Option<(PathBuf, File)>,
    purge: Option<u64>,
}

impl EventWriter {
    /// A writer into that folder, which is made with the first event.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), file: None, purge: None }
    }

    /// Tells readers, with the next event, that those of this step and later ones which were written so far are void: they
    /// are about to be written again.
    pub fn purge_from(&mut self, step: u64) {
        self.purge = Some(step);
    }

    /// Numbers by name (`tag`). They are kept in 32 bits, as TensorBoard has them.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        self.write(step, &What::Scalars(values))
    }

    /// A picture.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn image(&mut self, step: u64, tag: &str, picture: &Picture) -> Result<()> {
        self.write(step, &What::Image(tag, picture))
    }

    /// A text. TensorBoard shows it as Markdown.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn text(&mut self, step: u64, tag: &str, text: &str) -> Result<()> {
        self.write(step, &What::Text(tag, text))
    }

    fn write(&mut self, step: u64, what: &What<'_>) -> Result<()> {
        let now = seconds();
        let mut bytes = Vec::new();
        if self.file.is_none() {
            self.file = Some(self.open(now)?);
            bytes = record(now, 0, &What::Version);
        }
        if let Some(from) = self.purge.take() {
            bytes.extend(record(now, from, &What::Start));
        }
        bytes.extend(record(now, step, what));
        match &mut self.file {
            Some((path, file)) => file.write_all(&bytes).map_err(Error::io("write", path)),
            None => Ok(()),
        }
    }

    /// A new file whose name, in which the time stands, sorts behind those that are there: that is the order they are read in.
    fn open(&self, now: f64) -> Result<(PathBuf, File)> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let mut number = newest(&self.folder)?.map_or(0, |last: u64| last.saturating_add(1)).max(now as u64);
        loop {
            let path = self.folder.join(format!("{PREFIX}{number:010}.gdl"));
            match File::options().create_new(true).append(true).open(&path) {
                Ok(file) => return Ok((path, file)),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number = number.saturating_add(1),
                Err(e) => return Err(Error::io("create", &path)(e)),
            }
        }
    }
}

const PREFIX: &str = "events.out.tfevents.";

/// The largest number in the names of the event files in a folder.
fn newest(folder: &Path) -> Result<Option<u64>> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let number = |name: &str| name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok();
    Ok(entries.flatten().filter_map(|entry| number(&entry.file_name().to_string_lossy())).max())
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The events of a file by their framing: the message alone.
    fn events(path: &Path) -> Vec<Vec<u8>> {
        let bytes = fs::read(path).unwrap();
        let (mut rest, mut events) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            events.push(rest[12..12 + length].to_vec());
            rest = &rest[16 + length..];
        }
        events
    }

    #[test]
    fn a_training_that_goes_on_begins_a_file_behind_the_first_and_voids_what_it_repeats() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tensorboard");
        let mut first = EventWriter::at(&folder);
        for step in 1..=3 {
            first.scalars(step, &[("loss", 1.0)]).unwrap();
        }
        let mut second = EventWriter::at(&folder);
        second.purge_from(3);
        assert_eq!(files(&folder).len(), 1);
        second.scalars(3, &[("loss", 2.0)]).unwrap();
        let files = files(&folder);
        // In the same second, and in order all the same.
        assert_eq!(files[1], second.file.as_ref().unwrap().0);
        let [old, new] = [0, 1].map(|i| events(&files[i]));
        assert_eq!((old.len(), new.len()), (4, 3));
        // Behind the time: step 3, and a session log that says "start".
        assert_eq!(new[1][9..], [0x10, 3, 0x3a, 2, 8, 1]);
    }
}
