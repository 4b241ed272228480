//! Named tensors in `.safetensors` files.

use crate::atomic::atomic_write_at;
use crate::{Error, Result};
use candle_core::safetensors::Load;
use candle_core::{DType, Device, Shape, Tensor};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Tensors by name, in the order of their names.
pub type Tensors = BTreeMap<String, Tensor>;

const WHAT: &str = "safetensors file";

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
    // On the CPU first: candle's view of a tensor panics when a copy from another device fails.
    let host =
        tensors.iter().map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?))).collect::<Result<Vec<_>>>()?;
    let metadata: Option<HashMap<String, String>> =
        (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect());
    atomic_write_at(path, |temporary| {
        safetensors::serialize_to_file(host, metadata, temporary).map_err(|e| match e {
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
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| Error::format(path, WHAT, e))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let views = SafeTensors::deserialize(&bytes).map_err(|e| Error::format(path, WHAT, e))?;
    let tensors = views
        .iter()
        .map(|(name, view)| {
            let tensor = view.load(device).map_err(|e| Error::format(path, WHAT, format!("{name}: {e}")))?;
            Ok((name.to_string(), tensor))
        })
        .collect::<Result<_>>()?;
    Ok((tensors, metadata))
}

/// What a tensor has to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expected {
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
}

impl Expected {
    pub(crate) fn of(t: &Tensor) -> Self {
        Self { shape: t.shape().clone(), dtype: t.dtype() }
    }
}

/// Checks names, shapes and types against what is expected, all of them; one error tells of every kind of mismatch.
pub(crate) fn check(origin: &str, found: &Tensors, expected: &BTreeMap<String, Expected>) -> Result<()> {
    let missing: Vec<_> = expected.keys().filter(|k| !found.contains_key(*k)).cloned().collect();
    let extra: Vec<_> = found.keys().filter(|k| !expected.contains_key(*k)).cloned().collect();
    let mut shapes = Vec::new();
    let mut dtypes = Vec::new();
    for (name, want) in expected {
        let Some(got) = found.get(name) else { continue };
        if got.shape() != &want.shape {
            shapes.push(format!("{name} (expected {:?}, found {:?})", want.shape.dims(), got.dims()));
        } else if got.dtype() != want.dtype {
            let (want, got) = (want.dtype.as_str(), got.dtype().as_str());
            dtypes.push(format!("{name} (expected {want}, found {got})"));
        }
    }
    let faults: Vec<_> =
        [("missing", missing), ("not in the model", extra), ("wrong shape", shapes), ("wrong type", dtypes)]
            .into_iter()
            .filter(|(_, keys)| !keys.is_empty())
            .map(|(fault, keys)| format!("{fault}: {}", some_of(&keys)))
            .collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::mismatch(origin, faults.join("; "))) }
}

/// The first few keys; a file of another model would name hundreds.
fn some_of(keys: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = keys[..keys.len().min(SHOWN)].join(", ");
    if keys.len() > SHOWN { format!("{shown} and {} more", keys.len() - SHOWN) } else { shown }
}
