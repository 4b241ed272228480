mod load;

use crate::transfer::{fit, style_size};
use crate::{Error, NstConfig, Objective, Result, Style};
use candle_core::Tensor;
use gdl_vgg::VggWeights;
use load::{Load, Sizes};
use std::fmt;

/// How each scale of a style transfer is computed, and the memory that it takes.
///
/// Its `Display` has a line for each scale: `4096x3072 in tiles of 1280: 7.40 GB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// From small to large, as [`NstConfig::scales`].
    pub scales: Vec<ScalePlan>,
}

/// How one scale is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalePlan {
    /// Pixels on the longer side that were asked for.
    pub size: usize,
    /// Height of the picture.
    pub height: usize,
    /// Width of the picture.
    pub width: usize,
    /// The side of the tiles, in pixels; None where the picture is taken whole.
    pub tile: Option<usize>,
    /// The most that the process takes at this scale, in bytes: an estimate from above.
    pub bytes: u64,
}

/// The smallest tiles that are planned, in pixels: around smaller ones there is more than in them.
const LEAST: usize = 64;

/// Plans a style transfer: which scales are computed in tiles, of which size, and how much memory each takes.
///
/// A scale is taken whole where that stays within [`max_memory`](NstConfig::max_memory), or where there is none, and the
/// picture is no larger than [`tile`](NstConfig::tile); else in the largest tiles that do. Nothing is computed: the
/// estimate adds up what a step keeps, tensor by tensor, with the network as it is read (taps, widths, pooling), for f32
/// on the CPU. It is that of the whole process, with the pictures and the network, and was measured against the program
/// `gdl` (see the README); a program whose allocator gives memory back less willingly may take more.
///
/// # Shape
/// As [`StyleTransfer::new`](crate::StyleTransfer::new).
///
/// # Errors
/// A setting outside its range, a tap that the weights do not reach; [`Error::Memory`], which names what would do, where
/// the smallest tiles are too large.
///
/// # Example
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_nst::{NstConfig, plan};
/// use gdl_vgg::{VggConfig, VggWeights};
///
/// let weights = VggWeights::random(&NstConfig::untrained_network(), 1)?;
/// let picture = Tensor::zeros((3, 768, 1024), DType::F32, &Device::Cpu)?;
/// let config = NstConfig { size: 1024, max_memory: Some(700 << 20), ..NstConfig::untrained() };
/// let plan = plan(&config, &weights, &picture, &[picture.clone().into()])?;
/// let (first, last) = (&plan.scales[0], &plan.scales[plan.scales.len() - 1]);
/// assert!(first.tile.is_none() && last.tile.is_some());
/// assert!(plan.peak() <= 700 << 20);
/// # Ok::<(), gdl_nst::Error>(())
/// ```
pub fn plan(config: &NstConfig, weights: &VggWeights, content: &Tensor, styles: &[Style]) -> Result<Plan> {
    config.check()?;
    let (_, h, w) = content.dims3()?;
    plan_of(config, weights, (h, w), styles, false)
}

/// [`plan`] for a content of height and width; in a film with a frame before it.
pub(crate) fn plan_of(
    config: &NstConfig,
    weights: &VggWeights,
    (h, w): (usize, usize),
    styles: &[Style],
    follows: bool,
) -> Result<Plan> {
    let last = Objective::last_tap(config, weights)?;
    let load = Load::new(config, weights, (h, w), styles, follows)?;
    let mut scales = Vec::new();
    for scale in config.scales() {
        let size = scale.size;
        let (height, width) = fit((h, w), size, last);
        let sizes = styles.iter().filter_map(|style| style_size(config, style, size, last).transpose());
        let sizes = Sizes { picture: (height, width), styles: sizes.collect::<candle_core::Result<_>>()? };
        let found = |tile| ScalePlan { size, height, width, tile, bytes: load.bytes(&sizes, tile) };
        let fits = |plan: &ScalePlan| config.max_memory.is_none_or(|most| plan.bytes <= most);
        let longest = sizes.styles.iter().chain([&sizes.picture]).map(|(h, w)| *h.max(w)).max().unwrap_or(1);
        let whole = config.tile.is_none_or(|side| side >= longest).then(|| found(None)).filter(fits);
        let most = config.tile.unwrap_or(longest);
        let sides = (1..=most.div_ceil(LEAST)).rev().map(|n| (n * LEAST).min(most));
        match whole.or_else(|| sides.map(|side| found(Some(side))).find(fits)) {
            Some(plan) => scales.push(plan),
            None => {
                let least = found(Some(most.min(LEAST))).bytes;
                return Err(Error::Memory { height, width, least, most: config.max_memory.unwrap_or(0) });
            }
        }
    }
    Ok(Plan { scales })
}

impl Plan {
    /// What is planned for the program itself, its threads, and what they set aside for their kernels, in bytes.
    pub const PROGRAM: u64 = 150 << 20;

    /// The most that the process takes, in bytes: an estimate from above.
    pub fn peak(&self) -> u64 {
        self.scales.iter().map(|scale| scale.bytes).max().unwrap_or(0)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scale) in self.scales.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            scale.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for ScalePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} ", self.width, self.height)?;
        match self.tile {
            None => write!(f, "whole")?,
            Some(side) => write!(f, "in tiles of {side}")?,
        }
        write!(f, ": {:.2} GB", self.bytes as f64 / 1e9)
    }
}
