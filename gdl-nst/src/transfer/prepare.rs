use super::styles::Styles;
use crate::colour::{Palette, luma};
use crate::losses::{in_f64, value};
use crate::objective::{Previous, least_side};
use crate::{Error, Init, KeepColour, NstConfig, Result, Style};
use candle_core::{DType, Device, Tensor};
use gdl_image_io::{Filter, resize};
use gdl_train::SharedRng;
use gdl_vgg::Tap;

/// The pictures of a transfer as they are used: checked, on one device, in f32, with the colours that are wanted.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) content: Tensor,
    pub(super) styles: Styles,
    /// Whose chroma the result gets, where only its luma is painted.
    pub(super) chroma: Option<Tensor>,
    /// In a film, the frame before.
    pub(super) previous: Option<Previous>,
}

impl Pictures {
    pub(super) fn new(config: &NstConfig, content: &Tensor, styles: &[Style]) -> Result<Self> {
        let content = as_content(content)?;
        let styles = Styles::new(styles, content.device())?.coloured_by(config, &content)?;
        Self::with_styles(config, &content, styles, None)
    }

    /// With styles whose colours are what they should be. Where the content is recoloured, `like` gives the colours that
    /// become the styles'; without it the content's own do.
    pub(super) fn with_styles(
        config: &NstConfig,
        content: &Tensor,
        styles: Styles,
        like: Option<&Palette>,
    ) -> Result<Self> {
        let mut content = as_content(content)?;
        let mut chroma = None;
        if config.keep_color == Some(KeepColour::Luma) {
            let grey = luma(&content)?;
            chroma = Some(std::mem::replace(&mut content, grey));
        }
        if config.init == Init::Recoloured
            && let Some(palette) = styles.palette()?
        {
            content = match like {
                Some(like) => palette.recolour_from(like, &content)?,
                None => palette.recolour(&content)?,
            };
        }
        Ok(Self { content, styles, chroma, previous: None })
    }

    /// The content (1, 3, H, W) with `size` pixels on the longer side, as far as the network allows.
    pub(super) fn content_at(&self, size: usize, last: Tap) -> Result<Tensor> {
        let (_, h, w) = self.content.dims3()?;
        let (h, w) = fit((h, w), size, last);
        Ok(resize(&self.content, h, w, Filter::CatmullRom)?.unsqueeze(0)?)
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
            Init::StyleStats => match self.styles.palette()? {
                Some(palette) => palette.noise((h, w), &rng)?.to_device(device)?,
                None => self.content.clone(),
            },
        })
    }

    /// A picture that was given to start from, as this transfer needs it.
    pub(super) fn given(&self, start: &Tensor) -> Result<Tensor> {
        check("initial", start)?;
        let start = start.to_dtype(DType::F32)?.to_device(self.content.device())?;
        Ok(if self.chroma.is_some() { luma(&start)? } else { start })
    }
}

/// A content picture, checked, in f32.
pub(super) fn as_content(picture: &Tensor) -> Result<Tensor> {
    check("content", picture)?;
    Ok(picture.to_dtype(DType::F32)?)
}

pub(super) fn check(what: &'static str, picture: &Tensor) -> Result<()> {
    if !matches!(picture.dims(), [3, h, w] if *h > 0 && *w > 0) {
        return Err(Error::Picture { what, shape: picture.dims().to_vec() });
    }
    // Looked for here, because a rectifier may turn a NaN into 0.
    let sum = value(&in_f64(picture)?.abs()?.sum_all()?)?;
    if sum.is_finite() { Ok(()) } else { Err(Error::PictureNotFinite { what }) }
}

/// Height and width with `size` pixels on the longer side, and on the shorter at least what the network's halvings
/// need.
pub(crate) fn fit((h, w): (usize, usize), size: usize, last: Tap) -> (usize, usize) {
    let least = least_side([last]);
    let longer = h.max(w) as f64;
    let scaled = |n: usize| ((n as f64 * size as f64 / longer).round() as usize).max(least);
    (scaled(h), scaled(w))
}
