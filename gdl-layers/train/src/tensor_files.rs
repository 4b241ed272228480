//! Tensors, parameters and states of optimizers in `.safetensors` files.

use crate::atomic::atomic_write_at;
use crate::tensors::{WHAT, on_host, tensors_from_bytes, text};
use crate::{Error, OptimizerState, ParamStore, Result, Tensors};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes tensors, and text about them, to a `.safetensors` file: whole or not at all.
///
/// # Errors
/// [`Error::Io`] or [`Error::Format`], each with the path.
pub fn save_tensors(
    path: impl AsRef<Path>,
    tensors: &Tensors,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let path = path.as_ref();
    let host = on_host(tensors)?;
    atomic_write_at(path, |temporary| {
        safetensors::serialize_to_file(host, text(metadata), temporary).map_err(|e| match e {
            safetensors::SafeTensorError::IoError(e) => Error::io("write", path)(e),
            e => Error::format(path, WHAT, e),
        })
    })
}

/// Reads every tensor of a `.safetensors` file, and the text saved with them.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Format`] when it is truncated or no such file.
pub fn load_tensors(path: impl AsRef<Path>, device: &Device) -> Result<(Tensors, BTreeMap<String, String>)> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    tensors_from_bytes(path, &bytes, device)
}

impl ParamStore {
    /// Writes every variable to a `.safetensors` file: whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save_tensors(path, &self.tensors(), &BTreeMap::new())
    }

    /// Takes every variable's value from a `.safetensors` file.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`] when the file cannot be read, and those of [`load_tensors`](Self::load_tensors); on an
    /// error no variable has changed.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let (tensors, _) = load_tensors(path, self.device())?;
        self.load_tensors(&path.display().to_string(), &tensors)
    }
}

const KIND: &str = "optimizer";
/// Marks the scalars among the tensors of a file; no variable's name has a slash.
const SCALAR: &str = "scalar/";

impl OptimizerState {
    /// Writes the state to a `.safetensors` file (scalars as f64 tensors of rank 0): whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut tensors = self.tensors.clone();
        for (name, &value) in &self.scalars {
            tensors.insert(format!("{SCALAR}{name}"), Tensor::new(value, &Device::Cpu)?);
        }
        save_tensors(path, &tensors, &BTreeMap::from([(KIND.to_string(), self.kind.clone())]))
    }

    /// Reads a state that [`save`](Self::save) has written; the tensors stay on the CPU.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`] with the path.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (all, mut metadata) = load_tensors(path, &Device::Cpu)?;
        let Some(kind) = metadata.remove(KIND) else {
            return Err(Error::format(path, "optimizer state", "its metadata name no optimizer"));
        };
        let mut state = Self { kind, scalars: BTreeMap::new(), tensors: Tensors::new() };
        for (name, tensor) in all {
            match name.strip_prefix(SCALAR) {
                None => {
                    state.tensors.insert(name, tensor);
                }
                Some(scalar) => {
                    let value = tensor
                        .to_scalar()
                        .map_err(|e| Error::format(path, "optimizer state", format!("{name}: {e}")))?;
                    state.scalars.insert(scalar.to_string(), value);
                }
            }
        }
        Ok(state)
    }
}
