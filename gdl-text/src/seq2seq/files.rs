use super::{Model, Pairs, RunConfig};
use crate::checkpoint::best_or_last;
use crate::{Error, Result};
use candle_core::Device;
use gdl_train::RunDir;
use std::fs::File;
use std::path::Path;

impl Model {
    /// Loads a run's model with its best weights, where it has some, and else, or if `last` asks for them, with those of the last
    /// checkpoint.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) when a file is missing or broken, [`Error::Mismatch`](crate::Error::Mismatch) when the run is
    /// of another kind or a tokenizer does not fit.
    pub fn load(run: impl AsRef<Path>, last: bool, device: &Device) -> Result<Self> {
        let run = RunDir::open(run)?;
        let config = RunConfig::read(&run)?;
        let sides = config.sides(&run)?;
        let (origin, tensors) = best_or_last(&run, last, device)?;
        Self::new(config, sides, &origin, &tensors, device)
    }
}

impl Pairs {
    /// Reads a file.
    ///
    /// # Errors
    /// Those of [`from_reader`](Self::from_reader).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_reader(path.display().to_string(), file)
    }
}
