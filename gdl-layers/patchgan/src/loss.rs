use candle_core::{Module, Result, Tensor, bail};
use gdl_kernels::{Activation, softplus};
use serde::{Deserialize, Serialize};

/// The adversarial objective, by its name in the reference implementation (`--gan_mode`).
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_patchgan::GanLoss;
///
/// let scores = Tensor::new(&[[[[0.5f32, -0.5]]]], &Device::Cpu)?;
/// let as_real = GanLoss::Lsgan.loss(&scores, true)?; // (0.25 + 2.25) / 2
/// assert_eq!(as_real.to_scalar::<f32>()?, 1.25);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `GANLoss` of pytorch-CycleGAN-and-pix2pix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GanLoss {
    /// Mean squared difference to 1 (real) or 0 (fake); the default, as in CycleGAN. Mao et al. 1611.04076.
    #[default]
    Lsgan,
    /// Binary cross-entropy of the scores as logits. Goodfellow et al. 1406.2661.
    Vanilla,
    /// Minus the mean score (real) or the mean score (fake); the discriminator needs the
    /// [`gradient_penalty`](crate::gradient_penalty) beside it. Gulrajani et al. 1704.00028.
    #[serde(rename = "wgangp")]
    WassersteinGp,
    /// How far scores are below 1 (real) or above -1 (fake), on average. Lim and Ye 1705.02894; not in the reference.
    Hinge,
}

impl GanLoss {
    /// What a discriminator minimises, given its scores of real or of made-up images: a scalar, the mean over all scores.
    ///
    /// # Errors
    ///
    /// Where there are no scores.
    pub fn loss(self, scores: &Tensor, target_is_real: bool) -> Result<Tensor> {
        if scores.elem_count() == 0 {
            bail!("GanLoss: no scores to take the mean of, got shape {:?}", scores.dims())
        }
        match self {
            Self::Lsgan => (scores - if target_is_real { 1.0 } else { 0.0 })?.sqr()?.mean_all(),
            Self::Vanilla => {
                softplus(&if target_is_real { scores.neg()? } else { scores.clone() })?.mean_all()
            }
            Self::WassersteinGp => {
                let mean = scores.mean_all()?;
                if target_is_real { mean.neg() } else { Ok(mean) }
            }
            Self::Hinge => {
                let short = if target_is_real { scores.affine(-1.0, 1.0)? } else { (scores + 1.0)? };
                Activation::Relu.forward(&short)?.mean_all()
            }
        }
    }

    /// What a generator minimises, given the scores of its images: the loss of scores that should be real, but with the
    /// hinge, which would let the generator rest as soon as the scores pass 1; there minus the mean score.
    ///
    /// # Errors
    ///
    /// Where there are no scores.
    pub fn generator_loss(self, scores: &Tensor) -> Result<Tensor> {
        match self {
            Self::Hinge => Self::WassersteinGp.loss(scores, true),
            _ => self.loss(scores, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_gan_mode() {
        let names = [GanLoss::Lsgan, GanLoss::Vanilla, GanLoss::WassersteinGp, GanLoss::Hinge];
        let json = serde_json::to_string(&names).unwrap();
        assert_eq!(json, r#"["lsgan","vanilla","wgangp","hinge"]"#);
        assert_eq!(serde_json::from_str::<Vec<GanLoss>>(&json).unwrap(), names);
    }
}
