use super::measured::Measured;
use super::network::Network;
use super::target::Target;
use super::tiles::Tiling;
use crate::losses::value;
use crate::{Error, Layer, NstConfig, Result, Style};
use candle_core::{DType, Device, Tensor};
use gdl_conv::{Conv2dParams, Pad, PadMode, conv2d, pad2d};
use gdl_image_io::{Filter, resize};
use gdl_vgg::Tap;
use std::collections::BTreeMap;

/// A part of the picture, or all of it, and the style that is wanted there.
#[derive(Debug, Clone)]
pub(super) struct Region {
    /// Its part of the style loss; all regions' parts add up to 1.
    pub(super) share: f64,
    /// For each level of the picture the layers and their targets.
    pub(super) style: Vec<Vec<(Layer, Target)>>,
    pub(super) histograms: Vec<(Layer, Tensor)>,
    places: Option<Places>,
}

/// How much each position counts, by level of the picture and block of the network: (1, 1, H, W) of mean 1.
type Places = BTreeMap<(usize, usize), Tensor>;

/// What regions are made with.
pub(super) struct Maker<'a> {
    pub(super) config: &'a NstConfig,
    pub(super) network: Network<'a>,
    pub(super) style_layers: &'a [Layer],
    /// None where histograms do not count.
    pub(super) histogram_layers: &'a [Layer],
    /// Height and width of the picture.
    pub(super) size: (usize, usize),
    pub(super) dtype: DType,
    pub(super) tiles: Option<&'a Tiling>,
}

impl Region {
    /// How much each position of a map counts; None where all count alike.
    pub(super) fn places(&self, level: usize, tap: Tap) -> Option<&Tensor> {
        self.places.as_ref().and_then(|p| p.get(&(level, tap.block)))
    }
}

impl Maker<'_> {
    /// One region for each mask; and one for the styles without a mask, where no mask is.
    pub(super) fn regions(&self, styles: &[Style]) -> Result<Vec<Region>> {
        let sum: f64 = styles.iter().map(|s| s.weight).sum();
        let mut rest: Option<Tensor> = None;
        let mut regions = Vec::new();
        for (i, style) in styles.iter().enumerate().filter(|(_, s)| s.weight > 0.0) {
            let Some(mask) = &style.mask else { continue };
            let mask = self.mask(mask, i + 1)?;
            let left = match &rest {
                None => mask.affine(-1.0, 1.0)?,
                Some(rest) => (rest - &mask)?.relu()?,
            };
            rest = Some(left);
            regions.push(self.region(&[style], style.weight / sum, Some(&mask))?);
        }
        let bare: Vec<&Style> = styles.iter().filter(|s| s.mask.is_none() && s.weight > 0.0).collect();
        if !bare.is_empty() {
            if rest.as_ref().map(covered).transpose()?.is_some_and(|part| part < 1e-4) {
                let message = "the masks leave no place for the styles that have none".to_string();
                return Err(Error::Setting { key: "masks", message });
            }
            let share = bare.iter().map(|s| s.weight).sum::<f64>() / sum;
            regions.push(self.region(&bare, share, rest.as_ref())?);
        }
        Ok(regions)
    }

    fn region(&self, styles: &[&Style], share: f64, mask: Option<&Tensor>) -> Result<Region> {
        let Self { config, style_layers, histogram_layers, .. } = *self;
        let Measured { levels, histograms, .. } = self.mixed(styles)?;
        let target = |(layer, parts): (&Layer, &Vec<Tensor>)| Ok((*layer, config.statistics.target(parts)?));
        let style = levels
            .iter()
            .map(|level| style_layers.iter().zip(level).map(target).collect())
            .collect::<Result<Vec<_>>>()?;
        let histograms = histogram_layers.iter().copied().zip(histograms).collect();
        let places = mask.map(|mask| self.places(mask)).transpose()?;
        Ok(Region { share, style, histograms, places })
    }

    /// A mask (H, W) at the picture's size, feathered, as (1, H, W).
    fn mask(&self, mask: &Tensor, style: usize) -> Result<Tensor> {
        let (h, w) = self.size;
        let mask = resize(&mask.unsqueeze(0)?, h, w, Filter::Triangle)?.clamp(0f32, 1f32)?;
        let mask = feathered(&mask, self.config.mask_feather * h.max(w) as f64)?;
        if covered(&mask)? <= 0.0 {
            let message = format!("the mask of style {style} is black everywhere, so the style has no place");
            return Err(Error::Setting { key: "masks", message });
        }
        Ok(mask)
    }

    fn places(&self, mask: &Tensor) -> Result<Places> {
        let (h, w) = self.size;
        let taps = self.style_layers.iter().chain(self.histogram_layers).map(|l| l.tap.block);
        let blocks: Vec<usize> = taps.collect();
        let mut places = Places::new();
        for level in 0..self.config.style_levels {
            for &block in &blocks {
                let halvings = level + block - 1;
                let (h, w) = (h >> halvings, w >> halvings);
                if h == 0 || w == 0 || places.contains_key(&(level, block)) {
                    continue;
                }
                let small = resize(mask, h, w, Filter::Box)?;
                let small = small.to_dtype(self.dtype)?.unsqueeze(0)?;
                let mean = covered(&small)?;
                places.insert((level, block), (small / mean)?);
            }
        }
        Ok(places)
    }
}

/// The part of the picture that a mask covers.
fn covered(mask: &Tensor) -> candle_core::Result<f64> {
    value(&mask.mean_all()?)
}

/// A mask (1, H, W) blurred by a Gaussian of `sigma` pixels.
fn feathered(mask: &Tensor, sigma: f64) -> Result<Tensor> {
    if sigma < 0.1 {
        return Ok(mask.clone());
    }
    let reach = (3.0 * sigma).ceil() as usize;
    let bell = |i: usize| (-0.5 * ((i as f64 - reach as f64) / sigma).powi(2)).exp();
    let row: Vec<f64> = (0..=2 * reach).map(bell).collect();
    let sum: f64 = row.iter().sum();
    let row = (Tensor::new(row, &Device::Cpu)? / sum)?.to_dtype(DType::F32)?.to_device(mask.device())?;
    let n = 2 * reach + 1;
    let x = pad2d(&mask.unsqueeze(0)?, Pad::same(reach), PadMode::Replicate)?;
    let x = conv2d(&x, &row.reshape((1, 1, 1, n))?, None, &Conv2dParams::default())?;
    let x = conv2d(&x, &row.reshape((1, 1, n, 1))?, None, &Conv2dParams::default())?;
    Ok(x.squeeze(0)?)
}
