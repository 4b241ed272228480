use crate::builtin::{Domain, Split, builtin_set};
use crate::eval::{TestOptions, TestSet};
use crate::method::Pairs;
use crate::{Error, Result};
use candle_core::Tensor;
use gdl_image_io::{ImageFolder, LoadOptions, Preprocess, Range};
use gdl_kernels::rng::Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the pictures of one domain come from: a folder, or `builtin:A` / `builtin:B`.
///
/// # Example
/// ```
/// use gdl_cyclegan::DataSpec;
/// use gdl_cyclegan::builtin::Domain;
///
/// assert_eq!("builtin:A".parse::<DataSpec>().unwrap(), DataSpec::Builtin(Domain::A));
/// assert_eq!("photos/monet".parse::<DataSpec>().unwrap().to_string(), "photos/monet");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataSpec {
    /// A domain drawn by the program.
    Builtin(Domain),
    /// Every image in a folder.
    Folder(PathBuf),
}

impl DataSpec {
    /// Itself, where it holds pictures that are not trained on.
    pub(crate) fn brings_its_own(&self) -> Option<&Self> {
        matches!(self, Self::Builtin(_)).then_some(self)
    }

    /// Makes a folder's path absolute.
    pub(crate) fn absolute(&mut self) -> Result<()> {
        if let Self::Folder(path) = self {
            let absolute = std::path::absolute(&*path);
            *path = absolute.map_err(|source| Error::Io { action: "find", path: path.clone(), source })?;
        }
        Ok(())
    }
}

impl FromStr for DataSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix("builtin:") {
            Some(name) => name
                .parse()
                .map(Self::Builtin)
                .map_err(|message: String| Error::Data { spec: text.to_string(), message }),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

impl TryFrom<String> for DataSpec {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(domain) => write!(f, "builtin:{domain:?}"),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

impl From<DataSpec> for String {
    fn from(spec: DataSpec) -> Self {
        spec.to_string()
    }
}

/// There are no pictures to score with, but there could be by those settings.
pub(crate) fn no_held_out(settings: &str) -> Error {
    let message =
        format!("needs validation pictures: set {settings}; only the built-in domains bring their own");
    Error::Setting { key: "keep_best", message }
}

/// The two domains and how their pictures are brought to size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Domain A.
    pub a: DataSpec,
    /// Domain B.
    pub b: DataSpec,
    /// Pictures of domain A that are not trained on, for [`KeepBest`](crate::KeepBest); by default the test split of a built-in domain,
    /// and none of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_a: Option<DataSpec>,
    /// Likewise of domain B.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_b: Option<DataSpec>,
    /// Height and width of the training pictures (`crop_size`); 256 by default.
    #[serde(default = "default_size")]
    pub size: usize,
    /// What folders' pictures are scaled to before a piece of `size` is cut out; `size * 286 / 256` by default, as the reference.
    #[serde(default)]
    pub load_size: Option<usize>,
    /// How folders' pictures are brought to size; `resize_and_crop` by default.
    #[serde(default)]
    pub preprocess: Preprocess,
    /// Whether every second picture (on average) is mirrored; true by default.
    #[serde(default = "default_flip")]
    pub flip: bool,
    /// How many pictures of a built-in domain are drawn; 256 by default.
    #[serde(default = "default_count")]
    pub builtin_count: usize,
}

fn default_size() -> usize {
    256
}

fn default_flip() -> bool {
    true
}

fn default_count() -> usize {
    256
}

impl DataConfig {
    /// Two domains at 256x256, with the reference's preprocessing.
    pub fn new(a: DataSpec, b: DataSpec) -> Self {
        Self {
            a,
            b,
            val_a: None,
            val_b: None,
            size: default_size(),
            load_size: None,
            preprocess: Preprocess::default(),
            flip: default_flip(),
            builtin_count: default_count(),
        }
    }
}

/// The pictures of one domain, as the files are or as they were drawn.
#[derive(Debug, Clone)]
enum Pictures {
    Folder(ImageFolder),
    Drawn(Vec<Tensor>),
}

impl Pictures {
    fn open(spec: &DataSpec, config: &DataConfig, seed: u64) -> Result<Self> {
        Ok(match spec {
            DataSpec::Folder(path) => Self::Folder(ImageFolder::open(path, LoadOptions::default())?),
            DataSpec::Builtin(domain) => {
                Self::Drawn(builtin_set(*domain, Split::Train, config.builtin_count, config.size, seed)?)
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Folder(folder) => folder.len(),
            Self::Drawn(pictures) => pictures.len(),
        }
    }

    /// Picture number `index` at its training size, in [0, 1].
    fn load(&self, index: usize, config: &DataConfig, rng: &mut Rng) -> Result<Tensor> {
        let size = config.size;
        Ok(match self {
            Self::Folder(folder) => {
                let load_size = config.load_size.unwrap_or(size * 286 / 256);
                config.preprocess.apply(&folder.load(index)?, load_size, size, config.flip, rng)?
            }
            // Drawn at the right size.
            Self::Drawn(pictures) => {
                Preprocess::ResizeAndCrop.apply(&pictures[index], size, size, config.flip, rng)?
            }
        })
    }
}

/// Unpaired pictures of two domains: A in an order shuffled anew each epoch, with a random B each.
///
/// What sample number `i` is depends on the seed and on `i` alone: the place in the data is a number, and a resumed run
/// goes on exactly.
///
/// # Source
/// `data/unaligned_dataset.py` of the reference: an epoch is as long as the larger domain.
#[derive(Debug, Clone)]
pub struct UnalignedData {
    a: Pictures,
    b: Pictures,
    config: DataConfig,
    seed: u64,
}

impl Pairs for UnalignedData {
    type Config = DataConfig;

    fn open(config: &DataConfig, seed: u64) -> Result<Self> {
        for (key, value) in [
            ("size", config.size),
            ("load_size", config.load_size.unwrap_or(1)),
            ("builtin_count", config.builtin_count),
        ] {
            if value == 0 {
                return Err(Error::Setting { key, message: "must be at least 1, not 0".into() });
            }
        }
        Ok(Self {
            a: Pictures::open(&config.a, config, seed)?,
            b: Pictures::open(&config.b, config, seed)?,
            config: config.clone(),
            seed,
        })
    }

    fn absolute(config: &mut DataConfig) -> Result<()> {
        let DataConfig { a, b, val_a, val_b, .. } = config;
        [Some(a), Some(b), val_a.as_mut(), val_b.as_mut()]
            .into_iter()
            .flatten()
            .try_for_each(DataSpec::absolute)
    }

    fn held_out(config: &DataConfig, count: Option<usize>, seed: u64) -> Result<Vec<TestSet>> {
        let a = config.val_a.as_ref().or(config.a.brings_its_own());
        let b = config.val_b.as_ref().or(config.b.brings_its_own());
        let (a, b) = a.zip(b).ok_or_else(|| no_held_out("val_a and val_b"))?;
        Ok(TestSet::unpaired(a, b, &TestOptions { size: Some(config.size), count, seed })?.into())
    }

    fn epoch_len(&self) -> u64 {
        self.a.len().max(self.b.len()).max(1) as u64
    }

    fn sample(&self, index: u64) -> Result<(Tensor, Tensor)> {
        let (epoch, place) = (index / self.epoch_len(), index % self.epoch_len());
        let mut order: Vec<usize> = (0..self.epoch_len() as usize).collect();
        Rng::stream(self.seed, &format!("order {epoch}")).shuffle(&mut order);
        let mut rng = Rng::stream(self.seed, &format!("sample {index}"));
        let a = self.a.load(order[place as usize] % self.a.len(), &self.config, &mut rng)?;
        let b = self.b.load(rng.below(self.b.len()), &self.config, &mut rng)?;
        Ok((Range::Symmetric.from_unit(&a)?, Range::Symmetric.from_unit(&b)?))
    }

    /// Unseen scenes of the built-in domains, else the first samples.
    fn shown(&self, count: usize) -> Result<Vec<(Tensor, Tensor)>> {
        let unseen = |spec: &DataSpec| match spec {
            DataSpec::Builtin(domain) => {
                builtin_set(*domain, Split::Test, count, self.config.size, self.seed).map(Some)
            }
            DataSpec::Folder(_) => Ok(None),
        };
        let (a, b) = (unseen(&self.config.a)?, unseen(&self.config.b)?);
        (0..count)
            .map(|i| {
                let sample = self.sample(i as u64)?;
                let pick = |unseen: &Option<Vec<Tensor>>, seen: Tensor| match unseen {
                    Some(pictures) => Range::Symmetric.from_unit(&pictures[i]),
                    None => Ok(seen),
                };
                Ok((pick(&a, sample.0)?, pick(&b, sample.1)?))
            })
            .collect()
    }
}
