use super::elementwise::{Real, Rule, StepRule};
use super::slots::Slots;
use super::{Brake, GradientOf, Optimizer, OptimizerState, Stateful};
use crate::Result;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

/// Settings of [`Sgd`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Learning rate; 0.001.
    pub learning_rate: f64,
    /// Momentum; 0.
    pub momentum: f64,
    /// Weakens what enters the momentum after the first step; 0.
    pub dampening: f64,
    /// Weight decay, through the gradient; 0.
    pub weight_decay: f64,
    /// Nesterov's momentum; false.
    pub nesterov: bool,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self { learning_rate: 1e-3, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false }
    }
}

/// Stochastic gradient descent with momentum.
///
/// `b = momentum b + (1 - dampening) g` (at the first step `b = g`), `p -= lr b`; Nesterov: `p -= lr (g + momentum b)`.
///
/// # Source
/// Sutskever et al. 2013, in the form and with the first step of `torch.optim.SGD`.
#[derive(Debug)]
pub struct Sgd {
    config: SgdConfig,
    slots: Slots<1>,
}

impl Sgd {
    /// An optimizer of these variables.
    ///
    /// # Errors
    /// When a name is given twice, or Nesterov's momentum is asked for without momentum or with dampening.
    pub fn new(vars: Vec<(String, Var)>, config: SgdConfig) -> candle_core::Result<Self> {
        if config.nesterov && (config.momentum <= 0.0 || config.dampening != 0.0) {
            candle_core::bail!(
                "sgd: Nesterov's momentum needs a momentum above 0 and no dampening, got {} and {}",
                config.momentum,
                config.dampening
            )
        }
        let slots = Slots::new("sgd", vars, [(config.momentum != 0.0).then_some("momentum_buffer")])?;
        Ok(Self { config, slots })
    }

    /// The settings, with the learning rate as it stands.
    pub fn config(&self) -> &SgdConfig {
        &self.config
    }
}

impl Optimizer for Sgd {
    fn step_along(&mut self, gradient: GradientOf<'_>, brake: Option<&Brake>) -> candle_core::Result<()> {
        self.slots.step(gradient, brake, |t| SgdRule { config: &self.config, first: t == 1 })
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }
}

impl Stateful for Sgd {
    fn state(&self) -> Result<OptimizerState> {
        self.slots.state(self.config.learning_rate)
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        self.config.learning_rate = self.slots.load(state)?;
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct SgdRule<'a> {
    pub(crate) config: &'a SgdConfig,
    pub(crate) first: bool,
}

impl SgdRule<'_> {
    /// Factors on the old momentum and on what enters it.
    fn mix(&self) -> (f64, f64) {
        if self.first { (0.0, 1.0) } else { (self.config.momentum, 1.0 - self.config.dampening) }
    }
}

impl Rule<1> for SgdRule<'_> {
    fn run<F: Real>(&self, p: &mut [F], g: &[F], [buffer]: [&mut [F]; 1]) {
        let c = self.config;
        let (lr, decay, momentum) = (F::of(c.learning_rate), F::of(c.weight_decay), F::of(c.momentum));
        if buffer.is_empty() {
            for (p, &g) in p.iter_mut().zip(g) {
                *p = *p - (g + *p * decay) * lr;
            }
            return;
        }
        let (old, new) = self.mix();
        let (old, new) = (F::of(old), F::of(new));
        for ((p, &g), b) in p.iter_mut().zip(g).zip(buffer) {
            let g = g + *p * decay;
            *b = *b * old + g * new;
            let step = if c.nesterov { g + *b * momentum } else { *b };
            *p = *p - step * lr;
        }
    }

    fn compose(
        &self,
        p: &Tensor,
        g: &Tensor,
        [buffer]: [&Tensor; 1],
    ) -> candle_core::Result<(Tensor, [Option<Tensor>; 1])> {
        let c = self.config;
        let g = (g + (p * c.weight_decay)?)?;
        if c.momentum == 0.0 {
            return Ok(((p - (g * c.learning_rate)?)?, [None]));
        }
        let (old, new) = self.mix();
        let buffer = ((buffer * old)? + (&g * new)?)?;
        let step = if c.nesterov { (g + (&buffer * c.momentum)?)? } else { buffer.clone() };
        Ok(((p - (step * c.learning_rate)?)?, [Some(buffer)]))
    }
}

impl StepRule<1> for SgdRule<'_> {
    #[cfg(feature = "cuda")]
    fn kernel(&self) -> super::cuda::Kernel {
        let (c, (old, new)) = (self.config, self.mix());
        let shared = [c.learning_rate, c.weight_decay, c.momentum, f64::from(u8::from(c.nesterov)), 0.0];
        super::cuda::Kernel { name: "sgd", shared, own: [old, new] }
    }
}
