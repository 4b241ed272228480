use super::levels::{least_side, levels};
use super::network::{Features, at};
use super::region::Maker;
use super::target::add_share;
use super::tiles::Gather;
use crate::losses::quantiles;
use crate::{Result, Style, StyleSource};
use candle_core::Tensor;
use gdl_vgg::Tap;

/// What is taken from a style at one size.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Pixels on the shorter side of the picture; of several the shortest.
    pub(crate) shortest: usize,
    /// For each level of the picture and each of the style's taps the parts of the statistics.
    pub(crate) levels: Vec<Vec<Vec<Tensor>>>,
    /// For each tap of the histogram loss the quantiles.
    pub(crate) histograms: Vec<Tensor>,
}

impl Measured {
    /// This, with so much weight, added to others. A level that one of them is too small for is left out.
    fn added_to(self, others: Option<Self>, share: f64) -> Result<Self> {
        let Some(mut mix) = others else {
            let weighted = |parts: &[Tensor]| -> Result<Vec<Tensor>> {
                let mut own = Vec::new();
                add_share(&mut own, parts, share)?;
                Ok(own)
            };
            let level = |taps: &Vec<Vec<Tensor>>| taps.iter().map(|parts| weighted(parts)).collect();
            return Ok(Self {
                shortest: self.shortest,
                levels: self.levels.iter().map(level).collect::<Result<_>>()?,
                histograms: weighted(&self.histograms)?,
            });
        };
        mix.shortest = mix.shortest.min(self.shortest);
        mix.levels.truncate(self.levels.len());
        for (mix, own) in mix.levels.iter_mut().flatten().zip(self.levels.iter().flatten()) {
            add_share(mix, own, share)?;
        }
        // Quantiles mixed are those of the distribution between, not of one with several humps.
        add_share(&mut mix.histograms, &self.histograms, share)?;
        Ok(mix)
    }

    /// With what `f` makes of each tensor.
    pub(crate) fn map(&self, f: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<Self> {
        let own = |parts: &Vec<Tensor>| parts.iter().map(&f).collect();
        let level = |taps: &Vec<Vec<Tensor>>| taps.iter().map(own).collect();
        Ok(Self {
            shortest: self.shortest,
            levels: self.levels.iter().map(level).collect::<candle_core::Result<_>>()?,
            histograms: own(&self.histograms)?,
        })
    }
}

impl Maker<'_> {
    /// What several styles come to, by their weights.
    pub(super) fn mixed(&self, styles: &[&Style]) -> Result<Measured> {
        let sum: f64 = styles.iter().map(|s| s.weight).sum();
        let mut mix = None;
        for style in styles {
            let own = match &style.source {
                StyleSource::Picture(image) => self.measured(image)?,
                StyleSource::Cache(cache) => {
                    let taps = [self.style_layers, self.histogram_layers].map(|l| l.iter().map(|l| l.tap));
                    let measured = cache.measured(taps.map(Iterator::collect), self.config.style_levels)?;
                    measured.map(|t| t.to_dtype(self.dtype))?
                }
            };
            mix = Some(own.added_to(mix, style.weight / sum)?);
        }
        match mix {
            Some(mix) => Ok(mix),
            None => Ok(Measured { shortest: 0, levels: Vec::new(), histograms: Vec::new() }),
        }
    }

    fn measured(&self, image: &Tensor) -> Result<Measured> {
        let Self { config, style_layers, histogram_layers, .. } = *self;
        let (_, h, w) = image.dims3()?;
        let picture = image.unsqueeze(0)?;
        let taps: Vec<Tap> = style_layers.iter().map(|l| l.tap).collect();
        let mut measured = Measured { shortest: h.min(w), levels: Vec::new(), histograms: Vec::new() };
        for image in levels(&picture, least_side(taps.iter().copied())).take(config.style_levels) {
            let moments = self.moments(&image?, &taps)?;
            let parts = moments.iter().map(|moments| config.statistics.mixable(moments));
            measured.levels.push(parts.collect::<candle_core::Result<_>>()?);
        }
        let taps = histogram_layers.iter().map(|l| l.tap);
        let features = self.maps(&picture, taps.clone())?;
        for tap in taps {
            measured.histograms.push(quantiles(at(&features, tap)?)?);
        }
        Ok(measured)
    }

    /// The moments of a style picture's features at each tap.
    fn moments(&self, picture: &Tensor, taps: &[Tap]) -> Result<Vec<Vec<Tensor>>> {
        let statistics = self.config.statistics;
        let Some(tiles) = self.tiles else {
            let features = self.network.features(picture, taps.iter().copied())?;
            let moments = taps.iter().map(|tap| statistics.moments(at(&features, *tap)?, None));
            return Ok(moments.collect::<candle_core::Result<_>>()?);
        };
        let mut gather = Gather::default();
        taps.iter().for_each(|tap| gather.moments(*tap, statistics, None));
        Ok(gather.over(self.network, picture, tiles)?.moments)
    }

    /// A style picture's features.
    fn maps(&self, picture: &Tensor, taps: impl Iterator<Item = Tap>) -> Result<Features> {
        let Some(tiles) = self.tiles else { return Ok(self.network.features(picture, taps)?) };
        let mut gather = Gather::default();
        taps.for_each(|tap| gather.map(tap));
        Ok(gather.over(self.network, picture, tiles)?.maps)
    }
}
