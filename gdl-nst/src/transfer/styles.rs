use super::prepare::{check, fit};
use crate::colour::{Palette, luma_like, match_colours};
use crate::losses::{in_f64, value};
use crate::objective::{Measured, StyleTargets};
use crate::plan::plan_of;
use crate::{Error, KeepColour, NstConfig, Objective, Result, Style, StyleSource};
use candle_core::{DType, Device, Tensor};
use gdl_image_io::{Filter, resize};
use gdl_vgg::{Tap, Vgg, VggWeights};
use std::collections::{BTreeMap, btree_map::Entry};
use std::sync::{Arc, Mutex, PoisonError};

/// The styles of a transfer as they are used: checked, on one device, in f32, with the colours that are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Styles {
    list: Vec<Style>,
    /// What was taken from them, where several pictures share it.
    shared: Option<Arc<Mutex<BTreeMap<Seen, StyleTargets>>>>,
}

/// What targets depend on beside the styles: the size of the picture, and where there are masks its height and width.
type Seen = (usize, Option<(usize, usize)>);

impl Styles {
    /// Without any change to their colours.
    pub(crate) fn new(styles: &[Style], device: &Device) -> Result<Self> {
        let list = styles.iter().map(|style| prepared(style, device)).collect::<Result<_>>()?;
        Ok(Self { list, shared: None })
    }

    /// With the colours that keeping those of `content` asks for.
    pub(super) fn coloured_by(mut self, config: &NstConfig, content: &Tensor) -> Result<Self> {
        let Some(keep) = config.keep_color else { return Ok(self) };
        for style in &mut self.list {
            let image = match &style.source {
                StyleSource::Picture(image) => image,
                StyleSource::Cache(cache) => {
                    return Err(cache.fault("is no picture whose colours could be changed"));
                }
            };
            style.source = StyleSource::Picture(match keep {
                KeepColour::Match => match_colours(image, content)?,
                KeepColour::Luma => luma_like(image, content)?,
            });
        }
        self.shared = None;
        Ok(self)
    }

    /// Keeps what is taken from them, for further pictures.
    pub(super) fn shared(self) -> Self {
        Self { shared: Some(Arc::default()), ..self }
    }

    /// The colours of all their pixels together; None where no style counts, which is told elsewhere.
    pub(crate) fn palette(&self) -> Result<Option<Palette>> {
        let counted = self.list.iter().any(|s| s.weight > 0.0 && s.weight.is_finite());
        Ok(counted.then(|| Palette::of_styles(&self.list)).transpose()?)
    }

    /// The targets for a picture with `size` pixels on the longer side, (H, W) in all, which `take` takes from the styles at
    /// their size there.
    pub(super) fn targets(
        &self,
        (size, shape): (usize, (usize, usize)),
        take: impl FnOnce() -> Result<StyleTargets>,
    ) -> Result<StyleTargets> {
        let Some(shared) = &self.shared else { return take() };
        let masked = self.list.iter().any(|s| s.mask.is_some());
        let mut known = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = (size, masked.then_some(shape));
        if let Some(targets) = known.get(&seen) {
            return Ok(targets.clone());
        }
        let targets = take()?;
        known.insert(seen, targets.clone());
        Ok(targets)
    }

    pub(super) fn list(&self) -> &[Style] {
        &self.list
    }

    /// The styles for a picture of that size.
    pub(super) fn at(&self, config: &NstConfig, size: usize, last: Tap) -> Result<Vec<Style>> {
        let sized = |style: &Style| {
            let source = match (&style.source, style_size(config, style, size, last)?) {
                (StyleSource::Picture(image), Some((h, w))) => {
                    StyleSource::Picture(resize(image, h, w, Filter::CatmullRom)?)
                }
                (StyleSource::Cache(cache), _) => {
                    StyleSource::Cache(cache.at(config.style_side(size, style.scale))?)
                }
                (source, None) => source.clone(),
            };
            Ok(Style { source, ..style.clone() })
        };
        self.list.iter().map(sized).collect()
    }

    /// Whether what is no picture fits, at all sizes.
    pub(super) fn check(&self, config: &NstConfig, weights: &VggWeights) -> Result<()> {
        for style in &self.list {
            let Some(cache) = style.cache() else { continue };
            cache.check(config, weights)?;
            for scale in config.scales() {
                cache.at(config.style_side(scale.size, style.scale))?;
            }
        }
        Ok(())
    }

    /// What is taken from all of them together at every size that `config` goes through, for a [`StyleCache`](crate::StyleCache).
    pub(crate) fn measure(
        &self,
        config: &NstConfig,
        weights: &VggWeights,
        vgg: &Vgg,
    ) -> Result<BTreeMap<usize, Measured>> {
        let mut sizes = BTreeMap::new();
        let (Some(first), full) = (self.list.first(), self.full()?) else { return Ok(sizes) };
        // As if one of them were painted.
        let stand_in = match first.picture() {
            Some(picture) => picture.dims3().map(|(_, h, w)| (h, w))?,
            None => (full, full),
        };
        for scale in plan_of(config, weights, stand_in, &self.list, false)?.scales {
            let side = config.style_side(scale.size, first.scale).min(full);
            if let Entry::Vacant(entry) = sizes.entry(side) {
                let styles = self.at(config, scale.size, vgg.config().upto)?;
                let tile = scale.tile.unwrap_or(usize::MAX);
                entry.insert(Objective::measured(config, weights, vgg, &styles, tile)?);
            }
        }
        Ok(sizes)
    }

    /// The longer side of the largest of them, beyond which none is enlarged.
    pub(crate) fn full(&self) -> Result<usize> {
        let longer = |style: &Style| match &style.source {
            StyleSource::Picture(image) => image.dims3().map(|(_, h, w)| h.max(w)),
            StyleSource::Cache(cache) => Ok(cache.full()),
        };
        Ok(self
            .list
            .iter()
            .map(longer)
            .collect::<candle_core::Result<Vec<_>>>()?
            .into_iter()
            .max()
            .unwrap_or(0))
    }
}

/// Height and width of a style picture for a picture of that size; None for what is no picture.
pub(crate) fn style_size(
    config: &NstConfig,
    style: &Style,
    size: usize,
    last: Tap,
) -> candle_core::Result<Option<(usize, usize)>> {
    let Some(image) = style.picture() else { return Ok(None) };
    let (_, h, w) = image.dims3()?;
    Ok(Some(fit((h, w), config.style_side(size, style.scale).min(h.max(w)), last)))
}

fn prepared(style: &Style, device: &Device) -> Result<Style> {
    let own = |t: &Tensor| t.to_dtype(DType::F32)?.to_device(device);
    if !style.scale.is_finite() || style.scale <= 0.0 {
        let message = format!("the scale of a style must be a number above 0, not {}", style.scale);
        return Err(Error::Setting { key: "styles", message });
    }
    let mask = match &style.mask {
        None => None,
        Some(mask) => {
            let flat = mask.dims().len() == 2 && mask.elem_count() > 0;
            if !flat || !value(&in_f64(mask)?.abs()?.sum_all()?)?.is_finite() {
                let message = format!("a mask is (H, W) in [0, 1], not {:?}", mask.dims());
                return Err(Error::Setting { key: "masks", message });
            }
            Some(own(mask)?)
        }
    };
    let source = match &style.source {
        StyleSource::Picture(image) => {
            check("style", image)?;
            StyleSource::Picture(own(image)?)
        }
        StyleSource::Cache(cache) => StyleSource::Cache(cache.to_device(device)?),
    };
    Ok(Style { source, mask, ..*style })
}
