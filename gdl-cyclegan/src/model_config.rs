use crate::{DiscriminatorConfig, Error, GeneratorConfig, Result};
use gdl_patchgan::GanLoss;
use gdl_train::AdamConfig;
use serde::{Deserialize, Serialize};

/// A CycleGAN: its networks, losses and optimizers. The defaults are the reference's.
///
/// # Example
/// ```
/// use gdl_cyclegan::{CycleGanConfig, GeneratorConfig};
///
/// let config = CycleGanConfig { generator: GeneratorConfig::resnet6(), ..CycleGanConfig::default() };
/// assert_eq!((config.lambda_a, config.lambda_identity, config.pool_size), (10.0, 0.5, 50));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CycleGanConfig {
    /// Both generators; `resnet_9blocks`.
    pub generator: GeneratorConfig,
    /// Both discriminators; the 70x70 PatchGAN (64 channels, 3 layers).
    pub discriminator: DiscriminatorConfig,
    /// The loss of validity (`gan_mode`); least squares.
    pub gan_loss: GanLoss,
    /// Weight of the reconstruction A -> B -> A; 10.
    pub lambda_a: f64,
    /// Weight of the reconstruction B -> A -> B; 10.
    pub lambda_b: f64,
    /// Weight of identity, times that of reconstruction; 0.5. With 0 it is not computed.
    pub lambda_identity: f64,
    /// Adam, for generators and discriminators alike; learning rate 0.0002, betas 0.5 and 0.999.
    pub optimizer: AdamConfig,
    /// Earlier translations kept for the discriminators; 50.
    pub pool_size: usize,
    /// What the initial weights, the pools and dropout are drawn from; 0.
    pub seed: u64,
}

impl Default for CycleGanConfig {
    fn default() -> Self {
        Self {
            generator: GeneratorConfig::resnet9(),
            discriminator: DiscriminatorConfig::basic(3),
            gan_loss: GanLoss::Lsgan,
            lambda_a: 10.0,
            lambda_b: 10.0,
            lambda_identity: 0.5,
            optimizer: AdamConfig::gan(),
            pool_size: 50,
            seed: 0,
        }
    }
}

impl CycleGanConfig {
    /// Checks settings that came from outside.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.generator.validate()?;
        self.discriminator.validate()?;
        for (key, value) in [
            ("lambda_a", self.lambda_a),
            ("lambda_b", self.lambda_b),
            ("lambda_identity", self.lambda_identity),
            ("learning_rate", self.optimizer.learning_rate),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Setting { key, message: format!("must be 0 or more, not {value}") });
            }
        }
        if self.generator.out_channels != self.discriminator.in_channels {
            let message = format!(
                "the generator gives {} channels, and the discriminator takes {}",
                self.generator.out_channels, self.discriminator.in_channels
            );
            return Err(Error::Setting { key: "in_channels", message });
        }
        if self.generator.in_channels != self.generator.out_channels {
            let message = "both domains must have equally many channels".into();
            return Err(Error::Setting { key: "out_channels", message });
        }
        Ok(())
    }
}
