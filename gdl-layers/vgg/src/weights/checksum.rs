use super::{SAFETENSORS, VggWeights};
use crate::{Error, Result, Tap};
use candle_core::{DType, Tensor};
use std::collections::{BTreeMap, HashMap};

/// The metadata key of [`checksum`].
pub(super) const CHECKSUM: &str = "checksum";

impl VggWeights {
    /// A number that weights have in common when they are the same up to a tap, whatever the file and however far it
    /// reaches: the checksum of all convolutions up to there. Against mistakes, not against malice.
    ///
    /// # Errors
    /// When the weights do not reach the tap.
    pub fn fingerprint(&self, upto: Tap) -> Result<String> {
        self.config(upto)?;
        let convs = self.arch.convs().take_while(|c| (c.block, c.index) <= (upto.block, upto.index));
        let keys = convs.flat_map(|conv| conv.keys());
        checksum(keys.filter_map(|key| self.tensors.get(&key)))
    }
}

/// Checks the tensors of a file against the checksum in its metadata, where there is one.
pub(super) fn verify(
    origin: &str,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &HashMap<String, String>,
) -> Result<()> {
    match metadata.get(CHECKSUM) {
        Some(sum) if *sum != checksum(tensors.values())? => {
            Err(Error::format(origin, SAFETENSORS, "its checksum does not match its tensors"))
        }
        _ => Ok(()),
    }
}

/// FNV-1a (64 bit) over the bit patterns of all tensors in their order: against damage, not against malice.
pub(super) fn checksum<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<String> {
    let mut hash = gdl_kernels::Fnv1a::default();
    for tensor in tensors {
        for value in tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()? {
            hash.update(value.to_bits());
        }
    }
    Ok(format!("fnv1a-{:016x}", hash.finish()))
}
