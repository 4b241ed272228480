use crate::builtin::{Domain, Split, builtin_set, builtin_truth};
use crate::data::no_held_out;
use crate::eval::{TestOptions, TestSet};
use crate::method::Pairs;
use crate::{DataSpec, Direction, Error, Result};
use candle_core::Tensor;
use gdl_image_io::{ImageFolder, LoadOptions, Preprocess, Range};
use gdl_kernels::rng::Rng;
use serde::{Deserialize, Serialize};

/// Pairs of pictures, side by side in one file each, and how they are brought to size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignedConfig {
    /// A folder of files that hold A on the left and B on the right; or a built-in domain, whose scenes have true
    /// counterparts: `builtin:A` and `builtin:B` are the same two looks of different scenes.
    pub pairs: DataSpec,
    /// Pairs that are not trained on, for [`KeepBest`](crate::KeepBest); by default the test split of a built-in domain, and none of a
    /// folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_pairs: Option<DataSpec>,
    /// What is translated into what; from A, the left, to B, the right, by default.
    #[serde(default)]
    pub direction: Direction,
    /// Height and width of the training pictures (`crop_size`); 256 by default.
    #[serde(default = "default_size")]
    pub size: usize,
    /// What each half is scaled to before a piece of `size` is cut out; `size * 286 / 256` by default, as the reference.
    #[serde(default)]
    pub load_size: Option<usize>,
    /// How the halves are brought to size; `resize_and_crop` by default.
    #[serde(default)]
    pub preprocess: Preprocess,
    /// Whether every second pair (on average) is mirrored; true by default.
    #[serde(default = "default_flip")]
    pub flip: bool,
    /// How many pairs of a built-in domain are drawn; 256 by default.
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

impl AlignedConfig {
    /// Pairs at 256x256, with the reference's preprocessing.
    pub fn new(pairs: DataSpec) -> Self {
        Self {
            pairs,
            val_pairs: None,
            direction: Direction::AtoB,
            size: default_size(),
            load_size: None,
            preprocess: Preprocess::default(),
            flip: default_flip(),
            builtin_count: default_count(),
        }
    }
}

/// Pairs of pictures, in an order shuffled anew each epoch. Both pictures of a pair are cut at the same place and mirrored
/// together.
///
/// # Source
/// `data/aligned_dataset.py` of the reference. Deliberate difference: of an odd width the middle column is left out, so that
/// both halves are of one size.
#[derive(Debug, Clone)]
pub struct AlignedData {
    pictures: Pictures,
    config: AlignedConfig,
    seed: u64,
}

#[derive(Debug, Clone)]
enum Pictures {
    Folder(ImageFolder),
    Drawn(Vec<(Tensor, Tensor)>),
}

/// The halves of a picture that holds two, left and right.
///
/// # Shape
/// (C, H, W) to two of (C, H, W / 2).
///
/// # Errors
/// When the picture is narrower than two pixels.
pub fn halves(picture: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
    let (_, h, w) = picture.dims3()?;
    if w < 2 {
        candle_core::bail!("a picture of {h}x{w} pixels cannot hold two side by side")
    }
    Ok((picture.narrow(2, 0, w / 2)?.contiguous()?, picture.narrow(2, w.div_ceil(2), w / 2)?.contiguous()?))
}

/// The scenes of a built-in domain and their counterparts, with A first.
pub(crate) fn drawn_pairs(
    domain: Domain,
    split: Split,
    count: usize,
    size: usize,
    seed: u64,
) -> Result<Vec<(Tensor, Tensor)>> {
    let scenes = builtin_set(domain, split, count, size, seed)?;
    let truths = builtin_truth(domain, split, count, size, seed)?;
    let pairs = scenes.into_iter().zip(truths);
    Ok(match domain {
        Domain::A => pairs.collect(),
        Domain::B => pairs.map(|(b, a)| (a, b)).collect(),
    })
}

impl AlignedData {
    fn load(&self, index: usize, rng: &mut Rng) -> Result<(Tensor, Tensor)> {
        let config = &self.config;
        let size = config.size;
        let ((a, b), preprocess, load_size) = match &self.pictures {
            Pictures::Folder(folder) => {
                let load_size = config.load_size.unwrap_or(size * 286 / 256);
                (halves(&folder.load(index)?)?, config.preprocess, load_size)
            }
            // Drawn at the right size.
            Pictures::Drawn(pairs) => (pairs[index].clone(), Preprocess::ResizeAndCrop, size),
        };
        // The same draws for both.
        let mut again = rng.clone();
        let a = preprocess.apply(&a, load_size, size, config.flip, rng)?;
        let b = preprocess.apply(&b, load_size, size, config.flip, &mut again)?;
        Ok((a, b))
    }

    /// As a network wants them, in the direction of translation.
    fn directed(&self, (a, b): (Tensor, Tensor)) -> Result<(Tensor, Tensor)> {
        let (a, b) = (Range::Symmetric.from_unit(&a)?, Range::Symmetric.from_unit(&b)?);
        Ok(match self.config.direction {
            Direction::AtoB => (a, b),
            Direction::BtoA => (b, a),
        })
    }
}

impl Pairs for AlignedData {
    type Config = AlignedConfig;

    fn open(config: &AlignedConfig, seed: u64) -> Result<Self> {
        for (key, value) in [
            ("size", config.size),
            ("load_size", config.load_size.unwrap_or(1)),
            ("builtin_count", config.builtin_count),
        ] {
            if value == 0 {
                return Err(Error::Setting { key, message: "must be at least 1, not 0".into() });
            }
        }
        let pictures = match &config.pairs {
            DataSpec::Folder(path) => Pictures::Folder(ImageFolder::open(path, LoadOptions::default())?),
            DataSpec::Builtin(domain) => {
                Pictures::Drawn(drawn_pairs(*domain, Split::Train, config.builtin_count, config.size, seed)?)
            }
        };
        Ok(Self { pictures, config: config.clone(), seed })
    }

    fn absolute(config: &mut AlignedConfig) -> Result<()> {
        let AlignedConfig { pairs, val_pairs, .. } = config;
        [Some(pairs), val_pairs.as_mut()].into_iter().flatten().try_for_each(DataSpec::absolute)
    }

    fn held_out(config: &AlignedConfig, count: Option<usize>, seed: u64) -> Result<Vec<TestSet>> {
        let pairs = config.val_pairs.as_ref().or(config.pairs.brings_its_own());
        let pairs = pairs.ok_or_else(|| no_held_out("val_pairs"))?;
        let options = TestOptions { size: Some(config.size), count, seed };
        Ok(vec![TestSet::paired(pairs, config.direction, &options)?])
    }

    fn epoch_len(&self) -> u64 {
        match &self.pictures {
            Pictures::Folder(folder) => folder.len().max(1) as u64,
            Pictures::Drawn(pairs) => pairs.len().max(1) as u64,
        }
    }

    fn sample(&self, index: u64) -> Result<(Tensor, Tensor)> {
        let (epoch, place) = (index / self.epoch_len(), index % self.epoch_len());
        let mut order: Vec<usize> = (0..self.epoch_len() as usize).collect();
        Rng::stream(self.seed, &format!("order {epoch}")).shuffle(&mut order);
        let mut rng = Rng::stream(self.seed, &format!("sample {index}"));
        self.directed(self.load(order[place as usize], &mut rng)?)
    }

    fn shown(&self, count: usize) -> Result<Vec<(Tensor, Tensor)>> {
        match &self.config.pairs {
            // Scenes not trained on.
            DataSpec::Builtin(domain) => {
                drawn_pairs(*domain, Split::Test, count, self.config.size, self.seed)?
                    .into_iter()
                    .map(|pair| self.directed(pair))
                    .collect()
            }
            DataSpec::Folder(_) => (0..count as u64).map(|i| self.sample(i)).collect(),
        }
    }
}
