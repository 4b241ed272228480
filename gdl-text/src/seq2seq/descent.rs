#[cfg(feature = "files")]
mod files;

#[cfg(feature = "files")]
pub(crate) use files::Progress;

use super::TrainConfig;
use super::examples::Examples;
use crate::eval::bits_per_char;
use crate::trainer::{Judged, optimizer};
use crate::{Error, Length, Result, StepReport};
use candle_core::{Device, Tensor, Var};
use gdl_train::{Clipping, Optimizer, ParamStore, Rng, SharedRng};

/// A training on rows, whatever network it is of: the weights, what changes them, and how far it has come.
#[derive(Debug)]
pub(crate) struct Descent {
    pub(crate) store: ParamStore,
    pub(crate) step: usize,
    pub(crate) judged: Judged,
    pub(crate) sample_every: usize,
    pub(crate) rng: SharedRng,
    pub(crate) device: Device,
    optimizer: Box<dyn Optimizer>,
    vars: Vec<(String, Var)>,
    /// The pass that the batches are of, and they.
    pass: (usize, Vec<Vec<usize>>),
    /// Steps of a pass, and of all.
    per_pass: usize,
    total: usize,
}

/// What dropout draws from.
pub(crate) fn dropout_rng(seed: u64) -> SharedRng {
    SharedRng::from(Rng::stream(seed, "dropout"))
}

impl Descent {
    /// From the weights that a network has taken from `store`, drawn anew if the settings say so; `rng` is that of its dropout.
    pub(crate) fn new(
        config: &TrainConfig,
        rows: usize,
        store: ParamStore,
        rng: SharedRng,
        device: &Device,
    ) -> Result<Self> {
        if let Some(range) = config.init_range {
            for (name, var) in store.vars() {
                let rng = SharedRng::from(Rng::stream(config.seed, &name));
                var.set(&rng.rand(var.shape(), -range, range, var.dtype(), var.device())?)?;
            }
        }
        let vars = store.trainable();
        let per_pass = rows.div_ceil(config.batch).max(1);
        let total = match config.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs.saturating_mul(per_pass),
        };
        Ok(Self {
            optimizer: optimizer(config.optimizer, config.learning_rate, config.weight_decay, &vars)?,
            judged: Judged::default(),
            device: device.clone(),
            pass: (0, Vec::new()),
            step: 0,
            sample_every: 0,
            store,
            rng,
            vars,
            per_pass,
            total,
        })
    }

    pub(crate) fn steps_left(&self) -> usize {
        self.total.saturating_sub(self.step)
    }

    pub(crate) fn steps_per_pass(&self) -> usize {
        self.per_pass
    }

    fn epoch(&self) -> usize {
        self.step / self.per_pass + 1
    }

    /// The rows of the present step.
    pub(crate) fn rows(&mut self, examples: &Examples, config: &TrainConfig) -> Vec<usize> {
        let epoch = self.epoch();
        if self.pass.0 != epoch {
            self.pass = (epoch, examples.batches(config.batch, config.seed, epoch));
        }
        self.pass.1.get(self.step % self.per_pass).cloned().unwrap_or_default()
    }

    /// The probability that the decoder reads a token of its own in the present step.
    pub(crate) fn own(&self, config: &TrainConfig) -> f64 {
        1.0 - config.teacher_forcing.probability(self.step, self.total)
    }

    /// One step down the slope of a loss. `said` is the loss per target token, in nats, that perplexity and bits are of; `tokens` were read.
    ///
    /// Where the loss is not finite nothing has changed.
    pub(crate) fn down(
        &mut self,
        loss: &Tensor,
        said: &Tensor,
        tokens: usize,
        examples: &Examples,
        config: &TrainConfig,
    ) -> Result<StepReport> {
        let epoch = self.epoch();
        let learning_rate = config.rate(self.step, epoch, self.total);
        let grads = loss.backward()?;
        let clipping = Clipping::new([loss, said], &self.vars, &grads, config.clip)?;
        self.optimizer.set_learning_rate(learning_rate);
        self.optimizer.step_braked(&grads, clipping.brake())?;
        let ([value, said], grad_norm) = clipping.read()?;
        if let Some(loss) = [value, said].into_iter().find(|v| !v.is_finite()) {
            return Err(Error::Diverged { step: self.step + 1, loss });
        }
        self.step += 1;
        Ok(StepReport {
            step: self.step,
            epoch,
            loss: value,
            perplexity: said.exp(),
            bits_per_char: bits_per_char(said, examples.target_tokens(), examples.chars),
            grad_norm,
            learning_rate,
            tokens,
            ends_pass: self.step.is_multiple_of(self.per_pass),
        })
    }

    pub(crate) fn judge(&mut self, loss: f64) -> bool {
        self.judged.judge(self.step, loss)
    }
}
