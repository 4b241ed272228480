//! Tokens in memory, and from some number on in a temporary file.

use super::{Store, Tokens};
use crate::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// As many tokens are kept in memory; more of them in a file.
const IN_MEMORY: usize = 1 << 24;

/// The folder for such files; by default the system's for temporary files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch(Option<PathBuf>);

impl Scratch {
    pub(crate) fn at(folder: impl Into<PathBuf>) -> Self {
        Self(Some(folder.into()))
    }

    fn folder(&self) -> PathBuf {
        self.0.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Tokens in a file.
#[derive(Debug)]
struct Spilled {
    file: Mutex<File>,
    width: Width,
    folder: PathBuf,
}

impl Store for Spilled {
    fn read_into(&self, range: Range<usize>, ids: &mut Vec<u32>) -> Result<()> {
        let mut bytes = vec![0; range.len() * self.width.bytes()];
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start((range.start * self.width.bytes()) as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|source| Error::Read { path: self.folder.clone(), source })?;
        ids.extend(self.width.get(&bytes));
        Ok(())
    }
}

/// Bytes of a token in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    Two,
    Four,
}

impl Width {
    fn of(vocab_size: usize) -> Self {
        match vocab_size {
            0..=0x100 => Self::One,
            0x101..=0x1_0000 => Self::Two,
            _ => Self::Four,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    fn put(self, ids: &[u32]) -> Vec<u8> {
        ids.iter().flat_map(|id| id.to_le_bytes().into_iter().take(self.bytes())).collect()
    }

    fn get(self, bytes: &[u8]) -> impl Iterator<Item = u32> {
        let id = |bytes: &[u8]| bytes.iter().rev().fold(0, |id, &byte| id << 8 | u32::from(byte));
        bytes.chunks_exact(self.bytes()).map(id)
    }
}

/// Takes the tokens of a text as they come.
pub(super) struct Writer {
    ids: Vec<u32>,
    file: Option<BufWriter<File>>,
    len: usize,
    width: Width,
    folder: PathBuf,
    in_memory: usize,
}

impl Writer {
    pub(super) fn new(vocab_size: usize, scratch: &Scratch) -> Self {
        let (width, folder) = (Width::of(vocab_size), scratch.folder());
        Self { ids: Vec::new(), file: None, len: 0, width, folder, in_memory: IN_MEMORY }
    }

    fn refused(&self) -> impl Fn(std::io::Error) -> Error + use<> {
        let path = self.folder.clone();
        move |source| Error::Scratch { path: path.clone(), source }
    }

    pub(super) fn add(&mut self, ids: &[u32]) -> Result<()> {
        self.len += ids.len();
        let refused = self.refused();
        if self.file.is_none() && self.len <= self.in_memory {
            self.ids.extend_from_slice(ids);
            return Ok(());
        }
        if self.file.is_none() {
            let mut file = BufWriter::new(tempfile::tempfile_in(&self.folder).map_err(&refused)?);
            file.write_all(&self.width.put(&std::mem::take(&mut self.ids))).map_err(&refused)?;
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&self.width.put(ids)).map_err(&refused)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Tokens> {
        let refused = self.refused();
        let Self { ids, file, len, width, folder, .. } = self;
        let Some(file) = file else { return Ok(ids.into()) };
        let file = Mutex::new(file.into_inner().map_err(|e| refused(e.into_error()))?);
        Ok(Tokens { kept: Arc::new(Spilled { file, width, folder }), len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_a_file_are_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        for (vocab_size, highest) in [(256, 255), (257, 256), (65_536, 65_535), (70_000, 69_999)] {
            let ids: Vec<u32> = (0..1000).map(|i| (i * 7919) % (highest + 1)).chain([highest]).collect();
            let mut writer =
                Writer { in_memory: 100, ..Writer::new(vocab_size, &Scratch::at(folder.path())) };
            ids.chunks(60).for_each(|ids| writer.add(ids).unwrap());
            assert!(writer.file.is_some() && writer.ids.is_empty());
            let tokens = writer.finish().unwrap();
            assert_eq!(tokens.len(), ids.len());
            assert_eq!(tokens.read(0..ids.len()).unwrap(), ids);
            assert_eq!(tokens.read(95..130).unwrap(), ids[95..130]);
            assert!(tokens.read(990..1002).is_err());
        }
        let gone = folder.path().join("gone");
        let mut writer = Writer { in_memory: 0, ..Writer::new(9, &Scratch::at(&gone)) };
        let error = writer.add(&[1]).unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
    }
}
