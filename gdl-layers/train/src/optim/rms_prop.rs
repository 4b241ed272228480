use super::elementwise::{Real, Rule, StepRule};
use super::slots::Slots;
use super::{Brake, GradientOf, Optimizer, OptimizerState, Stateful};
use crate::Result;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

/// Settings of [`RmsProp`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsPropConfig {
    /// Learning rate; 0.01.
    pub learning_rate: f64,
    /// Decay of the mean square; 0.99.
    pub alpha: f64,
    /// Added to the denominator, outside the root; 1e-8.
    pub eps: f64,
    /// Weight decay, through the gradient; 0.
    pub weight_decay: f64,
    /// Momentum; 0.
    pub momentum: f64,
    /// Whether to divide by the standard deviation rather than the root mean square; false.
    pub centered: bool,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
        }
    }
}

/// RMSprop.
///
/// `v = alpha v + (1 - alpha) g^2`, `step = g / (sqrt(v) + eps)`; centered: `a += (1 - alpha) (g - a)` and `v - a^2` under the root;
/// with momentum: `b = momentum b + step` takes the place of `step`; `p -= lr step`.
///
/// # Source
/// Tieleman and Hinton 2012; Graves 2013 for the centered form. Step by step as `torch.optim.RMSprop` computes it.
#[derive(Debug)]
pub struct RmsProp {
    config: RmsPropConfig,
    slots: Slots<3>,
}

impl RmsProp {
    /// An optimizer of these variables.
    ///
    /// # Errors
    /// When a name is given twice, or the states cannot be allocated.
    pub fn new(vars: Vec<(String, Var)>, config: RmsPropConfig) -> candle_core::Result<Self> {
        let grad_avg = config.centered.then_some("grad_avg");
        let momentum = (config.momentum != 0.0).then_some("momentum_buffer");
        let slots = Slots::new("rmsprop", vars, [Some("square_avg"), grad_avg, momentum])?;
        Ok(Self { config, slots })
    }

    /// The settings, with the learning rate as it stands.
    pub fn config(&self) -> &RmsPropConfig {
        &self.config
    }
}

impl Optimizer for RmsProp {
    fn step_along(&mut self, gradient: GradientOf<'_>, brake: Option<&Brake>) -> candle_core::Result<()> {
        self.slots.step(gradient, brake, |_| RmsPropRule(&self.config))
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }
}

impl Stateful for RmsProp {
    fn state(&self) -> Result<OptimizerState> {
        self.slots.state(self.config.learning_rate)
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        self.config.learning_rate = self.slots.load(state)?;
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct RmsPropRule<'a>(pub(crate) &'a RmsPropConfig);

impl Rule<3> for RmsPropRule<'_> {
    fn run<F: Real>(&self, p: &mut [F], g: &[F], [square, mean, buffer]: [&mut [F]; 3]) {
        let c = self.0;
        let (alpha, new) = (F::of(c.alpha), F::of(1.0 - c.alpha));
        let (lr, eps, decay) = (F::of(c.learning_rate), F::of(c.eps), F::of(c.weight_decay));
        let momentum = F::of(c.momentum);
        for (i, (p, v)) in p.iter_mut().zip(square).enumerate() {
            let g = g[i] + *p * decay;
            *v = *v * alpha + g * g * new;
            let mut variance = *v;
            if let Some(a) = mean.get_mut(i) {
                *a = *a + (g - *a) * new;
                variance = variance - *a * *a;
            }
            let mut step = g / (variance.sqrt() + eps);
            if let Some(b) = buffer.get_mut(i) {
                *b = *b * momentum + step;
                step = *b;
            }
            *p = *p - step * lr;
        }
    }

    fn compose(
        &self,
        p: &Tensor,
        g: &Tensor,
        [square, mean, buffer]: [&Tensor; 3],
    ) -> candle_core::Result<(Tensor, [Option<Tensor>; 3])> {
        let c = self.0;
        let g = (g + (p * c.weight_decay)?)?;
        let square = ((square * c.alpha)? + (g.sqr()? * (1.0 - c.alpha))?)?;
        let (mean, variance) = if c.centered {
            let mean = (mean + ((&g - mean)? * (1.0 - c.alpha))?)?;
            let variance = (&square - mean.sqr()?)?;
            (Some(mean), variance)
        } else {
            (None, square.clone())
        };
        let mut step = (&g / (variance.sqrt()? + c.eps)?)?;
        let buffer = if c.momentum != 0.0 {
            step = ((buffer * c.momentum)? + step)?;
            Some(step.clone())
        } else {
            None
        };
        Ok(((p - (step * c.learning_rate)?)?, [Some(square), mean, buffer]))
    }
}

impl StepRule<3> for RmsPropRule<'_> {
    #[cfg(feature = "cuda")]
    fn kernel(&self) -> super::cuda::Kernel {
        let c = self.0;
        let shared = [c.learning_rate, c.weight_decay, c.momentum, c.alpha, c.eps];
        super::cuda::Kernel { name: "rms_prop", shared, own: [0.0; 2] }
    }
}
