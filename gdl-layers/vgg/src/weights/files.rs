//! Weights in files on a disk.

use super::checksum::{CHECKSUM, checksum};
use super::ranges::RangeSource;
use super::{SAFETENSORS, VggWeights, is_feature};
use crate::{Error, Result, STANDARD_WIDTHS};
use candle_core::DType;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

impl VggWeights {
    /// Reads a weight file: `.safetensors`, or a PyTorch checkpoint (`.pth`) in the zip format or the older one. Which it
    /// is, its content says.
    ///
    /// Of a checkpoint only the tensors are read; nothing in it is executed.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or does not hold the convolutions of a VGG network: each with the path,
    /// and the key where there is one.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let origin = path.display().to_string();
        if gdl_train::is_pth(path)? {
            return Self::from_tensors(&origin, gdl_train::load_pth(path, is_feature)?, &HashMap::new());
        }
        Self::from_safetensors(&origin, &std::fs::read(path).map_err(Error::io("read", path))?)
    }

    /// Writes the weights to a `.safetensors` file, with all that [`VggWeights::open`] needs in its metadata and a checksum
    /// that it verifies. Whole or not at all: a temporary file, synced and renamed.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, when the folder or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_as(path, DType::F32)
    }

    /// As [`VggWeights::save`], with another type for the numbers: [`DType::F16`] halves the file, and keeps three decimal digits.
    ///
    /// # Errors
    /// As [`VggWeights::save`]; [`Error::Mismatch`] for a number that the type cannot hold.
    pub fn save_as(&self, path: impl AsRef<Path>, dtype: DType) -> Result<()> {
        let path = path.as_ref();
        let io = Error::io;
        let mut tensors = BTreeMap::new();
        for (key, tensor) in &self.tensors {
            let narrowed = tensor.to_dtype(dtype)?;
            super::checked(&path.display().to_string(), key, &narrowed, tensor.dims())?;
            tensors.insert(key.clone(), narrowed);
        }
        let mut metadata = self.metadata();
        metadata.insert(CHECKSUM.into(), checksum(tensors.values())?);
        let bytes = safetensors::serialize(&tensors, Some(metadata))
            .map_err(|e| Error::format(&path.display().to_string(), SAFETENSORS, e))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".gdl-").suffix(".tmp");
        // A temporary is private by default; this file gets what the user's umask gives to any new one.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut temporary = builder.tempfile_in(folder).map_err(io("write", path))?;
        std::io::Write::write_all(&mut temporary, &bytes).map_err(io("write", path))?;
        temporary.as_file().sync_all().map_err(io("write", path))?;
        temporary.persist(path).map_err(|e| io("write", path)(e.error))?;
        Ok(())
    }

    /// Metadata with which [`VggWeights::open`] reads the tensors back as they are here.
    fn metadata(&self) -> HashMap<String, String> {
        let mut metadata = self.preprocess.to_metadata();
        metadata.insert("architecture".into(), self.arch.to_string());
        metadata.insert("last".into(), self.last_tap().to_string());
        if self.widths != STANDARD_WIDTHS {
            let widths: Vec<_> = self.widths.iter().map(ToString::to_string).collect();
            metadata.insert("widths".into(), widths.join(","));
        }
        metadata
    }
}

/// A file on a disk as a [`RangeSource`].
#[derive(Debug)]
pub struct FileRange {
    path: PathBuf,
    file: File,
}

impl FileRange {
    /// Opens the file.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        Ok(Self { path, file })
    }
}

impl RangeSource for FileRange {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn read_range(&mut self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(range.start)).map_err(Error::io("read", &self.path))?;
        let mut part = (&mut self.file).take(range.end.saturating_sub(range.start));
        part.read_to_end(&mut bytes).map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }
}
