use crate::colour::Palette;
use crate::objective::Measured;
use crate::{Layer, NstConfig, Result, Statistics};
use gdl_vgg::{Pooling, Preprocess, Tap, VggWeights};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of the files that this program writes and reads.
pub(super) const VERSION: u32 = 1;

/// What a style cache was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    pub(super) version: u32,
    pub(super) network: Network,
    pub(super) pooling: Pooling,
    pub(super) statistics: Statistics,
    /// How many were asked for; there may be fewer.
    pub(super) style_levels: usize,
    /// From the image inwards.
    pub(super) style: Vec<Tap>,
    pub(super) histogram: Vec<Tap>,
    /// The block of the last of all taps, which says how small a picture may be.
    pub(super) block: usize,
    /// The longer side of the largest picture.
    pub(super) full: usize,
    pub(super) palette: Palette,
    pub(super) sizes: Vec<Size>,
}

/// The network that looked at the pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// As far as the taps reach.
    pub(super) fingerprint: String,
    pub(super) upto: Tap,
    pub(super) widths: [usize; 5],
    pub(super) preprocess: Preprocess,
}

/// One size of the pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Size {
    /// The longer side.
    pub(super) side: usize,
    /// The shortest side of any of them.
    pub(super) shortest: usize,
    pub(super) levels: usize,
}

/// The sizes of what was measured.
pub(super) fn sizes(measured: &BTreeMap<usize, Measured>) -> Vec<Size> {
    let size =
        |(side, m): (&usize, &Measured)| Size { side: *side, shortest: m.shortest, levels: m.levels.len() };
    measured.iter().map(size).collect()
}

impl Network {
    pub(super) fn of<'a>(weights: &VggWeights, taps: impl Iterator<Item = &'a Tap>) -> Result<Self> {
        let upto = taps.copied().fold(Tap::conv(1, 1), Tap::max);
        Ok(Self {
            fingerprint: weights.fingerprint(upto)?,
            upto,
            widths: weights.widths(),
            preprocess: weights.preprocess().clone(),
        })
    }
}

impl About {
    /// Whether it goes with these settings and weights; otherwise what differs.
    pub(super) fn check(&self, config: &NstConfig, weights: &VggWeights) -> std::result::Result<(), String> {
        let network = &self.network;
        let other = || {
            let (upto, theirs) = (network.upto, weights.origin());
            Err(format!("was made with another network, as far as {upto}, than {theirs}"))
        };
        if network.widths != weights.widths() || !weights.has(network.upto) {
            return other();
        }
        if network.fingerprint != weights.fingerprint(network.upto).map_err(|e| e.to_string())? {
            return other();
        }
        if network.preprocess != *weights.preprocess() {
            return Err("was made with pictures fed to the network otherwise (preprocess)".to_string());
        }
        let differs = |key, was: &dyn std::fmt::Debug, is: &dyn std::fmt::Debug| {
            Err(format!("was made with the {key} {was:?}, not {is:?}"))
        };
        if self.pooling != config.pooling {
            return differs("pooling", &self.pooling, &config.pooling);
        }
        if self.statistics != config.statistics {
            return differs("statistics", &self.statistics, &config.statistics);
        }
        if self.style_levels < config.style_levels {
            return differs("style levels", &self.style_levels, &config.style_levels);
        }
        let lacks = |own: &[Tap], wanted: &[Layer]| wanted.iter().map(|l| l.tap).find(|t| !own.contains(t));
        if let Some(tap) = lacks(&self.style, &config.style_layers_of(weights)) {
            return Err(format!("has no style at {tap}, but at {}", list(&self.style)));
        }
        match lacks(&self.histogram, &config.histogram_layers_of(weights)) {
            Some(tap) if self.histogram.is_empty() => {
                Err(format!("has no histograms, one of which is needed at {tap}"))
            }
            Some(tap) => Err(format!("has no histogram at {tap}, but at {}", list(&self.histogram))),
            None => Ok(()),
        }
    }
}

fn list(taps: &[Tap]) -> String {
    taps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
