use super::{SAFETENSORS, VggWeights};
use crate::{Error, Result, Tap};
use candle_core::{DType, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The metadata key of [`checksum`].
const CHECKSUM: &str = "checksum";

impl VggWeights {
    /// Writes the weights to a `.safetensors` file, with all that [`VggWeights::open`] needs in its metadata and a checksum
    /// that it verifies. Whole or not at all: a temporary file, synced and renamed.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, when the folder or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_as(path, DType::F32)
    }

    /// As [`VggWeights::save`], with another type for the numbers: [`DType::F16`] halves the file, and keeps three decimal digits.
    ///
    /// # Errors
    /// As [`VggWeights::save`]; [`Error::Mismatch`] for a number that the type cannot hold.
    pub fn save_as(&self, path: impl AsRef<Path>, dtype: DType) -> Result<()> {
        let path = path.as_ref();
        let io = Error::io;
        let mut tensors = BTreeMap::new();
        for (key, tensor) in &self.tensors {
            let narrowed = tensor.to_dtype(dtype)?;
            super::checked(&path.display().to_string(), key, &narrowed, tensor.dims())?;
            tensors.insert(key.clone(), narrowed);
        }
        let mut metadata = self.metadata();
        metadata.insert(CHECKSUM.into(), checksum(tensors.values())?);
        let bytes = safetensors::serialize(&tensors, Some(metadata))
            .map_err(|e| Error::format(&path.display().to_string(), SAFETENSORS, e))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".gdl-").suffix(".tmp");
        // A temporary is private by default; this file gets what the user's umask gives to any new one.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut temporary = builder.tempfile_in(folder).map_err(io("write", path))?;
        std::io::Write::write_all(&mut temporary, &bytes).map_err(io("write", path))?;
        temporary.as_file().sync_all().map_err(io("write", path))?;
        temporary.persist(path).map_err(|e| io("write", path)(e.error))?;
        Ok(())
    }
}

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
pub(super) fn verify_checksum(
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
fn checksum<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<String> {
    let mut hash = gdl_kernels::Fnv1a::default();
    for tensor in tensors {
        for value in tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()? {
            hash.update(value.to_bits());
        }
    }
    Ok(format!("fnv1a-{:016x}", hash.finish()))
}
