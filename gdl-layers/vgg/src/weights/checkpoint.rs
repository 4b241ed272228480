//! PyTorch checkpoints, read with candle's pickle parser: it builds a tree of values and executes nothing.

use super::is_feature;
use crate::{Error, Result};
use candle_core::pickle::{Object, PthTensors, Stack, TensorInfo};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const WHAT: &str = "PyTorch checkpoint";
const ZIP: &[u8] = b"PK\x03\x04";
/// How `torch.save` began before PyTorch 1.6, and how torchvision's VGG files still begin: two pickles, one with a magic
/// number and one with the version, 1001.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
/// The largest weight of any VGG has 2.4 million elements; nothing larger is allocated.
const MAX_ELEMENTS: usize = 1 << 24;

/// Whether the file begins as a checkpoint does.
pub(super) fn is_checkpoint(path: &Path) -> Result<bool> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(LEGACY.len() as u64).read_to_end(&mut head).map_err(Error::io("read", path))?;
    Ok(head.starts_with(ZIP) || head == LEGACY)
}

/// The tensors whose names begin with `features.`.
pub(super) fn load(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let fault = |message: String| Error::format(&path.display().to_string(), WHAT, message);
    // The parser indexes into malformed tuples without looking; a panic there is a fault of the file.
    catch_unwind(AssertUnwindSafe(|| {
        let mut magic = [0u8; 4];
        File::open(path)?.read_exact(&mut magic)?;
        if magic == ZIP { load_zip(path) } else { load_legacy(path) }
    }))
    .unwrap_or_else(|_| candle_core::bail!("its pickle is malformed"))
    .map_err(|e| fault(e.to_string()))
}

fn load_zip(path: &Path) -> candle_core::Result<BTreeMap<String, Tensor>> {
    // A training checkpoint keeps the network one level down.
    for key in [None, Some("state_dict")] {
        let Ok(file) = PthTensors::new(path, key) else { continue };
        let infos = file.tensor_infos();
        let mut tensors = BTreeMap::new();
        for (name, info) in infos.iter().filter(|(name, _)| is_feature(name)) {
            check_size(info)?;
            if let Some(tensor) = file.get(name)? {
                tensors.insert(name.clone(), tensor);
            }
        }
        if !tensors.is_empty() {
            return Ok(tensors);
        }
    }
    // Once more for the message, if it cannot be read at all.
    PthTensors::new(path, None)?;
    Ok(BTreeMap::new())
}

fn check_size(info: &TensorInfo) -> candle_core::Result<()> {
    let elements = info.layout.dims().iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    if elements.is_none_or(|n| n > MAX_ELEMENTS) {
        candle_core::bail!("{} has shape {:?}, too large for VGG", info.name, info.layout.dims())
    }
    Ok(())
}

/// The older format: after the two pickles above one about the machine, the state itself, the order of the
/// storages, and then each storage as its length and its elements.
fn load_legacy(path: &Path) -> candle_core::Result<BTreeMap<String, Tensor>> {
    let mut reader = BufReader::new(File::open(path)?);
    reader.seek(SeekFrom::Start(LEGACY.len() as u64))?;
    unpickle(&mut reader)?;
    let Object::Dict(entries) = unpickle(&mut reader)? else { candle_core::bail!("it holds no state dict") };
    let Object::List(order) = unpickle(&mut reader)? else { candle_core::bail!("it lists no storages") };
    let infos: Vec<TensorInfo> = entries
        .into_iter()
        .filter_map(|(name, value)| value.into_tensor_info(name, Path::new("")).transpose())
        .collect::<candle_core::Result<_>>()?;
    let mut tensors = BTreeMap::new();
    for key in order {
        let Object::Unicode(key) = key else { candle_core::bail!("a storage has no name") };
        let storage = format!("/{key}");
        let users: Vec<&TensorInfo> = infos.iter().filter(|i| i.path == storage).collect();
        let Some(first) = users.first() else { candle_core::bail!("storage {key} belongs to no tensor") };
        let mut count = [0u8; 8];
        reader.read_exact(&mut count)?;
        let size = u64::from_le_bytes(count).checked_mul(first.dtype.size_in_bytes() as u64);
        let Some(size) = size else { candle_core::bail!("storage {key} has an impossible length") };
        if !users.iter().any(|i| is_feature(&i.name)) {
            // A classifier: hundreds of megabytes that nobody needs.
            reader.seek_relative(i64::try_from(size).unwrap_or(i64::MAX))?;
            continue;
        }
        if size > 8 * MAX_ELEMENTS as u64 {
            candle_core::bail!("storage {key} of {size} bytes is too large for VGG")
        }
        let mut bytes = vec![0u8; size as usize];
        reader.read_exact(&mut bytes)?;
        for info in users.into_iter().filter(|i| is_feature(&i.name)) {
            tensors.insert(info.name.clone(), view(info, &bytes)?);
        }
    }
    Ok(tensors)
}

fn unpickle(reader: &mut impl BufRead) -> candle_core::Result<Object> {
    let mut stack = Stack::empty();
    stack.read_loop(reader)?;
    stack.finalize()
}

/// A tensor within its storage.
fn view(info: &TensorInfo, storage: &[u8]) -> candle_core::Result<Tensor> {
    check_size(info)?;
    let layout = &info.layout;
    if !layout.is_contiguous() {
        candle_core::bail!("{} is not contiguous", info.name)
    }
    // The parser counts the offset in bytes.
    let start = layout.start_offset();
    let len = layout.shape().elem_count() * info.dtype.size_in_bytes();
    let Some(bytes) = start.checked_add(len).and_then(|end| storage.get(start..end)) else {
        candle_core::bail!("{} reaches beyond its storage", info.name)
    };
    Tensor::from_raw_buffer(bytes, info.dtype, layout.dims(), &Device::Cpu)
}
