use crate::builtin::Domain;
use crate::{CycleGanConfig, DataConfig, DataSpec, DiscriminatorConfig, Error, GeneratorConfig, Result};
use gdl_blocks::Upsampling;
use gdl_train::{AdamConfig, Schedule};
use serde::{Deserialize, Serialize};

/// How long a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// So many times through the larger domain.
    Epochs(u64),
    /// So many batches.
    Steps(u64),
}

/// The learning rate's course, by the reference's names (`--lr_policy`).
///
/// With a length in epochs it changes by epoch, as in the reference, else by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrPolicy {
    /// Constant, then in a line to 0 over the share [`TrainerConfig::decay`] at the end; the default.
    #[default]
    Linear,
    /// A tenth every [`TrainerConfig::lr_decay_iters`].
    Step,
    /// A fifth whenever the generators' mean loss of an epoch has not fallen by 1% for more than 5 epochs. (The reference's
    /// scheduler is never shown a loss, and so lowers the rate every 6 epochs.)
    Plateau,
    /// Half a wave of the cosine from the rate to 0 over the whole training. (The reference's takes the first half, and
    /// rises again in the second.)
    Cosine,
}

/// A training: the model, the data and the course of it.
///
/// # Example
/// ```
/// use gdl_cyclegan::{DataConfig, Length, TrainerConfig};
///
/// let data = DataConfig::new("photos/".parse()?, "builtin:B".parse()?);
/// let config = TrainerConfig { length: Length::Steps(1000), ..TrainerConfig::new(data) };
/// assert_eq!(config.decay, 0.5);
/// # Ok::<(), gdl_cyclegan::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerConfig {
    /// Networks, losses and optimizers.
    #[serde(default)]
    pub model: CycleGanConfig,
    /// The two domains.
    pub data: DataConfig,
    /// Pictures of each domain per step; 1 by default.
    #[serde(default = "one")]
    pub batch: usize,
    /// How long; 200 epochs by default.
    #[serde(default = "two_hundred_epochs")]
    pub length: Length,
    /// The learning rate's course; linear by default.
    #[serde(default)]
    pub lr_policy: LrPolicy,
    /// The share of the training, at its end, over which the learning rate falls to 0 with [`LrPolicy::Linear`]; 0.5 by
    /// default.
    #[serde(default = "half")]
    pub decay: f64,
    /// Epochs (or steps, as the length is) between two falls of the learning rate with [`LrPolicy::Step`]; 50 by default.
    #[serde(default = "fifty")]
    pub lr_decay_iters: u64,
    /// Steps between two checkpoints; 1000 by default, 0 for one at the end alone.
    #[serde(default = "thousand")]
    pub checkpoint_every: u64,
    /// Steps between two sheets of samples; 500 by default, 0 for none.
    #[serde(default = "five_hundred")]
    pub sample_every: u64,
}

fn one() -> usize {
    1
}

fn two_hundred_epochs() -> Length {
    Length::Epochs(200)
}

fn half() -> f64 {
    0.5
}

fn fifty() -> u64 {
    50
}

fn thousand() -> u64 {
    1000
}

fn five_hundred() -> u64 {
    500
}

impl TrainerConfig {
    /// The reference's training of the default model on these data.
    pub fn new(data: DataConfig) -> Self {
        Self {
            model: CycleGanConfig::default(),
            data,
            batch: one(),
            length: two_hundred_epochs(),
            lr_policy: LrPolicy::default(),
            decay: half(),
            lr_decay_iters: fifty(),
            checkpoint_every: thousand(),
            sample_every: five_hundred(),
        }
    }

    /// The demonstration: small networks on the two built-in domains at 64x64.
    ///
    /// What so short a training needs differs from the reference: a residual generator that halves its maps only once,
    /// with resize-convolution; a discriminator that judges patches of 34x34; five times the learning rate; half the
    /// weight of reconstruction; and no identity, which is a third of the generators' work. Found by trying single
    /// settings with one or two seeds each, so there may well be better ones.
    pub fn demo() -> Self {
        let data = DataConfig {
            size: 64,
            builtin_count: 128,
            ..DataConfig::new(DataSpec::Builtin(Domain::A), DataSpec::Builtin(Domain::B))
        };
        let generator = GeneratorConfig::resnet(3).downs(1).base_channels(12).upsampling(Upsampling::Resize);
        let model = CycleGanConfig {
            generator,
            discriminator: DiscriminatorConfig::basic(3).base_channels(32).n_layers(2),
            lambda_a: 5.0,
            lambda_b: 5.0,
            lambda_identity: 0.0,
            optimizer: AdamConfig { learning_rate: 1e-3, ..AdamConfig::gan() },
            ..CycleGanConfig::default()
        };
        Self { model, length: Length::Steps(1600), checkpoint_every: 0, sample_every: 400, ..Self::new(data) }
    }

    /// Checks settings that came from outside.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        let setting = |key, message: String| Err(Error::Setting { key, message });
        if self.batch == 0 {
            return setting("batch", "must be at least 1, not 0".into());
        }
        if !(0.0..=1.0).contains(&self.decay) {
            return setting("decay", format!("must lie between 0 and 1, not {}", self.decay));
        }
        if self.lr_decay_iters == 0 {
            return setting("lr_decay_iters", "must be at least 1, not 0".into());
        }
        let (size, multiple) = (self.data.size, self.model.generator.multiple());
        if size < self.model.generator.min_size() || size % multiple != 0 {
            let message = format!(
                "must be a multiple of {multiple} for this generator and at least {}, not {size}",
                self.model.generator.min_size()
            );
            return setting("size", message);
        }
        let smallest = self.model.discriminator.min_size();
        if size < smallest {
            return setting(
                "size",
                format!("must be at least {smallest} for this discriminator, not {size}"),
            );
        }
        match self.length {
            Length::Epochs(0) => setting("epochs", "must be at least 1, not 0".into()),
            Length::Steps(0) => setting("steps", "must be at least 1, not 0".into()),
            _ => Ok(()),
        }
    }

    /// The learning rate's course, by epoch or step as the length is; constant with [`LrPolicy::Plateau`], which depends on
    /// the losses.
    pub fn schedule(&self) -> Schedule {
        let (Length::Epochs(total) | Length::Steps(total)) = self.length;
        match self.lr_policy {
            LrPolicy::Linear => {
                let decay = (total as f64 * self.decay).round() as u64;
                Schedule::Linear { constant: total - decay, decay }
            }
            LrPolicy::Step => Schedule::Step { every: self.lr_decay_iters, gamma: 0.1 },
            LrPolicy::Plateau => Schedule::Constant,
            LrPolicy::Cosine => Schedule::Cosine { steps: total, floor: 0.0 },
        }
    }
}
