use crate::colour::{Palette, luma, luma_like, match_colours};
use crate::losses::value;
use crate::objective::least_side;
use crate::{Error, Init, KeepColour, NstConfig, Result, Style};
use candle_core::{DType, Device, Tensor};
use gdl_image_io::{Filter, resize};
use gdl_train::SharedRng;
use gdl_vgg::Tap;

/// The pictures of a transfer as they are used: checked, on one device, in f32, with the colours that are wanted.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) content: Tensor,
    pub(super) styles: Vec<Style>,
    /// Whose chroma the result gets, where only its luma is painted.
    pub(super) chroma: Option<Tensor>,
}

impl Pictures {
    pub(super) fn new(config: &NstConfig, content: &Tensor, styles: &[Style]) -> Result<Self> {
        check("content", content)?;
        let device = content.device();
        let content = content.to_dtype(DType::F32)?;
        let mut own = Vec::with_capacity(styles.len());
        for style in styles {
            own.push(prepared(style, device)?);
        }
        let mut pictures = Self { content, styles: own, chroma: None };
        pictures.keep_colours(config)?;
        let counted = pictures.styles.iter().any(|s| s.weight > 0.0 && s.weight.is_finite());
        if config.init == Init::Recoloured && counted {
            pictures.content = Palette::of_styles(&pictures.styles)?.recolour(&pictures.content)?;
        }
        Ok(pictures)
    }

    fn keep_colours(&mut self, config: &NstConfig) -> Result<()> {
        match config.keep_color {
            None => {}
            Some(KeepColour::Match) => {
                for style in &mut self.styles {
                    style.image = match_colours(&style.image, &self.content)?;
                }
            }
            Some(KeepColour::Luma) => {
                for style in &mut self.styles {
                    style.image = luma_like(&style.image, &self.content)?;
                }
                let grey = luma(&self.content)?;
                self.chroma = Some(std::mem::replace(&mut self.content, grey));
            }
        }
        Ok(())
    }

    /// The content (1, 3, H, W) with `size` pixels on the longer side, as far as the network allows.
    pub(super) fn content_at(&self, size: usize, last: Tap) -> Result<Tensor> {
        let (_, h, w) = self.content.dims3()?;
        let (h, w) = fit((h, w), size, last);
        Ok(resize(&self.content, h, w, Filter::CatmullRom)?.unsqueeze(0)?)
    }

    /// The styles for a picture of that size.
    pub(super) fn styles_at(&self, config: &NstConfig, size: usize, last: Tap) -> Result<Vec<Style>> {
        let sized = |style: &Style| {
            let (h, w) = style_size(config, style, size, last)?;
            Ok(Style { image: resize(&style.image, h, w, Filter::CatmullRom)?, ..style.clone() })
        };
        self.styles.iter().map(sized).collect()
    }

    /// The picture to start from; its size does not matter. (3, H, W)
    pub(super) fn initial(&self, config: &NstConfig) -> Result<Tensor> {
        let (_, h, w) = self.content.dims3()?;
        let (h, w) = fit((h, w), config.scales()[0].size, Tap::relu(1, 1));
        let device = self.content.device();
        let rng = SharedRng::seed(config.seed);
        Ok(match config.init {
            Init::Content | Init::Recoloured => self.content.clone(),
            Init::Gray => Tensor::full(0.5f32, (3, h, w), device)?,
            Init::Noise => {
                let noise = rng.randn((3, h, w), DType::F32, &Device::Cpu)?;
                noise.affine(0.15, 0.5)?.clamp(0f32, 1f32)?.to_device(device)?
            }
            Init::StyleStats => Palette::of_styles(&self.styles)?.noise((h, w), &rng)?.to_device(device)?,
        })
    }

    /// A picture that was given to start from, as this transfer needs it.
    pub(super) fn given(&self, start: &Tensor) -> Result<Tensor> {
        check("initial", start)?;
        let start = start.to_dtype(DType::F32)?.to_device(self.content.device())?;
        Ok(if self.chroma.is_some() { luma(&start)? } else { start })
    }
}

fn prepared(style: &Style, device: &Device) -> Result<Style> {
    check("style", &style.image)?;
    let own = |t: &Tensor| t.to_dtype(DType::F32)?.to_device(device);
    if !style.scale.is_finite() || style.scale <= 0.0 {
        let message = format!("the scale of a style must be a number above 0, not {}", style.scale);
        return Err(Error::Setting { key: "styles", message });
    }
    let mask = match &style.mask {
        None => None,
        Some(mask) => {
            let flat = mask.dims().len() == 2 && mask.elem_count() > 0;
            if !flat || !value(&mask.to_dtype(DType::F64)?.abs()?.sum_all()?)?.is_finite() {
                let message = format!("a mask is (H, W) in [0, 1], not {:?}", mask.dims());
                return Err(Error::Setting { key: "masks", message });
            }
            Some(own(mask)?)
        }
    };
    Ok(Style { image: own(&style.image)?, mask, ..*style })
}

fn check(what: &'static str, picture: &Tensor) -> Result<()> {
    if !matches!(picture.dims(), [3, h, w] if *h > 0 && *w > 0) {
        return Err(Error::Picture { what, shape: picture.dims().to_vec() });
    }
    // Looked for here, because a rectifier may turn a NaN into 0.
    let sum = value(&picture.to_dtype(DType::F64)?.abs()?.sum_all()?)?;
    if sum.is_finite() { Ok(()) } else { Err(Error::PictureNotFinite { what }) }
}

/// Height and width of a style picture for a picture of that size.
pub(crate) fn style_size(
    config: &NstConfig,
    style: &Style,
    size: usize,
    last: Tap,
) -> candle_core::Result<(usize, usize)> {
    let (_, h, w) = style.image.dims3()?;
    let wanted = config.style_side(size, style.scale);
    Ok(fit((h, w), wanted.min(h.max(w)), last))
}

/// Height and width with `size` pixels on the longer side, and on the shorter at least what the network's halvings
/// need.
pub(crate) fn fit((h, w): (usize, usize), size: usize, last: Tap) -> (usize, usize) {
    let least = least_side([last]);
    let longer = h.max(w) as f64;
    let scaled = |n: usize| ((n as f64 * size as f64 / longer).round() as usize).max(least);
    (scaled(h), scaled(w))
}
