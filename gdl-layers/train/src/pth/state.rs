//! From a pickle to named tensors.

use super::pickle::{Id, Pickle, Value, kind};
use super::storage::{Described, is_storage};
use std::collections::BTreeMap;

/// Tensors by name, before their numbers are read.
pub(super) type Descriptions = BTreeMap<String, Described>;

/// What else than storages a state dict may name.
const NAMES: [&str; 4] = [
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
];

/// The tensors of a state dict, or of a dict that holds one as `state_dict`.
pub(super) fn tensors(pickle: &Pickle) -> Result<Descriptions, String> {
    if let Some(name) = pickle.names().find(|name| !NAMES.contains(name) && !is_storage(name)) {
        return Err(format!("it names {name}; only tensors are read, and nothing is executed"));
    }
    let Value::Dict(entries) = pickle.top() else {
        return Err(format!("it holds {} and no state dict; save `net.state_dict()`", kind(pickle.top())));
    };
    let inner = entries.iter().find(|(key, _)| pickle.text(*key).is_ok_and(|key| key == "state_dict"));
    match inner.map(|(_, value)| pickle.get(*value)) {
        Some(Value::Dict(entries)) => described(pickle, entries),
        _ => described(pickle, entries),
    }
}

fn described(pickle: &Pickle, entries: &[(Id, Id)]) -> Result<Descriptions, String> {
    entries
        .iter()
        .map(|&(key, value)| {
            let key = pickle.text(key)?;
            let tensor = Described::read(pickle, value).map_err(|e| format!("{key} {e}"))?;
            Ok((key.to_string(), tensor))
        })
        .collect()
}
