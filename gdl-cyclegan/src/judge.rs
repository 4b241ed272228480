use crate::{Discriminator, DiscriminatorConfig};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_patchgan::{GanLoss, gradient_penalty};
use gdl_train::ParamStore;
use std::collections::{HashMap, HashSet};

/// Weight of WGAN-GP's gradient penalty; the paper's.
const PENALTY: f64 = 10.0;

/// One discriminator over the same weights twice: learning, and standing still under a learning generator, where
/// gradients of its weights would be computed for nothing.
#[derive(Debug)]
pub(crate) struct Judge {
    learning: Discriminator,
    frozen: Discriminator,
    gan_loss: GanLoss,
}

impl Judge {
    pub(crate) fn new(config: &DiscriminatorConfig, gan_loss: GanLoss, store: &ParamStore) -> Result<Self> {
        let learning = Discriminator::new(config, store.vb())?;
        let trainable: HashSet<String> = store.trainable().into_iter().map(|(name, _)| name).collect();
        // Detached tensors share their variables' storage, in which the optimizer works. Running statistics stay variables:
        // they move under a standing discriminator too.
        let weights: HashMap<String, Tensor> = store
            .vars()
            .into_iter()
            .map(|(name, var)| match trainable.contains(&name) {
                true => (name, var.as_detached_tensor()),
                false => (name, var.into_inner()),
            })
            .collect();
        let vb = VarBuilder::from_tensors(weights, store.dtype(), store.device());
        Ok(Self { learning, frozen: Discriminator::new(config, vb)?, gan_loss })
    }

    /// What a generator minimises: how far the standing discriminator is from taking its pictures for real.
    pub(crate) fn validity(&self, fake: &Tensor) -> Result<Tensor> {
        self.gan_loss.generator_loss(&self.frozen.forward(fake)?)
    }

    /// The discriminator's loss on what is real.
    pub(crate) fn as_real(&self, real: &Tensor) -> Result<Tensor> {
        self.gan_loss.loss(&self.learning.forward(real)?, true)
    }

    /// The discriminator's loss on what is made up.
    pub(crate) fn as_fake(&self, fake: &Tensor) -> Result<Tensor> {
        self.gan_loss.loss(&self.learning.forward(fake)?, false)
    }

    /// The gradient penalty, where the loss has one.
    pub(crate) fn penalty(&self, real: &Tensor, fake: &Tensor, noise: &SharedRng) -> Result<Option<Tensor>> {
        if self.gan_loss != GanLoss::WassersteinGp {
            return Ok(None);
        }
        let alpha = noise.rand(real.dim(0)?, 0.0, 1.0, real.dtype(), real.device())?;
        gradient_penalty(&self.learning, real, fake, &alpha, PENALTY, 1.0).map(Some)
    }

    /// What the discriminator minimises, given a real batch and a translated one.
    pub(crate) fn loss(&self, real: &Tensor, fake: &Tensor, noise: &SharedRng) -> Result<Tensor> {
        let loss = ((self.as_real(real)? + self.as_fake(fake)?)? * 0.5)?;
        match self.penalty(real, fake, noise)? {
            Some(penalty) => loss + penalty,
            None => Ok(loss),
        }
    }
}
