use super::{Tokenizer, TokenizerConfig};
use crate::{Error, Result};
use std::path::Path;

impl Tokenizer {
    /// Reads a saved `tokenizer.json`, to be used with the choices it was trained with, or one from elsewhere at level
    /// `custom`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the file cannot be read or is none, [`Error::Mismatch`] when it is one of the other
    /// level or its ids have holes.
    pub fn load(path: impl AsRef<Path>, config: &TokenizerConfig) -> Result<Self> {
        let path = path.as_ref();
        let origin = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_bytes(&bytes, config, &origin)
    }

    /// Writes `tokenizer.json`: whole or not at all.
    ///
    /// # Errors
    /// [`Error::Train`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(gdl_train::atomic_write_bytes(path, self.to_json()?)?)
    }
}
