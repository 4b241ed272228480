//! Named tensors as `.safetensors` files hold them.

use crate::{Error, Result};
use candle_core::safetensors::Load;
use candle_core::{DType, Device, Shape, Tensor};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Tensors by name, in the order of their names.
pub type Tensors = BTreeMap<String, Tensor>;

pub(crate) const WHAT: &str = "safetensors file";

/// Every tensor in the bytes of a `.safetensors` file, and the text saved with them; `origin` stands for a path in errors.
///
/// # Errors
/// [`Error::Format`] when the bytes are truncated or no such file.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_train::{Tensors, tensors_from_bytes, tensors_to_bytes};
///
/// let weights = Tensors::from([("bias".to_string(), Tensor::new(&[1f32, 2.0], &Device::Cpu)?)]);
/// let bytes = tensors_to_bytes("memory", &weights, &Default::default())?;
/// let (again, _) = tensors_from_bytes("memory", &bytes, &Device::Cpu)?;
/// assert_eq!(again["bias"].to_vec1::<f32>()?, [1.0, 2.0]);
/// assert!(tensors_from_bytes("memory", &bytes[1..], &Device::Cpu).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tensors_from_bytes(
    origin: impl AsRef<Path>,
    bytes: &[u8],
    device: &Device,
) -> Result<(Tensors, BTreeMap<String, String>)> {
    let origin = origin.as_ref();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| Error::format(origin, WHAT, e))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let views = SafeTensors::deserialize(bytes).map_err(|e| Error::format(origin, WHAT, e))?;
    let tensors = views
        .iter()
        .map(|(name, view)| {
            let tensor =
                view.load(device).map_err(|e| Error::format(origin, WHAT, format!("{name}: {e}")))?;
            Ok((name.to_string(), tensor))
        })
        .collect::<Result<_>>()?;
    Ok((tensors, metadata))
}

/// The bytes of a `.safetensors` file with tensors, and text about them; `origin` stands for a path in errors.
///
/// # Errors
/// [`Error::Format`] for a type of numbers that such files have not, [`Error::Tensor`] when a device gives its tensors not back.
pub fn tensors_to_bytes(
    origin: impl AsRef<Path>,
    tensors: &Tensors,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    safetensors::serialize(on_host(tensors)?, text(metadata)).map_err(|e| Error::format(origin, WHAT, e))
}

/// On the CPU: candle's view of a tensor panics when a copy from another device fails.
pub(crate) fn on_host(tensors: &Tensors) -> Result<Vec<(&String, Tensor)>> {
    tensors.iter().map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?))).collect()
}

/// Text for a file's header, which has none rather than an empty one.
pub(crate) fn text(metadata: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect())
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
