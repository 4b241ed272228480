use crate::builtin::Domain;
use crate::{
    AlignedConfig, CycleGanConfig, DataConfig, DataSpec, DiscriminatorConfig, Error, GeneratorConfig,
    GuardConfig, KeepBest, Pix2PixConfig, Result,
};
use gdl_blocks::Upsampling;
use gdl_train::report::ReportOptions;
use gdl_train::{AdamConfig, Schedule};
use serde::{Deserialize, Serialize};

/// How long a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// So many times through the pictures, or the larger domain.
    Epochs(u64),
    /// So many steps of the optimizers.
    Steps(u64),
}

/// The learning rate's course, by the reference's names (`--lr_policy`).
///
/// With a length in epochs it changes by epoch, as in the reference, else by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrPolicy {
    /// Constant, then in a line to 0 over the share [`TrainingConfig::decay`] at the end; the default.
    #[default]
    Linear,
    /// A tenth every [`TrainingConfig::lr_decay_iters`].
    Step,
    /// A fifth whenever the generators' mean loss of an epoch has not fallen by 1% for more than 5 epochs. (The reference's
    /// scheduler is never shown a loss, and so lowers the rate every 6 epochs.)
    Plateau,
    /// Half a wave of the cosine from the rate to 0 over the whole training. (The reference's takes the first half, and
    /// rises again in the second.)
    Cosine,
}

/// A training of a [`CycleGan`](crate::CycleGan).
pub type TrainerConfig = TrainingConfig<CycleGanConfig, DataConfig>;

/// A training of a [`Pix2Pix`](crate::Pix2Pix).
pub type Pix2PixTrainerConfig = TrainingConfig<Pix2PixConfig, AlignedConfig>;

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
pub struct TrainingConfig<C, D> {
    /// Networks, losses and optimizers.
    #[serde(default)]
    pub model: C,
    /// The pictures.
    pub data: D,
    /// Pictures (of each domain) that are computed at once; 1 by default.
    #[serde(default = "one")]
    pub batch: usize,
    /// Batches whose mean gradient makes a step; 1 by default. More take the memory of one; lengths, schedules and all other
    /// numbers of steps count steps of the optimizers.
    #[serde(default = "one")]
    pub accumulate: usize,
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
    /// Whether the page and the event files are written; both by default.
    #[serde(default)]
    pub report: ReportOptions,
    /// Whether the residual blocks, or the U-Net's steps, are computed again in the backward pass instead of kept: less memory
    /// for more time, and the same results; false by default.
    #[serde(default)]
    pub checkpoint_blocks: bool,
    /// What happens when something fails; by default a return to the last good state.
    #[serde(default)]
    pub guard: GuardConfig,
    /// Whether the best weights are kept beside the last, and by which score; not by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_best: Option<KeepBest>,
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

impl<C: Default, D> TrainingConfig<C, D> {
    /// The reference's training of the default model on these data.
    pub fn new(data: D) -> Self {
        Self {
            model: C::default(),
            data,
            batch: one(),
            accumulate: one(),
            length: two_hundred_epochs(),
            lr_policy: LrPolicy::default(),
            decay: half(),
            lr_decay_iters: fifty(),
            checkpoint_every: thousand(),
            sample_every: five_hundred(),
            report: ReportOptions::default(),
            checkpoint_blocks: false,
            guard: GuardConfig::default(),
            keep_best: None,
        }
    }
}

impl TrainerConfig {
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
        Self { model, length: Length::Steps(1250), checkpoint_every: 0, sample_every: 400, ..Self::new(data) }
    }
}

impl<C, D> TrainingConfig<C, D> {
    /// Pictures (of each domain) that a step learns from.
    pub fn pictures_per_step(&self) -> u64 {
        self.batch as u64 * self.accumulate as u64
    }

    /// Checks what does not depend on the method: length, batch and learning rate.
    pub(crate) fn check_course(&self) -> Result<()> {
        let setting = |key, message: String| Err(Error::Setting { key, message });
        if self.batch == 0 {
            return setting("batch", "must be at least 1, not 0".into());
        }
        if self.accumulate == 0 {
            return setting("accumulate", "must be at least 1, not 0".into());
        }
        self.guard.validate()?;
        if !(0.0..=1.0).contains(&self.decay) {
            return setting("decay", format!("must lie between 0 and 1, not {}", self.decay));
        }
        if self.lr_decay_iters == 0 {
            return setting("lr_decay_iters", "must be at least 1, not 0".into());
        }
        match self.length {
            Length::Epochs(0) => setting("epochs", "must be at least 1, not 0".into()),
            Length::Steps(0) => setting("steps", "must be at least 1, not 0".into()),
            _ => Ok(()),
        }
    }

    /// Checks that the networks can be trained on pictures of that side.
    pub(crate) fn check_size(
        &self,
        size: usize,
        generator: &GeneratorConfig,
        discriminator: &DiscriminatorConfig,
    ) -> Result<()> {
        let setting = |message: String| Err(Error::Setting { key: "size", message });
        let (multiple, smallest) = (generator.multiple(), generator.min_size());
        if size < smallest || !size.is_multiple_of(multiple) {
            return setting(format!(
                "must be a multiple of {multiple} for this generator and at least {smallest}, not {size}"
            ));
        }
        match discriminator.min_size() {
            smallest if size < smallest => {
                setting(format!("must be at least {smallest} for this discriminator, not {size}"))
            }
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
