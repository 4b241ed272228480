//! How far a translation is from the truth, where the truth is known.

use candle_core::{DType, Result, Tensor, bail};

/// Peak signal-to-noise ratio in decibels, of pictures in [0, 1].
///
/// `-10 log10(mean((a - b)^2))`; infinite for equal pictures.
///
/// # Shape
/// Any, but the same for both.
///
/// # Errors
/// When the shapes differ.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
///
/// let a = Tensor::new(&[0.5f32, 0.5], &Device::Cpu)?;
/// let b = Tensor::new(&[0.6f32, 0.4], &Device::Cpu)?;
/// assert!((gdl_cyclegan::eval::psnr(&a, &b)? - 20.0).abs() < 1e-4);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn psnr(a: &Tensor, b: &Tensor) -> Result<f64> {
    if a.shape() != b.shape() {
        bail!("psnr: the pictures have the shapes {:?} and {:?}", a.dims(), b.dims())
    }
    let difference = (a.to_dtype(DType::F64)? - b.to_dtype(DType::F64)?)?;
    let mse: f64 = difference.sqr()?.mean_all()?.to_scalar()?;
    Ok(-10.0 * mse.log10())
}

/// Translations scored against their true counterparts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean PSNR of the translations, in decibels.
    pub psnr: f64,
    /// Mean PSNR of doing nothing: of the untranslated pictures.
    pub nothing: f64,
    /// How many pictures.
    pub count: usize,
}

impl Score {
    /// What translating gains over doing nothing, in decibels.
    pub fn gain(&self) -> f64 {
        self.psnr - self.nothing
    }
}

/// Scores translations, picture by picture.
///
/// # Shape
/// Three lists of the same length, pictures in [0, 1].
///
/// # Errors
/// When the lists or the shapes differ, or there are no pictures.
pub fn score(inputs: &[Tensor], translations: &[Tensor], truths: &[Tensor]) -> Result<Score> {
    let count = truths.len();
    if count == 0 || inputs.len() != count || translations.len() != count {
        bail!(
            "score: {} inputs, {} translations and {count} truths; as many of each are needed, and at least one",
            inputs.len(),
            translations.len()
        )
    }
    let (mut done, mut nothing) = (0.0, 0.0);
    for ((input, translation), truth) in inputs.iter().zip(translations).zip(truths) {
        done += psnr(translation, truth)?;
        nothing += psnr(input, truth)?;
    }
    Ok(Score { psnr: done / count as f64, nothing: nothing / count as f64, count })
}

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

/// The window's radius and deviation, and the two constants, of the paper.
const RADIUS: usize = 5;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// Structural similarity of pictures in [0, 1]: mean over channels and over all places where the window fits.
///
/// `((2 ma mb + C1) (2 sab + C2)) / ((ma^2 + mb^2 + C1) (sa^2 + sb^2 + C2))`, with means and (co)variances under a Gaussian window of
/// 11x11 pixels and deviation 1.5, C1 = 0.01^2 and C2 = 0.03^2.
///
/// # Shape
/// (C, H, W), at least 11x11 pixels.
///
/// # Errors
/// When the shapes differ or are smaller.
///
/// # Source
/// Wang, Bovik, Sheikh and Simoncelli, *Image Quality Assessment* (2004).
pub fn ssim(a: &Tensor, b: &Tensor) -> Result<f64> {
    let side = 2 * RADIUS + 1;
    match *a.dims() {
        [_, h, w] if a.dims() == b.dims() && h >= side && w >= side => {}
        _ => bail!(
            "ssim: two pictures (C, H, W) of one size and at least {side}x{side} are needed, got {:?} and {:?}",
            a.dims(),
            b.dims()
        ),
    }
    let (a, b) = (a.to_dtype(DType::F64)?, b.to_dtype(DType::F64)?);
    let (ma, mb) = (blurred(&a)?, blurred(&b)?);
    let (maa, mbb, mab) = (ma.sqr()?, mb.sqr()?, (&ma * &mb)?);
    let saa = (blurred(&a.sqr()?)? - &maa)?;
    let sbb = (blurred(&b.sqr()?)? - &mbb)?;
    let sab = (blurred(&(&a * &b)?)? - &mab)?;
    let above = (mab.affine(2.0, C1)? * sab.affine(2.0, C2)?)?;
    let below = (((maa + mbb)? + C1)? * ((saa + sbb)? + C2)?)?;
    (above / below)?.mean_all()?.to_scalar()
}

/// Means under the window, where it fits: (C, H, W) to (C, H - 10, W - 10).
fn blurred(x: &Tensor) -> Result<Tensor> {
    let weights: Vec<f64> = (0..=2 * RADIUS)
        .map(|i| (-(i as f64 - RADIUS as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    let mut y = x.clone();
    // The window is a product: first down, then across.
    for axis in [1, 2] {
        let len = y.dim(axis)? - 2 * RADIUS;
        let shifted = weights.iter().enumerate().map(|(i, weight)| y.narrow(axis, i, len)? * (weight / sum));
        let shifted: Vec<Tensor> = shifted.collect::<Result<_>>()?;
        y = shifted[1..].iter().try_fold(shifted[0].clone(), |sum, part| sum + part)?;
    }
    Ok(y)
}
