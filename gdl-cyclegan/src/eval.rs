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
