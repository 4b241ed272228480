mod levels;
mod region;
mod target;

pub(crate) use levels::least_side;

use crate::losses::{
    content_scale, histogram_loss, scaled_mse, tv_l1_loss, tv_loss, tv_nine_point_loss, value,
    with_unit_gradient,
};
use crate::{
    Error, Layer, LayerLoss, LossKind, LossWeights, Losses, NstConfig, Result, Style, TotalVariation,
};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use gdl_vgg::{Preprocess, Tap, Vgg, VggWeights};
use levels::levels;
use region::{Maker, Region};
use std::collections::BTreeMap;

/// What is minimised at one size: the targets taken from content and styles, and the weights of the losses.
///
/// `total = content_weight * content + style_weight * style + histogram_weight * histogram + tv_weight * tv`; each of the first
/// three is the mean over its layers, by their weights (style: over the levels of the picture too), of
/// [`content_loss`](crate::content_loss), of the loss of the chosen [`Statistics`](crate::Statistics), and of
/// [`histogram_loss`].
///
/// The statistics of several styles are mixed with their weights, where they share a place; a style with a mask has a
/// style loss of its own, of the features under the mask.
#[derive(Debug, Clone)]
pub struct Objective {
    vgg: Vgg,
    preprocess: Preprocess,
    tv: TotalVariation,
    unit_gradients: bool,
    /// Each layer with its features and what the squared difference is multiplied with.
    content: Vec<(Layer, Tensor, f64)>,
    regions: Vec<Region>,
    least: usize,
    weights: LossWeights,
}

/// The losses of a picture, and what to differentiate for the gradient.
struct Sum {
    losses: Losses,
    slope: Tensor,
    unit_gradients: bool,
}

impl Objective {
    /// Builds the network as far as the taps need it.
    ///
    /// # Errors
    /// When the weights do not reach a tap.
    pub fn network(config: &NstConfig, weights: &VggWeights, dtype: DType, device: &Device) -> Result<Vgg> {
        let mut layers = config.content_layers_of(weights);
        layers.extend(config.style_layers_of(weights));
        layers.extend(config.histogram_layers_of(weights));
        // Each, since a shorter network lacks taps in the middle too.
        layers.iter().try_for_each(|l| weights.config(l.tap).map(drop))?;
        let last = layers.iter().map(|l| l.tap).fold(Tap::conv(1, 1), Tap::max);
        let mut vgg = weights.config(last)?;
        vgg.pooling = config.pooling;
        vgg.first_padding = config.first_padding();
        Ok(weights.vgg(&vgg, dtype, device)?)
    }

    /// Takes the targets from pictures at the size at which they are to be seen.
    ///
    /// # Shape
    /// `content` (1, 3, H, W); each style (3, H', W'), any size; RGB in [0, 1], of the network's type and device. Masks
    /// are stretched over the content.
    ///
    /// # Errors
    /// When there is no style, or no weight among them; when a picture is too small for the taps; when a mask is
    /// empty, or the masks leave no place for the styles without.
    pub fn new(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: Vgg,
        content: &Tensor,
        styles: &[Style],
    ) -> Result<Self> {
        let sum: f64 = styles.iter().map(|s| s.weight).sum();
        if !sum.is_finite() || sum <= 0.0 || styles.iter().any(|s| s.weight < 0.0) {
            let weights: Vec<_> = styles.iter().map(|s| s.weight).collect();
            let message = format!(
                "there must be a style, with weights of 0 or more and one above 0; they are {weights:?}"
            );
            return Err(Error::Setting { key: "styles", message });
        }
        let preprocess = weights.preprocess().clone();
        let ((_, _, h, w), dtype) = (content.dims4()?, content.dtype());
        let layers = config.content_layers_of(weights);
        let taps: Vec<Tap> = layers.iter().map(|l| l.tap).collect();
        let features = vgg.features(&preprocess.apply(content)?, &taps)?;
        let content = layers
            .into_iter()
            .zip(features)
            .map(|(layer, f)| Ok((layer, f.detach(), content_scale(&f)?)))
            .collect::<Result<_>>()?;
        let style_layers = config.style_layers_of(weights);
        let maker = Maker {
            config,
            vgg: &vgg,
            preprocess: &preprocess,
            style_layers: &style_layers,
            histogram_layers: &config.histogram_layers_of(weights),
            size: (h, w),
            dtype,
        };
        let regions = maker.regions(styles)?;
        let least = least_side(style_layers.iter().map(|l| l.tap));
        Ok(Self {
            tv: config.tv,
            unit_gradients: config.normalize_gradients,
            content,
            regions,
            least,
            weights: config.loss_weights(),
            vgg,
            preprocess,
        })
    }

    /// The weights of the losses.
    pub fn weights(&self) -> LossWeights {
        self.weights
    }

    /// Changes the weights of the losses. A histogram loss that was not among the settings when the targets were
    /// taken has no layers, and stays 0.
    pub fn set_weights(&mut self, weights: LossWeights) {
        self.weights = weights;
    }

    /// The losses of a picture, and a scalar to differentiate: the total; or with normalised gradients what has them
    /// (see [`with_unit_gradient`]). A loss whose weight is 0 is not computed and counts as 0.
    ///
    /// # Shape
    /// (1, 3, H, W), RGB in [0, 1], H and W those of the content.
    ///
    /// # Errors
    /// When the picture has another size than the content.
    pub fn losses(&self, image: &Tensor) -> candle_core::Result<(Losses, Tensor)> {
        let mut sum = Sum {
            losses: Losses::default(),
            slope: Tensor::zeros((), image.dtype(), image.device())?,
            unit_gradients: self.unit_gradients,
        };
        let styled = self.weights.style > 0.0;
        let deepest = self.regions.iter().map(|r| r.style.len()).max().unwrap_or(0);
        let count = if styled { deepest.max(1) } else { 1 };
        let images = levels(image, self.least).take(count).collect::<candle_core::Result<Vec<_>>>()?;
        for (level, image) in images.iter().enumerate() {
            self.add_level(&mut sum, (level, images.len()), image)?;
        }
        if self.weights.tv > 0.0 {
            let tv = match self.tv {
                TotalVariation::Squared => tv_loss,
                TotalVariation::L1 => tv_l1_loss,
                TotalVariation::NinePoint => tv_nine_point_loss,
            };
            sum.losses.tv = sum.term(image, self.weights.tv, tv)?;
        }
        let (w, l) = (&self.weights, &mut sum.losses);
        l.total = w.content * l.content + w.style * l.style + w.histogram * l.histogram + w.tv * l.tv;
        Ok((sum.losses, sum.slope))
    }

    /// The losses of a picture and the gradient of the total with respect to it.
    ///
    /// # Errors
    /// As [`Objective::losses`].
    pub fn gradients(&self, image: &Tensor) -> candle_core::Result<(Losses, GradStore)> {
        let (losses, slope) = self.losses(image)?;
        Ok((losses, slope.backward()?))
    }

    /// Everything that is read from the network at one of the levels of the picture.
    fn add_level(
        &self,
        sum: &mut Sum,
        (level, levels): (usize, usize),
        image: &Tensor,
    ) -> candle_core::Result<()> {
        let first = level == 0;
        let with_content = first && self.weights.content > 0.0;
        let with_histograms = first && self.weights.histogram > 0.0;
        let mut taps = Vec::new();
        for region in &self.regions {
            if self.weights.style > 0.0 {
                taps.extend(region.style.get(level).into_iter().flatten().map(|(layer, _)| layer.tap));
            }
            if with_histograms {
                taps.extend(region.histograms.iter().map(|(layer, _)| layer.tap));
            }
        }
        if with_content {
            taps.extend(self.content.iter().map(|(layer, ..)| layer.tap));
        }
        taps.sort_unstable();
        taps.dedup();
        if taps.is_empty() {
            return Ok(());
        }
        let found = self.vgg.features(&self.preprocess.apply(image)?, &taps)?;
        let features: BTreeMap<Tap, Tensor> = taps.into_iter().zip(found).collect();
        let at = |layer: &Layer| match features.get(&layer.tap) {
            Some(f) => Ok(f),
            None => candle_core::bail!("style transfer: no features at {}", layer.tap),
        };
        if with_content {
            let all: f64 = self.content.iter().map(|(layer, ..)| layer.weight).sum();
            for (layer, target, scale) in &self.content {
                let part = Part { kind: LossKind::Content, layer: *layer, level, share: layer.weight / all };
                let loss = |f: &Tensor| scaled_mse(f, target, *scale);
                sum.layer(part, at(layer)?, self.weights.content, loss)?;
            }
        }
        for region in &self.regions {
            if self.weights.style > 0.0 {
                let used = region.style.iter().take(levels).flatten();
                let all: f64 = used.map(|(layer, _)| layer.weight).sum();
                for (layer, target) in region.style.get(level).into_iter().flatten() {
                    let share = region.share * layer.weight / all;
                    let part = Part { kind: LossKind::Style, layer: *layer, level, share };
                    let places = region.places(level, layer.tap);
                    sum.layer(part, at(layer)?, self.weights.style, |f| target.loss(f, places))?;
                }
            }
            if with_histograms {
                let all: f64 = region.histograms.iter().map(|(layer, _)| layer.weight).sum();
                for (layer, target) in &region.histograms {
                    let share = region.share * layer.weight / all;
                    let part = Part { kind: LossKind::Histogram, layer: *layer, level, share };
                    let places = region.places(level, layer.tap);
                    let loss = |f: &Tensor| histogram_loss(f, target, places);
                    sum.layer(part, at(layer)?, self.weights.histogram, loss)?;
                }
            }
        }
        Ok(())
    }
}

/// One layer's part of a loss.
struct Part {
    kind: LossKind,
    layer: Layer,
    level: usize,
    share: f64,
}

impl Sum {
    /// Adds a loss of `x` with a weight, and gives its value.
    fn term(
        &mut self,
        x: &Tensor,
        weight: f64,
        loss: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<f64> {
        let (loss, slope) = if self.unit_gradients {
            with_unit_gradient(x, weight, loss)?
        } else {
            let loss = loss(x)?;
            let weighted = (&loss * weight)?;
            (loss, weighted)
        };
        self.slope = (&self.slope + slope)?;
        value(&loss)
    }

    fn layer(
        &mut self,
        part: Part,
        f: &Tensor,
        weight: f64,
        loss: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<()> {
        let value = self.term(f, weight * part.share, loss)?;
        let sum = match part.kind {
            LossKind::Content => &mut self.losses.content,
            LossKind::Style => &mut self.losses.style,
            LossKind::Histogram => &mut self.losses.histogram,
        };
        *sum += part.share * value;
        let Part { kind, layer, level, share } = part;
        self.losses.layers.push(LayerLoss { kind, tap: layer.tap, level, share, value });
        Ok(())
    }
}
