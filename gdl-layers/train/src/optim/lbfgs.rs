use super::elementwise::{Real, Rule, abs_max, abs_sum, dot, update};
use super::line_search::{Trial, strong_wolfe};
use super::{OptimizerState, Stateful};
use crate::tensors::{Expected, check};
use crate::{Error, Result, Tensors};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Shape, Tensor, Var, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Settings of [`Lbfgs`]; the defaults are PyTorch's, with the line search on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LbfgsConfig {
    /// First guess of each step length; 1.
    pub learning_rate: f64,
    /// Iterations in one call of [`Lbfgs::step`]; 20.
    pub max_iter: usize,
    /// Evaluations of the loss in one call; `None`, the default, is 5/4 of `max_iter`.
    pub max_eval: Option<usize>,
    /// Ends when no element of the gradient is larger; 1e-7.
    pub tolerance_grad: f64,
    /// Ends when neither the loss nor any element of the variables changes by more; 1e-9.
    pub tolerance_change: f64,
    /// How many past steps the curvature is read from; 100. Each costs twice the variables' memory.
    pub history: usize,
    /// Whether to search along each direction for the strong Wolfe conditions, rather than to step by `learning_rate`; true.
    pub strong_wolfe: bool,
}

impl Default for LbfgsConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1.0,
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history: 100,
            strong_wolfe: true,
        }
    }
}

/// What one call of [`Lbfgs::step`] did.
#[derive(Debug, Clone, PartialEq)]
pub struct LbfgsStep {
    /// The loss before the call.
    pub loss_before: f64,
    /// The last loss computed on the way taken.
    pub loss: f64,
    /// Iterations done; 0 when the gradient was within its tolerance from the start.
    pub iterations: usize,
    /// Evaluations of the closure.
    pub evaluations: usize,
}

/// L-BFGS: a quasi-Newton method which reads the curvature from its last steps, for deterministic losses.
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use gdl_train::{Lbfgs, LbfgsConfig, ParamStore};
///
/// let store = ParamStore::new(DType::F64, &Device::Cpu, 1);
/// let x = store.vb().get_with_hints(3, "x", candle_nn::init::ONE)?;
/// let mut lbfgs = Lbfgs::new(store.trainable(), LbfgsConfig::default())?;
/// let done = lbfgs.step(|| {
///     let loss = x.sqr()?.sum_all()?;
///     Ok((loss.to_scalar()?, loss.backward()?))
/// })?;
/// assert!(done.loss < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
/// Nocedal and Wright 2006, algorithms 7.4 and 3.5; the same iterates as `torch.optim.LBFGS`.
#[derive(Debug)]
pub struct Lbfgs {
    config: LbfgsConfig,
    vars: Vec<(String, Var)>,
    memory: Memory,
}

/// What is kept from one iteration to the next; the vectors hold all variables, one after the other.
#[derive(Debug, Default)]
struct Memory {
    iterations: u64,
    evaluations: u64,
    last: Option<Last>,
    history: VecDeque<Pair>,
    h_diag: f64,
}

#[derive(Debug)]
struct Last {
    direction: Tensor,
    t: f64,
    grad: Tensor,
    loss: f64,
}

/// A change of the variables (`s`), the change of the gradient it brought (`y`), and `rho = 1 / (y . s)`.
#[derive(Debug)]
struct Pair {
    y: Tensor,
    s: Tensor,
    rho: f64,
}

impl Lbfgs {
    /// An optimizer of these variables, all of one type and on one device.
    ///
    /// # Errors
    /// When types or devices differ.
    pub fn new(vars: Vec<(String, Var)>, config: LbfgsConfig) -> candle_core::Result<Self> {
        if let Some((first, rest)) = vars.split_first() {
            for (name, var) in rest {
                if var.dtype() != first.1.dtype() || !var.device().same_device(first.1.device()) {
                    bail!("lbfgs: {name} differs from {} in type or device", first.0)
                }
            }
        }
        Ok(Self { config, vars, memory: Memory { h_diag: 1.0, ..Memory::default() } })
    }

    /// The settings, with the learning rate as it stands.
    pub fn config(&self) -> &LbfgsConfig {
        &self.config
    }

    /// The first guess of each step length.
    pub fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    /// Sets the first guess of each step length.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }

    /// Up to `max_iter` iterations. `closure` computes the loss and its gradients from the variables as they stand.
    ///
    /// # Errors
    /// Those of `closure`; then the variables stand where the last whole iteration left them.
    pub fn step(
        &mut self,
        mut closure: impl FnMut() -> candle_core::Result<(f64, GradStore)>,
    ) -> candle_core::Result<LbfgsStep> {
        let config = self.config.clone();
        let max_eval = config.max_eval.unwrap_or(config.max_iter * 5 / 4);
        let (loss_before, grads) = closure()?;
        let mut done = LbfgsStep { loss_before, loss: loss_before, iterations: 0, evaluations: 1 };
        self.memory.evaluations += 1;
        if self.vars.is_empty() {
            return Ok(done);
        }
        let mut grad = self.flatten(&grads)?;
        if abs_max(&grad)? <= config.tolerance_grad {
            return Ok(done);
        }
        while done.iterations < config.max_iter {
            done.iterations += 1;
            self.memory.iterations += 1;
            let direction = self.memory.direction(&grad, config.history)?;
            let t = match self.memory.iterations {
                1 => (1.0 / abs_sum(&grad)?).min(1.0) * config.learning_rate,
                _ => config.learning_rate,
            };
            let slope = dot(&grad, &direction)?;
            let before = done.loss;
            let last = |t| Last { direction: direction.clone(), t, grad: grad.clone(), loss: before };
            if slope > -config.tolerance_change {
                self.memory.last = Some(last(t));
                break;
            }

            let mut new_grad = grad.clone();
            let mut evaluations = 0;
            let t = if config.strong_wolfe {
                let start = Trial { t: 0.0, loss: before, grad: grad.clone(), slope };
                let trials = max_eval.saturating_sub(done.evaluations);
                let evaluate = |t| self.trial(&direction, t, &mut closure);
                let d_max = abs_max(&direction)?;
                let (found, tried) =
                    strong_wolfe(&start, t, d_max, config.tolerance_change, trials, evaluate)?;
                self.shift(&direction, found.t)?;
                (done.loss, new_grad, evaluations) = (found.loss, found.grad, tried);
                found.t
            } else {
                self.shift(&direction, t)?;
                // Nothing would use the evaluation after the last iteration.
                if done.iterations != config.max_iter {
                    let (loss, grads) = closure()?;
                    (done.loss, new_grad, evaluations) = (loss, self.flatten(&grads)?, 1);
                }
                t
            };
            done.evaluations += evaluations;
            self.memory.evaluations += evaluations as u64;
            self.memory.last = Some(last(t));
            grad = new_grad;

            if done.iterations == config.max_iter
                || done.evaluations >= max_eval
                || abs_max(&grad)? <= config.tolerance_grad
                || abs_max(&direction)? * t <= config.tolerance_change
                || (done.loss - before).abs() < config.tolerance_change
            {
                break;
            }
        }
        Ok(done)
    }

    /// Loss and gradient a step away; the variables come back to where they were.
    fn trial(
        &self,
        direction: &Tensor,
        t: f64,
        closure: &mut impl FnMut() -> candle_core::Result<(f64, GradStore)>,
    ) -> candle_core::Result<Trial> {
        let start = self
            .vars
            .iter()
            .map(|(_, var)| var.copy().map(|c| c.detach()))
            .collect::<candle_core::Result<Vec<_>>>()?;
        self.shift(direction, t)?;
        let outcome = closure();
        for ((_, var), value) in self.vars.iter().zip(&start) {
            var.set(value)?;
        }
        let (loss, grads) = outcome?;
        let grad = self.flatten(&grads)?;
        Ok(Trial { t, loss, slope: dot(&grad, direction)?, grad })
    }

    /// Moves every variable by `t * direction`.
    fn shift(&self, direction: &Tensor, t: f64) -> candle_core::Result<()> {
        let mut offset = 0;
        for (name, var) in &self.vars {
            let n = var.elem_count();
            let part = direction.narrow(0, offset, n)?.reshape(var.shape())?;
            update(&AddScaled(t), name, var, &part, [])?;
            offset += n;
        }
        Ok(())
    }

    /// Every gradient in one vector; zeros where there is none.
    fn flatten(&self, grads: &GradStore) -> candle_core::Result<Tensor> {
        let parts = self
            .vars
            .iter()
            .map(|(name, var)| match grads.get(var) {
                Some(g) if g.shape() != var.shape() => {
                    bail!("{name}: the gradient is {:?}, the variable {:?}", g.shape(), var.shape())
                }
                Some(g) => g.detach().flatten_all()?.contiguous(),
                None => Tensor::zeros(var.elem_count(), var.dtype(), var.device()),
            })
            .collect::<candle_core::Result<Vec<_>>>()?;
        Tensor::cat(&parts, 0)
    }
}

impl Memory {
    /// The next search direction, after taking the last step into the history.
    fn direction(&mut self, grad: &Tensor, history: usize) -> candle_core::Result<Tensor> {
        let Some(last) = &self.last else {
            return grad.neg();
        };
        let y = (grad - &last.grad)?;
        let s = (&last.direction * last.t)?;
        let ys = dot(&y, &s)?;
        if ys > 1e-10 && history > 0 {
            while self.history.len() >= history {
                self.history.pop_front();
            }
            self.h_diag = ys / dot(&y, &y)?;
            self.history.push_back(Pair { y, s, rho: 1.0 / ys });
        }

        // The two loops: multiply by the approximate inverse Hessian.
        let q = Var::from_tensor(&grad.neg()?)?;
        let add = |x: &Tensor, alpha: f64| update(&AddScaled(alpha), "direction", &q, x, []);
        let mut alphas = Vec::with_capacity(self.history.len());
        for pair in self.history.iter().rev() {
            let alpha = dot(&pair.s, &q)? * pair.rho;
            add(&pair.y, -alpha)?;
            alphas.push(alpha);
        }
        q.set(&(q.as_detached_tensor() * self.h_diag)?)?;
        for (pair, alpha) in self.history.iter().zip(alphas.into_iter().rev()) {
            let beta = dot(&pair.y, &q)? * pair.rho;
            add(&pair.s, alpha - beta)?;
        }
        Ok(q.as_detached_tensor())
    }
}

/// `p += t g`
#[derive(Debug)]
struct AddScaled(f64);

impl Rule<0> for AddScaled {
    fn run<F: Real>(&self, p: &mut [F], g: &[F], _: [&mut [F]; 0]) {
        let t = F::of(self.0);
        for (p, &g) in p.iter_mut().zip(g) {
            *p = *p + g * t;
        }
    }

    fn compose(
        &self,
        p: &Tensor,
        g: &Tensor,
        _: [&Tensor; 0],
    ) -> candle_core::Result<(Tensor, [Option<Tensor>; 0])> {
        Ok(((p + (g * self.0)?)?, []))
    }
}

const KIND: &str = "lbfgs";

impl Stateful for Lbfgs {
    fn state(&self) -> Result<OptimizerState> {
        let memory = &self.memory;
        let mut tensors = Tensors::new();
        let mut scalars = BTreeMap::from([
            ("learning_rate".to_string(), self.config.learning_rate),
            ("n_iter".into(), memory.iterations as f64),
            ("func_evals".into(), memory.evaluations as f64),
            ("h_diag".into(), memory.h_diag),
            ("history".into(), memory.history.len() as f64),
        ]);
        // None of these vectors is ever changed in place, so they can be shared.
        if let Some(last) = &memory.last {
            tensors.insert("d".into(), last.direction.clone());
            tensors.insert("prev_flat_grad".into(), last.grad.clone());
            scalars.insert("t".into(), last.t);
            scalars.insert("prev_loss".into(), last.loss);
        }
        for (i, pair) in memory.history.iter().enumerate() {
            tensors.insert(format!("y.{i}"), pair.y.clone());
            tensors.insert(format!("s.{i}"), pair.s.clone());
            scalars.insert(format!("rho.{i}"), pair.rho);
        }
        Ok(OptimizerState { kind: KIND.into(), scalars, tensors })
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        state.check_kind(KIND)?;
        let history = state.count("history")?;
        if history > self.config.history as u64 {
            let message =
                format!("it holds {history} past steps, the settings allow {}", self.config.history);
            return Err(Error::mismatch(state.origin(), message));
        }
        let (dtype, device) = match self.vars.first() {
            Some((_, var)) => (var.dtype(), var.device().clone()),
            None => (DType::F32, Device::Cpu),
        };
        let n: usize = self.vars.iter().map(|(_, v)| v.elem_count()).sum();
        let started = state.scalars.contains_key("t");
        let pairs = (0..history).flat_map(|i| [format!("y.{i}"), format!("s.{i}")]);
        let expected = pairs
            .chain(started.then(|| ["d", "prev_flat_grad"].map(String::from)).into_iter().flatten())
            .map(|key| (key, Expected { shape: Shape::from(n), dtype }))
            .collect();
        check(&state.origin(), &state.tensors, &expected)?;

        let tensor = |key: &str| match state.tensors.get(key) {
            Some(t) => Ok(t.to_device(&device)?),
            None => Err(Error::mismatch(state.origin(), format!("missing: {key}"))),
        };
        let last = if started {
            Some(Last {
                direction: tensor("d")?,
                t: state.scalar("t")?,
                grad: tensor("prev_flat_grad")?,
                loss: state.scalar("prev_loss")?,
            })
        } else {
            None
        };
        let history = (0..history)
            .map(|i| {
                let (y, s) = (tensor(&format!("y.{i}"))?, tensor(&format!("s.{i}"))?);
                Ok(Pair { y, s, rho: state.scalar(&format!("rho.{i}"))? })
            })
            .collect::<Result<_>>()?;
        let memory = Memory {
            iterations: state.count("n_iter")?,
            evaluations: state.count("func_evals")?,
            last,
            history,
            h_diag: state.scalar("h_diag")?,
        };
        self.config.learning_rate = state.scalar("learning_rate")?;
        self.memory = memory;
        Ok(())
    }
}
