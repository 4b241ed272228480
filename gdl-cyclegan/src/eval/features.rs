use crate::Result;
use candle_core::{DType, Device, Tensor, bail};
use gdl_vgg::{Preprocess, Tap, Vgg, VggConfig, VggWeights};

/// Feature vectors, one for each picture.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_cyclegan::eval::{Features, fid, kid};
///
/// let x = Features::from_tensor(&Tensor::new(&[[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], &Device::Cpu)?)?;
/// let y = Features::from_tensor(&Tensor::new(&[[5.0, 1.0], [6.0, 0.0], [6.0, 1.0]], &Device::Cpu)?)?;
/// assert!((fid(&x, &y)? - 25.0).abs() < 1e-9); // moved by 5
/// assert!(kid(&x, &y)? > 0.0);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    rows: Vec<f64>,
    dim: usize,
}

impl Features {
    /// None yet, of that many numbers each.
    pub fn new(dim: usize) -> Self {
        Self { rows: Vec::new(), dim }
    }

    /// The rows of a matrix.
    ///
    /// # Shape
    /// (pictures, features).
    ///
    /// # Errors
    /// When it is no matrix.
    pub fn from_tensor(rows: &Tensor) -> candle_core::Result<Self> {
        let (_, dim) = rows.dims2()?;
        Ok(Self { rows: gdl_kernels::read(std::slice::from_ref(rows))?, dim })
    }

    /// Adds those of one more picture.
    ///
    /// # Errors
    /// When there are not as many numbers as in the others.
    pub fn push(&mut self, features: &[f64]) -> candle_core::Result<()> {
        if features.len() != self.dim {
            bail!("Features: {} numbers of a picture, where the others have {}", features.len(), self.dim)
        }
        self.rows.extend_from_slice(features);
        Ok(())
    }

    /// How many pictures.
    pub fn len(&self) -> usize {
        self.rows.len() / self.dim.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many numbers each picture has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All numbers, row by row.
    pub(super) fn rows(&self) -> &[f64] {
        &self.rows
    }

    /// The rows of some pictures, in that order; a picture may come twice.
    pub(super) fn select(&self, pictures: &[usize]) -> Self {
        let row = |&i: &usize| &self.rows[i * self.dim..(i + 1) * self.dim];
        Self { rows: pictures.iter().flat_map(row).copied().collect(), dim: self.dim }
    }

    /// Whether all of them are finite numbers.
    pub(crate) fn is_finite(&self) -> bool {
        self.rows.iter().all(|v| v.is_finite())
    }

    /// Checks that two sets can be compared, for the function of that name.
    pub(super) fn check(&self, other: &Self, name: &str) -> candle_core::Result<()> {
        if self.dim != other.dim || self.dim == 0 {
            bail!("{name}: features of {} and {} numbers cannot be compared", self.dim, other.dim)
        }
        if self.len() < 2 || other.len() < 2 {
            let (m, n) = (self.len(), other.len());
            bail!("{name}: at least 2 pictures of each set are needed, there are {m} and {n}")
        }
        if !self.is_finite() || !other.is_finite() {
            bail!("{name}: a feature is no finite number")
        }
        Ok(())
    }
}

/// A VGG network that gives pictures their feature vectors: the maps at one tap, each averaged over the picture.
#[derive(Debug, Clone)]
pub struct FeatureNet {
    vgg: Vgg,
    preprocess: Preprocess,
    tap: Tap,
    device: Device,
}

/// The network of `VggWeights::random` that pictures are compared with when there are no trained weights: VGG-19 up to `relu4_1`.
pub fn random_network() -> VggConfig {
    VggConfig { upto: Tap::relu(4, 1), ..VggConfig::default() }
}

impl FeatureNet {
    /// The tap unless one says otherwise: `relu4_1` (512 features with the usual widths), or the last that the weights have before
    /// it. The same for every file of a network, however far it goes.
    pub fn default_tap(weights: &VggWeights) -> Tap {
        Tap::relu(4, 1).min(weights.last_tap())
    }

    /// The network up to that tap, or to [`default_tap`](Self::default_tap).
    ///
    /// # Errors
    /// When the weights do not reach the tap.
    pub fn new(weights: &VggWeights, tap: Option<Tap>, device: &Device) -> Result<Self> {
        let tap = tap.unwrap_or_else(|| Self::default_tap(weights));
        let vgg = weights.vgg(&weights.config(tap)?, DType::F32, device)?;
        Ok(Self { vgg, preprocess: weights.preprocess().clone(), tap, device: device.clone() })
    }

    /// Where features are read.
    pub fn tap(&self) -> Tap {
        self.tap
    }

    /// How many features a picture has.
    pub fn dim(&self) -> usize {
        self.vgg.config().widths[self.tap.block - 1]
    }

    /// The features of one picture.
    ///
    /// # Shape
    /// (3, H, W) in [0, 1] to [`dim`](Self::dim) numbers. H and W at least 2^(b-1), for a tap of block b.
    ///
    /// # Errors
    /// When the picture has another shape or is smaller.
    pub fn features(&self, picture: &Tensor) -> Result<Vec<f64>> {
        let x = picture.to_dtype(DType::F32)?.unsqueeze(0)?.to_device(&self.device)?; // (1, 3, H, W)
        let maps = self.vgg.features(&self.preprocess.apply(&x)?, &[self.tap])?;
        let maps = maps[0].to_device(&Device::Cpu)?.to_dtype(DType::F64)?; // (1, C, H', W')
        Ok(maps.mean((2, 3))?.squeeze(0)?.to_vec1()?)
    }

    /// The features of many pictures.
    ///
    /// # Errors
    /// Those of the pictures, and of [`features`](Self::features).
    pub fn of(&self, pictures: impl IntoIterator<Item = Result<Tensor>>) -> Result<Features> {
        let mut all = Features::new(self.dim());
        for picture in pictures {
            all.push(&self.features(&picture?)?)?;
        }
        Ok(all)
    }
}
