//! The format of PyTorch before 1.6: after the two pickles of [`MAGIC`] one about the machine, the state dict, the order of the
//! storages, and then each storage as its length and its elements.

use super::pickle::{Pickle, Value};
use super::state;
use super::storage::Described;
use crate::Tensors;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// How such a file begins: one pickle with a magic number, and one with the version, 1001.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";

pub(super) fn load(path: &Path, wanted: &impl Fn(&str) -> bool) -> Result<Tensors, String> {
    let mut reader = BufReader::new(File::open(path).map_err(|e| e.to_string())?);
    let mut magic = vec![0; MAGIC.len()];
    if reader.read_exact(&mut magic).is_err() || magic != MAGIC {
        return Err("it begins neither as a zip archive nor as PyTorch wrote before 1.6".to_string());
    }
    check_machine(&Pickle::read(&mut reader)?)?;
    let described = state::tensors(&Pickle::read(&mut reader)?)?;
    let order = Pickle::read(&mut reader)?;
    let Value::List(order_ids) = order.top() else { return Err("it lists no storages".to_string()) };
    let mut tensors = Tensors::new();
    for &key in order_ids {
        let key = order.text(key)?;
        let users: Vec<_> = described.iter().filter(|(_, t)| t.storage == key).collect();
        let Some((_, first)) = users.first() else {
            return Err(format!("storage {key} belongs to no tensor"));
        };
        let size = storage_size(&mut reader, key, first)?;
        let users: Vec<_> = users.into_iter().filter(|(name, _)| wanted(name)).collect();
        if users.is_empty() {
            // A classifier: hundreds of megabytes that nobody needs.
            let skip = i64::try_from(size).map_err(|_| format!("storage {key} has an impossible length"))?;
            reader.seek_relative(skip).map_err(|e| e.to_string())?;
            continue;
        }
        let mut bytes = Vec::new();
        reader.by_ref().take(size).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        for (name, tensor) in users {
            tensors.insert(name.clone(), tensor.cut(&bytes).map_err(|e| format!("{name}: {e}"))?);
        }
    }
    match described.keys().find(|name| wanted(name) && !tensors.contains_key(*name)) {
        Some(name) => Err(format!("{name} has no storage in it")),
        None => Ok(tensors),
    }
}

/// The length that stands before a storage, in bytes, checked with the one in the pickle.
fn storage_size(reader: &mut impl Read, key: &str, tensor: &Described) -> Result<u64, String> {
    let mut count = [0; 8];
    reader.read_exact(&mut count).map_err(|_| "it is truncated".to_string())?;
    let size = u64::from_le_bytes(count).checked_mul(tensor.dtype.size_in_bytes() as u64);
    match size {
        Some(size) if Some(size) == tensor.storage_bytes() => Ok(size),
        _ => Err(format!("storage {key} has not the length that its tensors tell")),
    }
}

fn check_machine(pickle: &Pickle) -> Result<(), String> {
    let Value::Dict(entries) = pickle.top() else {
        return Err("it does not tell its byte order".to_string());
    };
    let order = entries.iter().find(|(key, _)| pickle.text(*key).is_ok_and(|key| key == "little_endian"));
    match order.map(|(_, value)| pickle.get(*value)) {
        Some(Value::Bool(true)) => Ok(()),
        Some(_) => Err("its numbers are big-endian, and only little-endian ones are read".to_string()),
        None => Err("it does not tell its byte order".to_string()),
    }
}
