//! Style caches in files on a disk.

use super::StyleCache;
use super::file::{LARGEST, TOO_LARGE};
use crate::{Error, Result};
use candle_core::Device;
use gdl_train::{load_tensors, save_tensors};
use std::path::Path;

impl StyleCache {
    /// Writes it to a file, whole or not at all: safetensors in f32, of matrices the upper triangle, and a description in
    /// the metadata.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (tensors, about) = self.packed()?;
        Ok(save_tensors(path, &tensors, &about)?)
    }

    /// Reads a file that [`StyleCache::save`] wrote, to the CPU. Files from anybody are safe to read: names, shapes, types,
    /// sizes and numbers are checked.
    ///
    /// # Errors
    /// When it cannot be read, is no such file, or of a later version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let origin = path.display().to_string();
        if std::fs::metadata(path).is_ok_and(|meta| meta.len() > LARGEST) {
            return Err(Error::StyleCache { origin, message: TOO_LARGE.to_string() });
        }
        let (tensors, metadata) = load_tensors(path, &Device::Cpu)?;
        Self::unpacked(&origin, tensors, &metadata)
    }
}
