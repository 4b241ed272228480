use crate::{DiscriminatorConfig, Error, GeneratorConfig, Result, RunWeights, infer};
use candle_core::{DType, Device};
use gdl_train::{ParamStore, RunDir, Tensors, is_pth, load_pth, load_tensors, save_pth, save_tensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One network in a file of its own, as the reference keeps it: `latest_net_G.pth`, `200_net_D_A.pth`, or the same as
/// `.safetensors`.
///
/// # Example
/// ```no_run
/// use gdl_cyclegan::NetFile;
///
/// let net = NetFile::open("checkpoints/horse2zebra/latest_net_G_A.pth")?;
/// println!("{:?}", net.generator()?);
/// net.save("horse2zebra.safetensors")?;
/// # Ok::<(), gdl_cyclegan::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NetFile {
    path: PathBuf,
    tensors: Tensors,
}

impl NetFile {
    /// Reads a file; its content says which format it is in.
    ///
    /// Prefixes that wrappers of PyTorch have left (`module.`, `_orig_mod.`) are taken off the names; statistics that instance
    /// norms of before PyTorch 0.4 kept, and counters of batches, are dropped; numbers of other precision become f32. A
    /// checkpoint's pickle is never executed.
    ///
    /// # Errors
    /// When the file cannot be read, or holds anything but tensors.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let tensors = match is_pth(path)? {
            true => load_pth(path, |_| true)?,
            false => load_tensors(path, &Device::Cpu)?.0,
        };
        if tensors.is_empty() || tensors.keys().any(|key| key.starts_with("net_")) {
            let message = match tensors.is_empty() {
                true => "it holds no tensors",
                false => "it holds several networks; name the directory of its run",
            };
            return Err(Error::Checkpoint { path: path.to_path_buf(), message: message.into() });
        }
        Ok(Self { path: path.to_path_buf(), tensors: as_ours(tensors)? })
    }

    /// The network of that name (one of [`NETS`](crate::NETS) or [`PIX2PIX_NETS`](crate::PIX2PIX_NETS)) out of a run's last checkpoint.
    ///
    /// # Errors
    /// When the directory is no run, has no checkpoint, or none with that network.
    pub fn of_run(run: &RunDir, net: &str) -> Result<Self> {
        Self::of_run_with(run, RunWeights::Last, net)
    }

    /// The network of that name out of a run's weights of that kind.
    ///
    /// # Errors
    /// As for [`of_run`](Self::of_run).
    pub fn of_run_with(run: &RunDir, weights: RunWeights, net: &str) -> Result<Self> {
        let path = weights.path(run)?;
        let prefix = format!("{net}.");
        let (tensors, _) = load_tensors(&path, &Device::Cpu)?;
        let tensors: Tensors = tensors
            .into_iter()
            .filter_map(|(key, tensor)| Some((key.strip_prefix(&prefix)?.to_string(), tensor)))
            .collect();
        if tensors.is_empty() {
            return Err(Error::Checkpoint { path, message: format!("it holds no {net}") });
        }
        Ok(Self { path, tensors })
    }

    /// Where it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its weights and running statistics, under the reference's names.
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// What the generator looks like whose weights these are.
    ///
    /// The names and shapes tell all but two things: residual blocks with replication look like those with reflection, and are
    /// taken for the latter; and a U-Net's dropout leaves no trace, and is left out.
    ///
    /// # Errors
    /// When they are no generator's.
    pub fn generator(&self) -> Result<GeneratorConfig> {
        infer::generator(&self.tensors).map_err(|e| self.fault(format!("it holds no generator: {e}")))
    }

    /// What the discriminator looks like whose weights these are.
    ///
    /// # Errors
    /// When they are no discriminator's.
    pub fn discriminator(&self) -> Result<DiscriminatorConfig> {
        infer::discriminator(&self.tensors).map_err(|e| self.fault(format!("it holds no discriminator: {e}")))
    }

    /// Gives a network its weights.
    ///
    /// # Errors
    /// When a tensor is missing, left over, or of another shape; then nothing has changed.
    pub fn load_into(&self, store: &ParamStore) -> Result<()> {
        Ok(store.load_tensors(&self.path.display().to_string(), &self.tensors)?)
    }

    /// Writes the network for the reference: `.pth` as `torch.save` does, or `.safetensors`, as the name ends. Whole or
    /// not at all.
    ///
    /// # Errors
    /// When the name ends otherwise, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match path.extension().and_then(|e| e.to_str()) {
            Some("pth") => Ok(save_pth(path, &self.tensors)?),
            Some("safetensors") => {
                let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
                Ok(save_tensors(path, &self.tensors, &metadata)?)
            }
            _ => {
                let message = "its name must end in .pth or .safetensors".into();
                Err(Error::Checkpoint { path: path.to_path_buf(), message })
            }
        }
    }

    fn fault(&self, message: String) -> Error {
        Error::Checkpoint { path: self.path.clone(), message }
    }
}

/// The reference's tensors as a network here wants them.
fn as_ours(tensors: Tensors) -> Result<Tensors> {
    let tensors: Tensors =
        tensors.into_iter().map(|(key, tensor)| (bare(&key).to_string(), tensor)).collect();
    let is_stale = |key: &str| match key.rsplit_once('.') {
        Some((_, "num_batches_tracked")) => true,
        // A batch norm has a scale beside them; an instance norm here never has.
        Some((layer, "running_mean" | "running_var")) => !tensors.contains_key(&format!("{layer}.weight")),
        _ => false,
    };
    let kept = tensors.iter().filter(|(key, _)| !is_stale(key));
    Ok(kept
        .map(|(key, tensor)| {
            let tensor =
                if tensor.dtype().is_float() { tensor.to_dtype(DType::F32)? } else { tensor.clone() };
            Ok((key.clone(), tensor))
        })
        .collect::<candle_core::Result<_>>()?)
}

/// A name without what `DataParallel` and `torch.compile` put before it.
fn bare(key: &str) -> &str {
    let stripped = key.strip_prefix("module.").or_else(|| key.strip_prefix("_orig_mod."));
    stripped.map_or(key, bare)
}
