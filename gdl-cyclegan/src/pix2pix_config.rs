use crate::{DiscriminatorConfig, Error, GeneratorConfig, NormKind, Result};
use gdl_patchgan::GanLoss;
use gdl_train::AdamConfig;
use serde::{Deserialize, Serialize};

/// A pix2pix: its networks, losses and optimizers. The defaults are the reference's.
///
/// # Example
/// ```
/// use gdl_cyclegan::{NormKind, Pix2PixConfig};
///
/// let config = Pix2PixConfig::default();
/// assert_eq!((config.lambda_l1, config.pool_size, config.generator.norm), (100.0, 0, NormKind::Batch));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pix2PixConfig {
    /// The generator; `unet_256` with batch norm and dropout.
    pub generator: GeneratorConfig,
    /// The discriminator, of picture and translation together; the 70x70 PatchGAN with batch norm.
    pub discriminator: DiscriminatorConfig,
    /// The loss of validity (`gan_mode`); cross-entropy.
    pub gan_loss: GanLoss,
    /// Weight of the L1 distance from the truth (`lambda_L1`); 100.
    pub lambda_l1: f64,
    /// Adam, for generator and discriminator alike; learning rate 0.0002, betas 0.5 and 0.999.
    pub optimizer: AdamConfig,
    /// Earlier translations kept for the discriminator; 0.
    pub pool_size: usize,
    /// What the initial weights, the pool and dropout are drawn from; 0.
    pub seed: u64,
}

impl Default for Pix2PixConfig {
    fn default() -> Self {
        Self {
            generator: GeneratorConfig::unet256().norm(NormKind::Batch).dropout(true),
            discriminator: DiscriminatorConfig::basic(6).norm(NormKind::Batch),
            gan_loss: GanLoss::Vanilla,
            lambda_l1: 100.0,
            optimizer: AdamConfig::gan(),
            pool_size: 0,
            seed: 0,
        }
    }
}

impl Pix2PixConfig {
    /// Checks settings that came from outside.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.generator.validate()?;
        self.discriminator.validate()?;
        for (key, value) in [("lambda_l1", self.lambda_l1), ("learning_rate", self.optimizer.learning_rate)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Setting { key, message: format!("must be 0 or more, not {value}") });
            }
        }
        let seen = self.generator.in_channels + self.generator.out_channels;
        if seen != self.discriminator.in_channels {
            let message = format!(
                "the discriminator takes {} channels, and a picture and its translation have {seen}",
                self.discriminator.in_channels
            );
            return Err(Error::Setting { key: "in_channels", message });
        }
        Ok(())
    }
}
