mod checksum;
#[cfg(feature = "files")]
pub(crate) mod files;
#[cfg(feature = "hub")]
pub mod hub;
mod random;
pub(crate) mod ranges;

use crate::{Arch, ConvSpec, Error, Preprocess, Result, STANDARD_WIDTHS, Tap, Vgg, VggConfig};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};

/// What the loaders call a file of tensors, in messages.
const SAFETENSORS: &str = "safetensors file";

/// The convolutions of a VGG network, as far as a file holds them, and how a picture must be fed to them.
///
/// # Parameters
/// `features.N.weight` and `features.N.bias` without gaps from the first convolution on; see [`Vgg`]. Other tensors
/// (classifiers: `classifier.*`, `pre_logits.*`, `head.*`) are passed over.
///
/// The metadata of a `.safetensors` file may say more: `architecture` (`vgg16`, `vgg19`; otherwise told from the
/// layer numbers), `widths` (five numbers with commas, for smaller networks), and the keys of
/// [`Preprocess::from_metadata`].
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use gdl_vgg::{Tap, VggConfig, VggWeights};
///
/// let upto = Tap::relu(2, 1);
/// let weights = VggWeights::random(&VggConfig { upto, ..VggConfig::default() }, 42)?;
/// assert_eq!(weights.last_tap(), upto);
/// let vgg = weights.vgg(&weights.config(upto)?, DType::F32, &Device::Cpu)?;
/// # Ok::<(), gdl_vgg::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct VggWeights {
    origin: String,
    arch: Arch,
    widths: [usize; 5],
    last: ConvSpec,
    preprocess: Preprocess,
    tensors: BTreeMap<String, Tensor>,
}

impl VggWeights {
    /// Reads the bytes of a `.safetensors` file, as one inside a program; `origin` stands for a path in messages.
    ///
    /// # Errors
    /// Bytes that are damaged, or do not hold the convolutions of a VGG network: each with the origin, and the key where there is one.
    pub fn from_safetensors(origin: &str, bytes: &[u8]) -> Result<Self> {
        let fault = |e| Error::format(origin, SAFETENSORS, e);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(fault)?;
        let views = SafeTensors::deserialize(bytes).map_err(fault)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in views.iter().filter(|(name, _)| is_feature(name)) {
            use candle_core::safetensors::Load;
            let tensor = view
                .load(&Device::Cpu)
                .map_err(|e| Error::format(origin, SAFETENSORS, format!("{name}: {e}")))?;
            tensors.insert(name.to_string(), tensor);
        }
        let metadata = header.metadata().clone().unwrap_or_default();
        checksum::verify(origin, &tensors, &metadata)?;
        Self::from_tensors(origin, tensors, &metadata)
    }

    /// Checks tensors and takes them as weights, in f32.
    ///
    /// `origin` stands for a path in messages; `metadata` is that of a file, or empty.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape than the network asks for, or holds NaN or infinite values.
    pub fn from_tensors(
        origin: &str,
        tensors: BTreeMap<String, Tensor>,
        metadata: &HashMap<String, String>,
    ) -> Result<Self> {
        let arch = find_arch(origin, &tensors, metadata)?;
        let widths = find_widths(origin, metadata)?;
        let present = |spec: &ConvSpec| spec.keys().iter().any(|k| tensors.contains_key(k));
        let Some(last) = arch.convs().filter(present).last() else {
            return Err(Error::mismatch(origin, "there is no tensor features.0.weight"));
        };
        let mut known = BTreeMap::new();
        for spec in arch.convs().take_while(|c| c.feature <= last.feature) {
            let [weight, bias] = spec.keys();
            let (weight_shape, bias_shape) = spec.shapes(&widths);
            for (key, shape) in [(weight, weight_shape), (bias, bias_shape)] {
                let tensor = tensors
                    .get(&key)
                    .ok_or_else(|| Error::mismatch(origin, format!("tensor {key} is missing")))?;
                known.insert(key.clone(), checked(origin, &key, tensor, &shape)?);
            }
        }
        if let Some(key) = tensors.keys().find(|k| is_feature(k) && !known.contains_key(*k)) {
            return Err(Error::mismatch(origin, format!("{arch} has no tensor {key}")));
        }
        let preprocess = Preprocess::from_metadata(metadata, origin)?;
        Ok(Self { origin: origin.to_string(), arch, widths, last, preprocess, tensors: known })
    }

    /// Where the weights came from: a path, a repository, or `random`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Which network they are of.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Channels of the five blocks.
    pub fn widths(&self) -> [usize; 5] {
        self.widths
    }

    /// How a picture must be fed to the network.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// The same weights, fed otherwise: for files that need it and do not say so, like Caffe's network as a `.pth`.
    pub fn with_preprocess(mut self, preprocess: Preprocess) -> Self {
        self.preprocess = preprocess;
        self
    }

    /// The tensors, by their keys.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// The last tap that these weights reach.
    pub fn last_tap(&self) -> Tap {
        Tap::relu(self.last.block, self.last.index)
    }

    /// Whether the network has that tap and these weights reach it.
    pub fn has(&self, tap: Tap) -> bool {
        self.arch.has(tap) && tap <= self.last_tap()
    }

    /// Where style is read unless one says otherwise: `relu1_1`, `relu2_1`, … `relu5_1`, as far as they are there.
    pub fn default_style_taps(&self) -> Vec<Tap> {
        (1..=5).map(|block| Tap::relu(block, 1)).filter(|t| self.has(*t)).collect()
    }

    /// Where content is read unless one says otherwise: `relu4_2`, or the last tap before it that is there.
    pub fn default_content_tap(&self) -> Tap {
        Tap::relu(4, 2).min(self.last_tap())
    }

    /// The configuration of a network that reaches `upto`: this architecture and these widths, otherwise the defaults.
    ///
    /// # Errors
    /// [`Error::TapBeyondEnd`], naming where the weights came from and their last tap.
    pub fn config(&self, upto: Tap) -> Result<VggConfig> {
        if !self.has(upto) {
            return Err(Error::TapBeyondEnd {
                origin: self.origin.clone(),
                tap: upto,
                last: self.last_tap(),
            });
        }
        Ok(VggConfig { arch: self.arch, widths: self.widths, upto, ..VggConfig::default() })
    }

    /// Builds the network on a device, with frozen weights.
    ///
    /// # Errors
    /// When `config` asks for another network than the weights are of, or for a tap they do not reach.
    pub fn vgg(&self, config: &VggConfig, dtype: DType, device: &Device) -> Result<Vgg> {
        if (config.arch, config.widths) != (self.arch, self.widths) {
            return Err(Error::mismatch(
                &self.origin,
                format!(
                    "asked for {} {:?}, found {} {:?}",
                    config.arch, config.widths, self.arch, self.widths
                ),
            ));
        }
        self.config(config.upto)?;
        let tensors = self.tensors.clone().into_iter().collect();
        Ok(Vgg::new(config, VarBuilder::from_tensors(tensors, dtype, device))?)
    }
}

fn is_feature(key: &str) -> bool {
    key.starts_with("features.")
}

/// The architecture that the metadata names, or that the layer numbers show. Both networks begin alike; up to there it
/// does not matter.
fn find_arch(
    origin: &str,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &HashMap<String, String>,
) -> Result<Arch> {
    match metadata.get("architecture").map(|s| s.to_ascii_lowercase()).as_deref() {
        Some("vgg16") => Ok(Arch::Vgg16),
        Some("vgg19") => Ok(Arch::Vgg19),
        Some(other) => Err(Error::Metadata {
            origin: origin.to_string(),
            key: "architecture",
            message: format!("expected vgg16 or vgg19, found {other:?}"),
        }),
        None if tensors.contains_key("features.17.weight") => Ok(Arch::Vgg16),
        None => Ok(Arch::Vgg19),
    }
}

fn find_widths(origin: &str, metadata: &HashMap<String, String>) -> Result<[usize; 5]> {
    let Some(text) = metadata.get("widths") else { return Ok(STANDARD_WIDTHS) };
    let widths: Option<Vec<usize>> = text.split(',').map(|w| w.trim().parse().ok()).collect();
    widths.and_then(|w| w.try_into().ok()).filter(|w: &[usize; 5]| w.iter().all(|n| *n > 0)).ok_or_else(
        || {
            let message = format!("expected five numbers above 0 with commas between them, found {text:?}");
            Error::Metadata { origin: origin.to_string(), key: "widths", message }
        },
    )
}

fn checked(origin: &str, key: &str, tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if tensor.dims() != shape {
        let message = format!("tensor {key} has shape {:?}, expected {shape:?}", tensor.dims());
        return Err(Error::mismatch(origin, message));
    }
    if !tensor.dtype().is_float() {
        let message = format!("tensor {key} holds {}, expected floating point", tensor.dtype().as_str());
        return Err(Error::mismatch(origin, message));
    }
    let tensor = tensor.to_dtype(DType::F32)?;
    if tensor.flatten_all()?.to_vec1::<f32>()?.iter().any(|v| !v.is_finite()) {
        return Err(Error::mismatch(origin, format!("tensor {key} holds NaN or infinite values")));
    }
    Ok(tensor)
}
