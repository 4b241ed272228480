use crate::losses::{Losses, content_loss, style_loss, tv_loss};
use crate::{Error, NstConfig, Result};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};
use gdl_vgg::{Preprocess, Tap, Vgg, VggWeights, gram_matrix};

/// A style picture and how much it counts beside the others.
#[derive(Debug, Clone)]
pub struct Style {
    /// (3, H, W), RGB in [0, 1].
    pub image: Tensor,
    /// Its share; only the proportion to the other styles' weights matters.
    pub weight: f64,
}

impl From<Tensor> for Style {
    fn from(image: Tensor) -> Self {
        Self { image, weight: 1.0 }
    }
}

/// What is minimised at one size: the targets taken from content and style, and the weights of the losses.
///
/// `total = content_weight * content + style_weight * (mean over taps of style) + tv_weight * tv`, see
/// [`content_loss`], [`style_loss`] and [`tv_loss`].
///
/// The Gram matrices of several styles are averaged with their weights; the loss has then the same gradient
/// as the average of their losses.
#[derive(Debug, Clone)]
pub struct Objective {
    vgg: Vgg,
    preprocess: Preprocess,
    /// The content tap first, then the style taps.
    taps: Vec<Tap>,
    content: Tensor,
    grams: Vec<Tensor>,
    content_weight: f64,
    style_weight: f64,
    tv_weight: f64,
}

impl Objective {
    /// Builds the network as far as the taps need it.
    ///
    /// # Errors
    /// When the weights do not reach a tap.
    pub fn network(
        config: &NstConfig,
        weights: &VggWeights,
        dtype: DType,
        device: &candle_core::Device,
    ) -> Result<Vgg> {
        let content = config.content_tap_of(weights);
        let last = config.style_taps_of(weights).into_iter().fold(content, Tap::max);
        let mut vgg = weights.config(last)?;
        vgg.pooling = config.pooling;
        vgg.first_padding = config.first_padding();
        Ok(weights.vgg(&vgg, dtype, device)?)
    }

    /// Takes the targets from pictures at the size at which they are to be seen.
    ///
    /// # Shape
    /// `content` (1, 3, H, W); each style (3, H', W'), any size; RGB in [0, 1], of the network's type and device.
    ///
    /// # Errors
    /// When there is no style, or no weight among them; when a picture is too small for the taps.
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
        let content_tap = config.content_tap_of(weights);
        let style_taps = config.style_taps_of(weights);
        let content = vgg.features(&preprocess.apply(content)?, &[content_tap])?.remove(0).detach();
        let mut grams: Vec<Tensor> = Vec::new();
        for style in styles {
            let features = vgg.features(&preprocess.apply(&style.image.unsqueeze(0)?)?, &style_taps)?;
            for (i, f) in features.iter().enumerate() {
                let gram = (gram_matrix(f)?.detach() * (style.weight / sum))?;
                match grams.get_mut(i) {
                    Some(mix) => *mix = (&*mix + gram)?,
                    None => grams.push(gram),
                }
            }
        }
        let taps = std::iter::once(content_tap).chain(style_taps).collect();
        let &NstConfig { content_weight, style_weight, tv_weight, .. } = config;
        Ok(Self { vgg, preprocess, taps, content, grams, content_weight, style_weight, tv_weight })
    }

    /// Changes the weights of the losses.
    pub fn set_weights(&mut self, content: f64, style: f64, tv: f64) {
        (self.content_weight, self.style_weight, self.tv_weight) = (content, style, tv);
    }

    /// The losses of a picture, and the total as a tensor to differentiate. A loss whose weight is 0 is not computed
    /// and counts as 0.
    ///
    /// # Shape
    /// (1, 3, H, W), RGB in [0, 1], H and W those of the content.
    ///
    /// # Errors
    /// When the picture has another size than the content.
    pub fn losses(&self, image: &Tensor) -> candle_core::Result<(Losses, Tensor)> {
        let mut total = Tensor::zeros((), image.dtype(), image.device())?;
        let mut losses = Losses::default();
        let mut add = |loss: Tensor, weight: f64| -> candle_core::Result<f64> {
            total = (&total + (&loss * weight)?)?;
            value(&loss)
        };
        if self.content_weight > 0.0 || self.style_weight > 0.0 {
            let features = self.vgg.features(&self.preprocess.apply(image)?, &self.taps)?;
            if self.content_weight > 0.0 {
                losses.content = add(content_loss(&features[0], &self.content)?, self.content_weight)?;
            }
            if self.style_weight > 0.0 {
                let mut style = Tensor::zeros((), image.dtype(), image.device())?;
                for (f, gram) in features[1..].iter().zip(&self.grams) {
                    style = (style + style_loss(f, gram)?)?;
                }
                losses.style = add((style / self.grams.len() as f64)?, self.style_weight)?;
            }
        }
        if self.tv_weight > 0.0 {
            losses.tv = add(tv_loss(image)?, self.tv_weight)?;
        }
        losses.total = value(&total)?;
        Ok((losses, total))
    }

    /// The losses of a picture and the gradient of the total with respect to it.
    ///
    /// # Errors
    /// As [`Objective::losses`].
    pub fn gradients(&self, image: &Tensor) -> candle_core::Result<(Losses, GradStore)> {
        let (losses, total) = self.losses(image)?;
        Ok((losses, total.backward()?))
    }
}

fn value(loss: &Tensor) -> candle_core::Result<f64> {
    loss.to_dtype(DType::F64)?.to_scalar()
}
