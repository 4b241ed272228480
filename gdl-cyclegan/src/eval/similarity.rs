use super::{psnr, ssim};
use candle_core::{Result, Tensor};

/// How like a picture is to its truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// [`psnr`], in decibels; infinite for equal pictures.
    pub psnr: f64,
    /// [`ssim`], 1 for equal pictures.
    pub ssim: f64,
}

impl Similarity {
    /// Of two pictures in [0, 1].
    ///
    /// # Shape
    /// (C, H, W), at least 11x11 pixels.
    ///
    /// # Errors
    /// When the shapes differ or are smaller.
    pub fn of(a: &Tensor, b: &Tensor) -> Result<Self> {
        Ok(Self { psnr: psnr(a, b)?, ssim: ssim(a, b)? })
    }

    /// The mean of several; none of none.
    pub fn mean(scores: &[Self]) -> Option<Self> {
        let count = scores.len() as f64;
        let mean = |of: fn(&Self) -> f64| scores.iter().map(of).sum::<f64>() / count;
        (!scores.is_empty()).then(|| Self { psnr: mean(|s| s.psnr), ssim: mean(|s| s.ssim) })
    }
}
