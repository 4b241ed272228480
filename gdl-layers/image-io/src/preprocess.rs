use crate::{Filter, random_crop, random_flip, resize};
use candle_core::{Result, Tensor};
use gdl_kernels::rng::Rng;
use serde::{Deserialize, Serialize};

/// How training pictures are brought to size, under the option names of pytorch-CycleGAN-and-pix2pix.
///
/// # Source
/// `get_transform` in `data/base_dataset.py` of junyanz/pytorch-CycleGAN-and-pix2pix. Deliberate difference: a picture
/// smaller than the crop is first scaled up to hold it, where the reference fails or gives uneven batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preprocess {
    /// Scale to `load_size` x `load_size`, then crop `crop_size` x `crop_size` at a random place.
    #[default]
    ResizeAndCrop,
    /// Crop `crop_size` x `crop_size` at a random place.
    Crop,
    /// Scale the width to `load_size`, keeping the shape; the height is at least `crop_size`.
    ScaleWidth,
    /// [`Preprocess::ScaleWidth`], then [`Preprocess::Crop`].
    ScaleWidthAndCrop,
    /// Only scale the sides to the nearest multiple of 4.
    None,
}

impl Preprocess {
    /// Brings one picture to size, and flips every second one (on average) if `flip` is set.
    ///
    /// # Shape
    /// (C, H, W) to (C, crop_size, crop_size), or what the variant says.
    ///
    /// # Errors
    /// A size of zero, or a tensor that has not three dimensions.
    pub fn apply(
        &self,
        x: &Tensor,
        load_size: usize,
        crop_size: usize,
        flip: bool,
        rng: &mut Rng,
    ) -> Result<Tensor> {
        if load_size == 0 || crop_size == 0 {
            candle_core::bail!(
                "Preprocess: load_size and crop_size must be at least 1, got {load_size} and {crop_size}"
            )
        }
        let (_, h, w) = x.dims3()?;
        let by_width = |x: &Tensor| {
            let height = (h as f64 * load_size as f64 / w as f64).round() as usize;
            resize(x, height.max(crop_size), load_size, Filter::CatmullRom)
        };
        let sized = match self {
            Self::ResizeAndCrop => {
                cut(&resize(x, load_size, load_size, Filter::CatmullRom)?, crop_size, rng)?
            }
            Self::Crop => cut(x, crop_size, rng)?,
            Self::ScaleWidth => by_width(x)?,
            Self::ScaleWidthAndCrop => cut(&by_width(x)?, crop_size, rng)?,
            Self::None => {
                let multiple = |n: usize| ((n as f64 / 4.0).round() as usize * 4).max(4);
                resize(x, multiple(h), multiple(w), Filter::CatmullRom)?
            }
        };
        if flip { random_flip(&sized, rng) } else { Ok(sized) }
    }
}

fn cut(x: &Tensor, size: usize, rng: &mut Rng) -> Result<Tensor> {
    let (_, h, w) = x.dims3()?;
    let shorter = h.min(w);
    if shorter >= size {
        return random_crop(x, size, size, rng);
    }
    let grown = crate::resize_shorter_side(x, size, Filter::CatmullRom)?;
    random_crop(&grown, size, size, rng)
}
