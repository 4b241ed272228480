use candle_core::{Result, Tensor};
use gdl_kernels::rng::Rng;

/// A window of a picture.
///
/// # Shape
/// (C, H, W) to (C, height, width).
///
/// # Errors
/// When the window does not lie within the picture.
pub fn crop(x: &Tensor, top: usize, left: usize, height: usize, width: usize) -> Result<Tensor> {
    let (_, h, w) = x.dims3()?;
    if height == 0 || width == 0 || top + height > h || left + width > w {
        candle_core::bail!(
            "crop: {height}x{width} at ({top}, {left}) does not lie within a picture of {h}x{w}"
        )
    }
    x.narrow(1, top, height)?.narrow(2, left, width)?.contiguous() // (C, height, width)
}

/// The middle of a picture.
///
/// # Shape
/// (C, H, W) to (C, height, width).
///
/// # Errors
/// When the picture is smaller than that.
pub fn center_crop(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, h, w) = x.dims3()?;
    crop(x, h.saturating_sub(height) / 2, w.saturating_sub(width) / 2, height, width)
}

/// A window at a place drawn uniformly. Always takes two draws, vertical first.
///
/// # Shape
/// (C, H, W) to (C, height, width).
///
/// # Errors
/// When the picture is smaller than that.
pub fn random_crop(x: &Tensor, height: usize, width: usize, rng: &mut Rng) -> Result<Tensor> {
    let (_, h, w) = x.dims3()?;
    let top = rng.below(h.saturating_sub(height) + 1);
    let left = rng.below(w.saturating_sub(width) + 1);
    crop(x, top, left, height, width)
}

/// Left becomes right. Shape (C, H, W).
///
/// # Errors
/// When the tensor has not three dimensions.
pub fn flip_horizontal(x: &Tensor) -> Result<Tensor> {
    let (_, _, w) = x.dims3()?;
    let reversed: Vec<u32> = (0..w as u32).rev().collect();
    x.contiguous()?.index_select(&Tensor::new(reversed, x.device())?, 2)
}

/// Flips with probability one half. Always takes one draw. Shape (C, H, W).
///
/// # Errors
/// When the tensor has not three dimensions.
pub fn random_flip(x: &Tensor, rng: &mut Rng) -> Result<Tensor> {
    if rng.below(2) == 1 { flip_horizontal(x) } else { Ok(x.clone()) }
}
