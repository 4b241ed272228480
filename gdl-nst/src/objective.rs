use crate::losses::{
    Losses, content_scale, covariance_loss, mean_and_covariance, scaled_mse, style_loss, tv_loss,
};
use crate::{Error, NstConfig, Result, Statistics};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use gdl_conv::{Conv2dParams, Pad, PadMode, conv2d, pad2d};
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
/// `total = content_weight * content + style_weight * (mean over levels and taps of style) + tv_weight * tv`, see
/// [`content_loss`](crate::content_loss), [`style_loss`] and [`tv_loss`].
///
/// The statistics of several styles are averaged with their weights; the loss has then the same gradient
/// as the average of their losses.
#[derive(Debug, Clone)]
pub struct Objective {
    vgg: Vgg,
    preprocess: Preprocess,
    statistics: Statistics,
    style_taps: Vec<Tap>,
    content_tap: Tap,
    content: Tensor,
    content_scale: f64,
    /// For each level and tap what [`statistics_of`] gives.
    style: Vec<Vec<Vec<Tensor>>>,
    content_weight: f64,
    style_weight: f64,
    tv_weight: f64,
}

impl Objective {
    /// Builds the network as far as the taps need it.
    ///
    /// # Errors
    /// When the weights do not reach a tap.
    pub fn network(config: &NstConfig, weights: &VggWeights, dtype: DType, device: &Device) -> Result<Vgg> {
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
        let statistics = config.statistics;
        let least = least_side(&style_taps);
        let mut style = vec![vec![Vec::new(); style_taps.len()]; config.style_levels];
        for picture in styles {
            for (level, image) in style.iter_mut().zip(levels(&picture.image.unsqueeze(0)?, least)) {
                let features = vgg.features(&preprocess.apply(&image?)?, &style_taps)?;
                for (mix, f) in level.iter_mut().zip(&features) {
                    add_share(mix, &statistics_of(statistics, f)?, picture.weight / sum)?;
                }
            }
        }
        // A level that some style is too small for is left out.
        style.retain(|level: &Vec<Vec<Tensor>>| level.iter().all(|tap| !tap.is_empty()));
        let &NstConfig { content_weight, style_weight, tv_weight, .. } = config;
        Ok(Self {
            vgg,
            preprocess,
            statistics,
            style_taps,
            content_tap,
            content_scale: content_scale(&content)?,
            content,
            style,
            content_weight,
            style_weight,
            tv_weight,
        })
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
        let (content, style) = self.network_losses(image)?;
        if let Some(loss) = content {
            losses.content = add(loss, self.content_weight)?;
        }
        if let Some(loss) = style {
            losses.style = add(loss, self.style_weight)?;
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

    /// Content and style loss, each only if it counts.
    fn network_losses(&self, image: &Tensor) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let (with_content, with_style) = (self.content_weight > 0.0, self.style_weight > 0.0);
        let (mut content, mut style, mut terms) = (None, None::<Tensor>, 0);
        let targets = if with_style { &self.style[..] } else { &[] };
        let count = targets.len().max(usize::from(with_content));
        for (i, image) in levels(image, least_side(&self.style_taps)).take(count).enumerate() {
            let target = targets.get(i);
            let mut taps = if target.is_some() { self.style_taps.clone() } else { Vec::new() };
            if i == 0 && with_content {
                taps.push(self.content_tap);
            }
            let mut features = self.vgg.features(&self.preprocess.apply(&image?)?, &taps)?;
            if i == 0 && with_content {
                content =
                    features.pop().map(|f| scaled_mse(&f, &self.content, self.content_scale)).transpose()?;
            }
            for (f, target) in features.iter().zip(target.into_iter().flatten()) {
                let loss = match target.as_slice() {
                    [gram] if self.statistics == Statistics::Gram => style_loss(f, gram)?,
                    [mean, covariance] => covariance_loss(f, mean, covariance)?,
                    _ => candle_core::bail!("style transfer: a target of {} tensors", target.len()),
                };
                style = Some(style.map_or(Ok(loss.clone()), |sum| sum + loss)?);
                terms += 1;
            }
        }
        Ok((content, style.map(|sum| sum / f64::from(terms)).transpose()?))
    }
}

/// What the style loss compares: the Gram matrix, or mean and covariance.
fn statistics_of(statistics: Statistics, f: &Tensor) -> candle_core::Result<Vec<Tensor>> {
    Ok(match statistics {
        Statistics::Gram => vec![gram_matrix(f)?.detach()],
        Statistics::Covariance => {
            let (mean, covariance) = mean_and_covariance(f)?;
            vec![mean.detach(), covariance.detach()]
        }
    })
}

fn add_share(mix: &mut Vec<Tensor>, parts: &[Tensor], share: f64) -> candle_core::Result<()> {
    for (i, part) in parts.iter().enumerate() {
        let part = (part * share)?;
        match mix.get_mut(i) {
            Some(sum) => *sum = (&*sum + part)?,
            None => mix.push(part),
        }
    }
    Ok(())
}

/// The shortest side from which the network can be halved down to every tap.
pub(crate) fn least_side(taps: &[Tap]) -> usize {
    taps.iter().map(|t| 1 << (t.block - 1)).max().unwrap_or(1)
}

/// A picture (1, 3, H, W), and its halves, quarters, … as long as they are large enough.
fn levels(image: &Tensor, least: usize) -> impl Iterator<Item = candle_core::Result<Tensor>> {
    let halve = move |x: &candle_core::Result<Tensor>| {
        let x = x.as_ref().ok()?;
        let (_, _, h, w) = x.dims4().ok()?;
        (h.min(w) / 2 >= least.max(1)).then(|| halved(x))
    };
    // The network itself says what is wrong with a first level that is too small.
    std::iter::successors(Some(Ok(image.clone())), halve)
}

/// Half the size, each pixel from 4x4 with the weights 1 3 3 1 both ways: windows that only touch would leave their blocks in
/// the picture.
fn halved(x: &Tensor) -> candle_core::Result<Tensor> {
    let (_, c, _, _) = x.dims4()?;
    let row = Tensor::new(&[0.125f64, 0.375, 0.375, 0.125], x.device())?.to_dtype(x.dtype())?;
    let kernel = row.reshape((4, 1))?.matmul(&row.reshape((1, 4))?)?;
    let kernel = kernel.reshape((1, 1, 4, 4))?.broadcast_as((c, 1, 4, 4))?.contiguous()?;
    let params = Conv2dParams { stride: (2, 2), groups: c, ..Conv2dParams::default() };
    conv2d(&pad2d(x, Pad::same(1), PadMode::Replicate)?, &kernel, None, &params)
}

fn value(loss: &Tensor) -> candle_core::Result<f64> {
    loss.to_dtype(DType::F64)?.to_scalar()
}
