use anyhow::{Result, ensure};
use gdl_vgg::{Arch, Tap, VggConfig};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How a network is made. The defaults made the one inside gdl-nst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// The weights of a VGG network to learn from; without, the network learns to tell the drawn textures apart.
    pub teacher: Option<PathBuf>,
    /// Which layers there are; VGG-16's.
    pub arch: Arch,
    /// Channels of the five blocks; 32, 64, 128, 192, and a fifth that is not built.
    pub widths: [usize; 5],
    /// The last tap; `relu4_1`.
    pub upto: Tap,
    /// Steps; 1,500.
    pub steps: u64,
    /// Pictures a step; 8.
    pub batch: usize,
    /// Pixels on a picture's side; 80.
    pub size: usize,
    /// Positions of each picture and tap at which features are compared; 80.
    pub positions: usize,
    /// Adam's learning rate at its highest; 0.005. It rises over the first 50 steps and falls in half a cosine to a hundredth.
    pub learning_rate: f64,
    /// Seed of weights, pictures and positions; 0.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            teacher: None,
            arch: Arch::Vgg16,
            widths: [32, 64, 128, 192, 192],
            upto: Tap::relu(4, 1),
            steps: 1500,
            batch: 8,
            size: 80,
            positions: 80,
            learning_rate: 5e-3,
            seed: 0,
        }
    }
}

impl TrainConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// Naming the first that is outside its range.
    pub fn check(&self) -> Result<()> {
        for (key, n) in [("steps", self.steps as usize), ("batch", self.batch), ("positions", self.positions)]
        {
            ensure!(n > 0, "{key}: must be at least 1, not 0");
        }
        let least = 1 << (self.upto.block - 1);
        ensure!(self.size >= least, "size: must be at least {least} for {}, not {}", self.upto, self.size);
        let rate = self.learning_rate;
        ensure!(rate > 0.0 && rate.is_finite(), "learning_rate: must be a number above 0, not {rate}");
        Ok(())
    }

    /// The network to be made.
    pub fn network(&self) -> VggConfig {
        // As gdl-nst pads, so that the border is learned as it will be used.
        let first_padding = gdl_conv::PadMode::Replicate;
        VggConfig {
            arch: self.arch,
            widths: self.widths,
            upto: self.upto,
            first_padding,
            ..VggConfig::default()
        }
    }

    /// Where the network is compared or asked: two places of each block, as far as it reaches.
    pub fn taps(&self) -> Vec<Tap> {
        let all = (1..=5).flat_map(|block| [Tap::relu(block, 1), Tap::relu(block, 2)]);
        all.filter(|t| *t <= self.upto).collect()
    }
}
