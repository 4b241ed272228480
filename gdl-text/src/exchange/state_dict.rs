use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use gdl_train::{Tensors, first_not_finite, is_pth, load_pth, load_tensors};
use std::collections::BTreeMap;
use std::path::Path;

/// Wrappers that put a name of their own into every tensor's: `DataParallel` and AWD-LSTM's weight drop, and `torch.compile`.
const WRAPPERS: [&str; 2] = ["module", "_orig_mod"];
/// What the weight that is dropped from is called, beside what is left of it.
const RAW: &str = "_raw";

/// The tensors of a file by their plain names, in f32, and the text saved with them.
#[derive(Debug)]
pub(super) struct StateDict {
    /// The file.
    pub(super) origin: String,
    pub(super) tensors: Tensors,
    pub(super) metadata: BTreeMap<String, String>,
}

impl StateDict {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let (named, metadata) = match is_pth(path)? {
            true => (load_pth(path, |_| true)?, BTreeMap::new()),
            false => load_tensors(path, &Device::Cpu)?,
        };
        let mut tensors = BTreeMap::new();
        for (name, tensor) in named {
            let (plain, raw) = plain(&name);
            let tensor = as_f32(&origin, &name, &tensor)?;
            match tensors.get(&plain) {
                // What weight drop has left of a weight in the last step of the training.
                Some((_, _, true)) if !raw => continue,
                Some((other, _, false)) if !raw => {
                    return Err(Error::import(
                        &origin,
                        format!("{other} and {name} are both called {plain}"),
                    ));
                }
                _ => tensors.insert(plain, (name, tensor, raw)),
            };
        }
        let tensors: Tensors = tensors.into_iter().map(|(name, (_, tensor, _))| (name, tensor)).collect();
        if let Some((name, value)) = first_not_finite(&tensors)? {
            return Err(Error::import(&origin, format!("{name} holds {value}: its training has failed")));
        }
        Ok(Self { origin, tensors, metadata })
    }
}

/// A name without what wrappers have added, and whether it is that of a weight before weight drop.
fn plain(name: &str) -> (String, bool) {
    let parts: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
    let name = parts.join(".");
    match name.strip_suffix(RAW) {
        Some(name) => (name.to_string(), true),
        None => (name, false),
    }
}

fn as_f32(origin: &str, name: &str, tensor: &Tensor) -> Result<Tensor> {
    match tensor.dtype() {
        DType::F32 => Ok(tensor.clone()),
        DType::F64 | DType::F16 | DType::BF16 => Ok(tensor.to_dtype(DType::F32)?),
        other => {
            let message =
                format!("{name} is of the type {}; weights are floating-point numbers", other.as_str());
            Err(Error::import(origin, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off_names() {
        for (name, want, raw) in [
            ("rnn.weight_ih_l0", "rnn.weight_ih_l0", false),
            ("module._orig_mod.rnn.weight_ih_l0", "rnn.weight_ih_l0", false),
            ("rnns.0.module.weight_hh_l0_raw", "rnns.0.weight_hh_l0", true),
            ("modules.weight", "modules.weight", false),
        ] {
            assert_eq!(plain(name), (want.to_string(), raw));
        }
    }
}
