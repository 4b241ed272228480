use super::psnr;
use candle_core::{Result, Tensor, bail};

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
