use crate::eval::TestSet;
use crate::{ImagePool, Result, TrainingConfig, Translator, Vital};
use candle_core::{DType, Device, Tensor};
use gdl_kernels::rng::SharedRng;
use gdl_train::report::Chart;
use gdl_train::{Adam, ParamStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A way of learning to translate, with all that changes as it learns: what [`Training`](crate::Training) trains.
///
/// [`CycleGan`](crate::CycleGan) and [`Pix2Pix`](crate::Pix2Pix) are the two there are.
pub trait Method: Sized + Debug {
    /// Networks, losses and optimizers.
    type Config: Clone + PartialEq + Debug + Default + Serialize + DeserializeOwned;
    /// Where the pictures come from.
    type Data: Pairs + Send + Sync + 'static;
    /// What a step gives.
    type Losses: Losses;

    /// Its name, for a report.
    const NAME: &str;

    /// The charts of its losses, and the names of the columns of a [`sheet`](Self::sheet).
    fn outline(config: &Self::Config) -> (Vec<Chart>, Vec<&'static str>);

    /// Builds the networks, with weights drawn from the configuration's seed.
    ///
    /// # Errors
    /// When a setting is out of its range.
    fn build(config: &Self::Config, dtype: DType, device: &Device) -> Result<Self>;

    /// Checks settings that came from outside.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) naming the first that is out of its range.
    fn validate(config: &ConfigOf<Self>) -> Result<()>;

    /// The learning rate that the schedule starts from.
    fn base_rate(config: &Self::Config) -> f64;

    /// What everything random is drawn from.
    fn seed(config: &Self::Config) -> u64;

    /// One step of the optimizers, along the mean of the gradients of several batches; the losses are means over them. Where a
    /// loss is not finite, the optimizer that it is for takes no step, and what would come after it is not computed.
    ///
    /// # Shape
    /// Pairs of a batch of each domain, (N, C, H, W) in [-1, 1].
    ///
    /// # Errors
    /// When the shapes do not fit, or there are no batches.
    fn train_step(&mut self, batches: &[(Tensor, Tensor)]) -> candle_core::Result<Self::Losses>;

    /// How each network has fared in the last step, which gave these losses.
    fn vitals(&self, losses: &Self::Losses) -> Vec<(&'static str, Vital)>;

    /// Whether parts of the generators are computed again in the backward pass instead of kept; see
    /// [`Generator::recompute_blocks`](crate::Generator::recompute_blocks).
    fn recompute_blocks(&mut self, on: bool);

    /// Sets the learning rate of the next step.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// The weights of each network, with the name that the reference gives its file.
    fn stores(&self) -> Vec<(&'static str, &ParamStore)>;

    /// The optimizers, by name.
    fn optimizers(&self) -> Vec<(&'static str, &Adam)>;

    /// The optimizers, by name, to be restored.
    fn optimizers_mut(&mut self) -> Vec<(&'static str, &mut Adam)>;

    /// The pools of earlier translations, by name.
    fn pools(&self) -> Vec<(&'static str, &ImagePool)>;

    /// The pools of earlier translations, by name, to be restored.
    fn pools_mut(&mut self) -> Vec<(&'static str, &mut ImagePool)>;

    /// What dropout and the gradient penalty draw from.
    fn noise(&self) -> &SharedRng;

    /// Copies of the generators as they are now, to translate with: from A to B, and back if there is one for that.
    ///
    /// # Errors
    /// When a copy cannot be made (out of memory on an accelerator).
    fn translators(&self) -> Result<Vec<Translator>>;

    /// What becomes of pairs of pictures, on one sheet.
    ///
    /// # Shape
    /// Pictures (3, H, W) in [-1, 1] to one (3, H', W') in [0, 1], on the CPU.
    ///
    /// # Errors
    /// When the shapes do not fit.
    fn sheet(&self, pairs: &[(Tensor, Tensor)]) -> Result<Tensor>;
}

/// The configuration of a training by that method.
pub type ConfigOf<M> = TrainingConfig<<M as Method>::Config, <<M as Method>::Data as Pairs>::Config>;

/// The losses of one step, each as it enters the sum that is minimised.
pub trait Losses: Copy + PartialEq + Debug {
    /// Every loss with its name, in a fixed order.
    fn named(&self) -> Vec<(&'static str, f64)>;

    /// The first that is not finite, where there is one.
    fn not_finite(&self) -> Option<(&'static str, f64)> {
        self.named().into_iter().find(|(_, value)| !value.is_finite())
    }

    /// What the generators minimise.
    fn generator(&self) -> f64;

    /// The losses in a few words, for a progress bar.
    fn summary(&self) -> String;
}

/// Pictures of two domains, sample by sample. What sample number `i` is depends on the seed and on `i` alone: the place in the
/// data is a number, and a resumed training goes on exactly.
pub trait Pairs: Sized + Debug {
    /// Where they are and how they are brought to size.
    type Config: Clone + PartialEq + Debug + Serialize + DeserializeOwned;

    /// Lists the files, or draws the built-in pictures.
    ///
    /// # Errors
    /// A folder that is missing or without images, and settings out of their range.
    fn open(config: &Self::Config, seed: u64) -> Result<Self>;

    /// Makes the paths in a configuration absolute: resumed from another directory, a run must find the same pictures.
    ///
    /// # Errors
    /// When the working directory is gone.
    fn absolute(config: &mut Self::Config) -> Result<()>;

    /// What the generators are scored on while they are trained, in the order of [`Method::translators`]: the validation pictures that the
    /// configuration names, or the test split of built-in domains; at most `count` of each domain, at the training's size.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) when there are none, and a folder that is missing or without images.
    fn held_out(config: &Self::Config, count: Option<usize>, seed: u64) -> Result<Vec<TestSet>>;

    /// Samples in an epoch; at least one.
    fn epoch_len(&self) -> u64;

    /// Sample number `index`, counted on through the epochs.
    ///
    /// # Shape
    /// Two pictures (3, H, W) in [-1, 1], on the CPU.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn sample(&self, index: u64) -> Result<(Tensor, Tensor)>;

    /// Pictures to show the progress on.
    ///
    /// # Shape
    /// Pairs of pictures (3, H, W) in [-1, 1], on the CPU.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn shown(&self, count: usize) -> Result<Vec<(Tensor, Tensor)>>;

    /// Samples `first..first + count` as two batches.
    ///
    /// # Shape
    /// (count, 3, H, W) twice, in [-1, 1], on the CPU.
    ///
    /// # Errors
    /// When a file cannot be read, or the pictures of a batch differ in size (with `preprocess` `none` or `scale_width`).
    fn batch(&self, first: u64, count: usize) -> Result<(Tensor, Tensor)> {
        let samples: Vec<_> = (first..first + count as u64).map(|i| self.sample(i)).collect::<Result<_>>()?;
        let (a, b): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        Ok((Tensor::stack(&a, 0)?, Tensor::stack(&b, 0)?))
    }
}
