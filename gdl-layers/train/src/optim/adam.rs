use super::elementwise::{Real, Rule, StepRule};
use super::slots::Slots;
use super::{Brake, GradientOf, Optimizer, OptimizerState, Stateful};
use crate::Result;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

/// Settings of [`Adam`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Learning rate; 0.001.
    pub learning_rate: f64,
    /// Decay of the first moment; 0.9.
    pub beta1: f64,
    /// Decay of the second moment; 0.999.
    pub beta2: f64,
    /// Added to the denominator; 1e-8.
    pub eps: f64,
    /// Weight decay; 0.
    pub weight_decay: f64,
    /// Whether the decay acts on the weights themselves (AdamW) rather than through the gradient (Adam); false.
    pub decoupled: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decoupled: false }
    }
}

impl AdamConfig {
    /// For adversarial training: learning rate 0.0002, beta1 0.5 (Radford et al. 2015; CycleGAN and pix2pix).
    pub fn gan() -> Self {
        Self { learning_rate: 2e-4, beta1: 0.5, ..Self::default() }
    }

    /// AdamW with PyTorch's decay of 0.01.
    pub fn adamw() -> Self {
        Self { weight_decay: 1e-2, decoupled: true, ..Self::default() }
    }
}

/// Adam, or AdamW when the weight decay is decoupled.
///
/// `m += (1 - beta1) (g - m)`, `v = beta2 v + (1 - beta2) g^2`,
/// `p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)`; before that, with weight decay `w`, either `g += w p` or
/// (decoupled) `p *= 1 - lr w`.
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use gdl_train::{Adam, AdamConfig, Optimizer, ParamStore};
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
/// let x = store.vb().get_with_hints(3, "x", candle_nn::init::ONE)?;
/// let mut adam = Adam::new(store.trainable(), AdamConfig::default())?;
/// let loss = x.sqr()?.sum_all()?;
/// adam.step(&loss.backward()?)?;
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
/// Kingma and Ba 2014; Loshchilov and Hutter 2017. Step by step as `torch.optim.Adam` and `AdamW` compute it.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    slots: Slots<2>,
}

impl Adam {
    /// An optimizer of these variables.
    ///
    /// # Errors
    /// When a name is given twice, or the moments cannot be allocated.
    pub fn new(vars: Vec<(String, Var)>, config: AdamConfig) -> candle_core::Result<Self> {
        let slots = Slots::new("adam", vars, [Some("exp_avg"), Some("exp_avg_sq")])?;
        Ok(Self { config, slots })
    }

    /// The settings, with the learning rate as it stands.
    pub fn config(&self) -> &AdamConfig {
        &self.config
    }
}

impl Optimizer for Adam {
    fn step_along(&mut self, gradient: GradientOf<'_>, brake: Option<&Brake>) -> candle_core::Result<()> {
        self.slots.step(gradient, brake, |t| AdamRule::new(&self.config, t))
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }
}

impl Stateful for Adam {
    fn state(&self) -> Result<OptimizerState> {
        self.slots.state(self.config.learning_rate)
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        self.config.learning_rate = self.slots.load(state)?;
        Ok(())
    }
}

/// The numbers of one step.
#[derive(Debug)]
pub(crate) struct AdamRule {
    keep: f64,  // factor on p: decoupled decay
    decay: f64, // added to g, times p
    new1: f64,  // 1 - beta1
    beta2: f64,
    step_size: f64,
    correct2: f64, // 1 / sqrt(1 - beta2^t)
    eps: f64,
}

impl AdamRule {
    pub(crate) fn new(c: &AdamConfig, t: u64) -> Self {
        let power = |beta: f64| beta.powf(t as f64);
        Self {
            keep: if c.decoupled { 1.0 - c.learning_rate * c.weight_decay } else { 1.0 },
            decay: if c.decoupled { 0.0 } else { c.weight_decay },
            new1: 1.0 - c.beta1,
            beta2: c.beta2,
            step_size: c.learning_rate / (1.0 - power(c.beta1)),
            correct2: 1.0 / (1.0 - power(c.beta2)).sqrt(),
            eps: c.eps,
        }
    }
}

impl Rule<2> for AdamRule {
    fn run<F: Real>(&self, p: &mut [F], g: &[F], [m, v]: [&mut [F]; 2]) {
        let (keep, decay, new1) = (F::of(self.keep), F::of(self.decay), F::of(self.new1));
        let (beta2, new2) = (F::of(self.beta2), F::of(1.0 - self.beta2));
        let (step_size, correct2, eps) = (F::of(self.step_size), F::of(self.correct2), F::of(self.eps));
        for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let w = *p * keep;
            let g = g + w * decay;
            *m = *m + (g - *m) * new1;
            *v = *v * beta2 + g * g * new2;
            *p = w - *m / (v.sqrt() * correct2 + eps) * step_size;
        }
    }

    fn compose(
        &self,
        p: &Tensor,
        g: &Tensor,
        [m, v]: [&Tensor; 2],
    ) -> candle_core::Result<(Tensor, [Option<Tensor>; 2])> {
        let p = (p * self.keep)?;
        let g = (g + (&p * self.decay)?)?;
        let m = (m + ((&g - m)? * self.new1)?)?;
        let v = ((v * self.beta2)? + (g.sqr()? * (1.0 - self.beta2))?)?;
        let step = (&m / ((v.sqrt()? * self.correct2)? + self.eps)?)?;
        Ok(((p - (step * self.step_size)?)?, [Some(m), Some(v)]))
    }
}

impl StepRule<2> for AdamRule {
    #[cfg(feature = "cuda")]
    fn kernel(&self) -> super::cuda::Kernel {
        let shared = [self.keep, self.decay, self.new1, self.beta2, self.eps];
        super::cuda::Kernel { name: "adam", shared, own: [self.step_size, self.correct2] }
    }
}
