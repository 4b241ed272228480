mod about;
#[cfg(feature = "files")]
mod disk;
mod file;
mod packed;

use crate::colour::Palette;
use crate::objective::{Measured, Objective, least_side};
use crate::transfer::Styles;
use crate::{Error, NstConfig, Result, Style};
use about::{About, Network, VERSION};
use candle_core::{DType, Device, Tensor};
use gdl_vgg::{Tap, VggWeights};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a style transfer takes from style pictures, kept so that the pictures are no longer needed: a few MB, in memory
/// or in a file (`.gdlstyle`).
///
/// It holds the statistics of the features at each tap, for the size that the style has at each scale of the settings
/// it was made with, and the mean and the covariance of the colours. A transfer with it is the transfer with the
/// pictures, bit for bit on one machine (to rounding, where pictures are read in tiles). It goes with the network, the pooling, the preprocessing and the kind of
/// statistics that it was made with, and with taps and sizes that are among its own; other settings are free. Since
/// scales are `size / scale_factor^k`, one made for 1024 pixels serves 512 and 256 too; with
/// [`style_size`](NstConfig::style_size) there is one size, which serves all.
///
/// What needs the pictures' pixels it cannot do: [`keep_color`](NstConfig::keep_color).
///
/// # Example
/// ```
/// use gdl_nst::{NstConfig, StyleCache, StyleTransfer, builtin};
/// use gdl_vgg::VggWeights;
///
/// let weights = VggWeights::random(&NstConfig::untrained_network(), 42)?;
/// let config = NstConfig { size: 48, steps: 2, ..NstConfig::untrained() };
/// let picture = builtin::style(builtin::Style::Swirl, 64)?;
/// let cache = StyleCache::measure(&config, &weights, &[picture.into()], &candle_core::Device::Cpu)?;
/// let bytes = cache.to_bytes()?; // or a file: cache.save("swirl.gdlstyle")?
/// // ... and later: StyleCache::open("swirl.gdlstyle")?
/// let cache = StyleCache::from_bytes("swirl", &bytes)?;
/// let transfer = StyleTransfer::new(&config, &weights, &builtin::content(64)?, &[cache.into()])?;
/// assert_eq!(transfer.total_steps(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct StyleCache {
    /// A path, or what stands for it in messages.
    origin: String,
    about: Arc<About>,
    /// By the longer side of the style.
    sizes: Arc<BTreeMap<usize, Measured>>,
}

impl StyleCache {
    /// Takes the statistics of pictures, mixed by their weights, at the sizes that the settings go through.
    ///
    /// # Errors
    /// As [`StyleTransfer::new`](crate::StyleTransfer::new); when styles have masks, which belong to a picture painted
    /// with them, or different scales; when the settings keep colours.
    pub fn measure(
        config: &NstConfig,
        weights: &VggWeights,
        styles: &[Style],
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let fault = |key, message: &str| Err(Error::Setting { key, message: message.to_string() });
        if config.keep_color.is_some() {
            return fault(
                "keep_color",
                "changes the styles for each picture, so they cannot be kept in a cache",
            );
        }
        if styles.iter().any(|s| s.mask.is_some()) {
            return fault("masks", "belong to a picture, and cannot be kept in a cache of the styles");
        }
        if styles.iter().any(|s| s.scale != styles[0].scale) {
            return fault("styles", "must have one scale to be kept in a cache");
        }
        styles.iter().filter_map(Style::cache).try_for_each(|cache| cache.check(config, weights))?;
        let styles = Styles::new(styles, device)?;
        let vgg = Objective::network(config, weights, DType::F32, device)?;
        let sizes = styles.measure(config, weights, &vgg)?;
        let taps = |layers: Vec<crate::Layer>| {
            layers.iter().map(|l| l.tap).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let (style, histogram) =
            (taps(config.style_layers_of(weights)), taps(config.histogram_layers_of(weights)));
        let Some(palette) = styles.palette()? else { return fault("styles", "there must be one") };
        let about = About {
            version: VERSION,
            network: Network::of(weights, style.iter().chain(&histogram))?,
            pooling: config.pooling,
            statistics: config.statistics,
            style_levels: config.style_levels,
            block: vgg.config().upto.block,
            full: styles.full()?,
            palette,
            sizes: about::sizes(&sizes),
            style,
            histogram,
        };
        let mut packed = BTreeMap::new();
        for (side, measured) in sizes {
            // In the order of the taps, and of each tap once.
            let layers = [config.style_layers_of(weights), config.histogram_layers_of(weights)];
            let own = layers.map(|layers| layers.iter().map(|l| l.tap).collect::<Vec<_>>());
            packed.insert(side, picked(&measured, (&own[0], &about.style), (&own[1], &about.histogram)));
        }
        Ok(Self { origin: "the style cache".to_string(), about: Arc::new(about), sizes: Arc::new(packed) })
    }

    /// A path, or what stands for it in messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The longer sides, in pixels, at which there are statistics.
    pub fn sides(&self) -> Vec<usize> {
        self.sizes.keys().copied().collect()
    }

    /// The same with only the statistics for a style of that longer side; where the pictures were smaller, those of their
    /// own size, as they are never enlarged.
    ///
    /// # Errors
    /// When there are none for it.
    pub fn at(&self, side: usize) -> Result<Self> {
        let at = side.min(self.about.full);
        match self.sizes.get(&at) {
            Some(found) => {
                let mut about = (*self.about).clone();
                about.sizes.retain(|size| size.side == at);
                let sizes = Arc::new(BTreeMap::from([(at, found.clone())]));
                Ok(Self { origin: self.origin.clone(), about: Arc::new(about), sizes })
            }
            None => Err(self.fault(format!(
                "has the style at {} pixels, but is needed at {at}",
                self.sides().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// Whether it goes with these settings and weights, but for the sizes.
    ///
    /// # Errors
    /// [`Error::StyleCache`] naming the first thing that differs.
    pub fn check(&self, config: &NstConfig, weights: &VggWeights) -> Result<()> {
        self.about.check(config, weights).map_err(|message| self.fault(message))?;
        let (style, last) = (config.style_layers_of(weights), Objective::last_tap(config, weights)?);
        let least = least_side(style.iter().map(|l| l.tap)).max(1);
        let (mine, theirs) = (1usize << (self.about.block - 1), least_side([last]));
        for size in &self.about.sizes {
            // A side that the network's halvings have stretched is stretched otherwise with other taps.
            if mine != theirs && size.shortest <= mine.max(theirs) {
                let message = format!(
                    "has a style that is only {} pixels at its shorter side, which goes with networks down to block {} only",
                    size.shortest, self.about.block
                );
                return Err(self.fault(message));
            }
            let halves = std::iter::successors(Some(size.shortest), |s| Some(s / 2));
            let levels = halves.take_while(|s| *s >= least).count().clamp(1, config.style_levels.max(1));
            if size.levels < levels {
                let message = format!("has the style at {} levels, but is needed at {levels}", size.levels);
                return Err(self.fault(message));
            }
        }
        Ok(())
    }

    /// Mean and covariance of the styles' colours.
    pub(crate) fn palette(&self) -> Palette {
        self.about.palette
    }

    /// The longer side beyond which the styles do not grow.
    pub(crate) fn full(&self) -> usize {
        self.about.full
    }

    pub(crate) fn to_device(&self, device: &Device) -> Result<Self> {
        let moved = self.sizes.iter().map(|(side, m)| Ok((*side, m.map(|t| t.to_device(device))?)));
        Ok(Self { sizes: Arc::new(moved.collect::<Result<_>>()?), ..self.clone() })
    }

    /// What it has for these taps of the style's and of the histogram loss, at so many levels or fewer.
    pub(crate) fn measured(&self, [style, histogram]: [Vec<Tap>; 2], levels: usize) -> Result<Measured> {
        let mut found = self.sizes.values();
        let (Some(measured), None) = (found.next(), found.next()) else {
            return Err(self.fault(format!("holds {} sizes, where one is wanted", self.sizes.len())));
        };
        let lacks = |own: &[Tap], wanted: &[Tap]| wanted.iter().find(|tap| !own.contains(tap)).copied();
        let about = &self.about;
        if let Some(tap) = lacks(&about.style, &style).or(lacks(&about.histogram, &histogram)) {
            return Err(self.fault(format!("has no {tap}")));
        }
        let mut measured = picked(measured, (&about.style, &style), (&about.histogram, &histogram));
        measured.levels.truncate(levels);
        Ok(measured)
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> Error {
        Error::StyleCache { origin: self.origin.clone(), message: message.into() }
    }
}

/// What belongs to the wanted taps, in their order, from what belongs to others.
fn picked(measured: &Measured, style: (&[Tap], &[Tap]), histogram: (&[Tap], &[Tap])) -> Measured {
    fn pick<T: Clone>(from: &[T], (have, want): (&[Tap], &[Tap])) -> Vec<T> {
        let place = |tap: &Tap| have.iter().position(|t| t == tap);
        want.iter().filter_map(place).filter_map(|i| from.get(i).cloned()).collect()
    }
    Measured {
        shortest: measured.shortest,
        levels: measured.levels.iter().map(|level| pick(level, style)).collect(),
        histograms: pick::<Tensor>(&measured.histograms, histogram),
    }
}
