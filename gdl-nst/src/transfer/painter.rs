use super::average::Average;
use crate::{Error, Losses, NstConfig, Objective, OptimizerKind, Result};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use gdl_image_io::{Filter, resize};
use gdl_train::{Adam, AdamConfig, Lbfgs, LbfgsConfig, Optimizer, OptimizerState, Stateful};

/// The name of the picture among an optimizer's variables.
const IMAGE: &str = "image";

/// The picture at one scale and what changes it.
#[derive(Debug)]
pub(super) struct Painter {
    pub(super) image: Var,
    minimizer: Minimizer,
    /// Of Adam's pictures, where one is wanted.
    pub(super) average: Option<Average>,
    /// How often the rate has been halved.
    pub(super) halvings: u32,
    last: Option<Last>,
    clamp: bool,
    retries: usize,
}

#[derive(Debug)]
enum Minimizer {
    Adam(Adam),
    Lbfgs(Box<Lbfgs>),
}

/// What one of Adam's steps went out from, so that it can be taken back and done again.
#[derive(Debug)]
struct Last {
    image: Tensor,
    optimizer: OptimizerState,
    average: Option<Average>,
    grads: GradStore,
    rate: f64,
}

/// What an evaluation that is not finite gave.
struct Fault {
    what: &'static str,
    value: f64,
}

impl Painter {
    /// `start` is (1, 3, H, W).
    pub(super) fn new(config: &NstConfig, start: &Tensor) -> Result<Self> {
        let image = Var::from_tensor(&if config.clamp { start.clamp(0f32, 1f32)? } else { start.clone() })?;
        let minimizer = match config.optimizer {
            OptimizerKind::Adam => Minimizer::Adam(adam(config, &image)?),
            OptimizerKind::Lbfgs => Minimizer::Lbfgs(Box::new(lbfgs(config, &image)?)),
        };
        let averaged = config.optimizer == OptimizerKind::Adam && config.average_decay > 0.0;
        Ok(Self {
            image,
            minimizer,
            average: averaged.then(|| Average::new(config.average_decay)),
            halvings: 0,
            last: None,
            clamp: config.clamp,
            retries: config.retries,
        })
    }

    /// This painter's picture at another size, with the moments of its Adam. (The history of L-BFGS is of vectors and
    /// their products, which resizing does not preserve: it starts anew.)
    ///
    /// The first moments are resized bicubically, the second bilinearly, so that none becomes negative; and because
    /// every loss is a mean over the picture, a pixel's gradient shrinks as pixels become more, and the moments with
    /// it.
    ///
    /// # Source
    /// crowsonkb/style-transfer-pytorch, `scale_adam`, which leaves the moments' size as it is.
    pub(super) fn at_size(&self, config: &NstConfig, (h, w): (usize, usize)) -> Result<Self> {
        let resized = |x: &Tensor, filter| resize(&x.squeeze(0)?, h, w, filter)?.unsqueeze(0);
        let mut next = Self::new(config, &resized(&self.shown()?, Filter::CatmullRom)?)?;
        next.halvings = self.halvings;
        if let (Minimizer::Adam(old), Minimizer::Adam(new)) = (&self.minimizer, &mut next.minimizer) {
            let mut state = old.state()?;
            let (_, _, old_h, old_w) = self.image.dims4()?;
            let fewer = (old_h * old_w) as f64 / (h * w) as f64;
            for (name, tensor) in &mut state.tensors {
                *tensor = if name.starts_with("exp_avg_sq") {
                    (resized(tensor, Filter::Triangle)? * fewer.powi(2))?
                } else {
                    (resized(tensor, Filter::CatmullRom)? * fewer)?
                };
            }
            new.load_state(&state)?;
        }
        Ok(next)
    }

    /// The picture as it is to be seen, (1, 3, H, W): the average, where there is one.
    pub(super) fn shown(&self) -> Result<Tensor> {
        let average = self.average.as_ref().map(Average::get).transpose()?.flatten();
        Ok(match average {
            Some(average) => average,
            None => self.image.as_detached_tensor().copy()?,
        })
    }

    pub(super) fn optimizer_state(&self) -> Result<OptimizerState> {
        Ok(match &self.minimizer {
            Minimizer::Adam(adam) => adam.state()?,
            Minimizer::Lbfgs(lbfgs) => lbfgs.state()?,
        })
    }

    pub(super) fn load_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        match &mut self.minimizer {
            Minimizer::Adam(adam) => adam.load_state(state)?,
            Minimizer::Lbfgs(lbfgs) => lbfgs.load_state(state)?,
        }
        Ok(())
    }

    /// One step: the losses before it, and how often something had to be taken back. On an error all is as it was.
    pub(super) fn step(&mut self, objective: &Objective, step: usize, rate: f64) -> Result<(Losses, usize)> {
        let image = self.image.as_detached_tensor().copy()?;
        let optimizer = self.optimizer_state()?;
        let (average, halvings) = (self.average.clone(), self.halvings);
        let taken = match self.minimizer {
            Minimizer::Adam(_) => self.step_adam(objective, step, rate),
            Minimizer::Lbfgs(_) => self.step_lbfgs(objective, step, rate),
        };
        if taken.is_err() {
            self.image.set(&image)?;
            self.load_optimizer_state(&optimizer)?;
            (self.average, self.halvings) = (average, halvings);
        }
        taken
    }

    /// Adam evaluates a picture and moves on; whether that was a good move shows at the next evaluation. So where
    /// that is not finite, the move that led there is taken back, and done again half as far.
    fn step_adam(&mut self, objective: &Objective, step: usize, rate: f64) -> Result<(Losses, usize)> {
        let mut retries = 0;
        loop {
            let (losses, grads, size) = objective.sized_gradients(&self.image)?;
            let Some(fault) = fault_of(&losses, size) else {
                self.move_adam(grads, rate)?;
                return Ok((losses, retries));
            };
            let last = self.last.take().filter(|_| retries < self.retries);
            let Some(last) = last else { return Err(fault.error(step, retries)) };
            retries += 1;
            self.halvings += 1;
            self.image.set(&last.image)?;
            self.load_optimizer_state(&last.optimizer)?;
            self.average = last.average;
            self.move_adam(last.grads, last.rate)?;
        }
    }

    fn move_adam(&mut self, grads: GradStore, rate: f64) -> Result<()> {
        let Minimizer::Adam(adam) = &mut self.minimizer else { return Ok(()) };
        let optimizer = adam.state()?;
        let image = self.image.as_detached_tensor().copy()?;
        adam.set_learning_rate(rate * 0.5f64.powi(self.halvings as i32));
        adam.step(&grads)?;
        self.last = Some(Last { image, optimizer, average: self.average.clone(), grads, rate });
        self.keep_within()?;
        if let Some(average) = &mut self.average {
            average.add(&self.image.as_detached_tensor())?;
        }
        Ok(())
    }

    /// L-BFGS evaluates where it goes. Where that is not finite or far worse, it starts anew from where it was,
    /// without its history and with half the first guess; once also where it found nothing better at all, which an
    /// outdated history may be the reason of.
    fn step_lbfgs(&mut self, objective: &Objective, step: usize, rate: f64) -> Result<(Losses, usize)> {
        let before = self.image.as_detached_tensor().copy()?;
        let mut retries = 0;
        loop {
            let Minimizer::Lbfgs(lbfgs) = &mut self.minimizer else { return Ok((Losses::default(), 0)) };
            lbfgs.set_learning_rate(rate * 0.5f64.powi(self.halvings as i32));
            let image = &self.image;
            let (mut first, mut fault) = (None, None);
            let done = lbfgs.step(|| {
                let (losses, grads, size) = objective.sized_gradients(image)?;
                if let Some(found) = fault_of(&losses, size) {
                    fault = Some(found);
                    candle_core::bail!("style transfer: a trial of L-BFGS is not finite")
                }
                let total = losses.total;
                first.get_or_insert(losses);
                Ok((total, grads))
            });
            let fault = match (done, fault) {
                (_, Some(fault)) => fault,
                (Err(e), None) => return Err(e.into()),
                (Ok(done), None) if done.loss > 2.0 * done.loss_before.abs() => {
                    Fault { what: "total loss", value: done.loss }
                }
                (Ok(done), None) => {
                    let stuck = done.iterations > 0 && done.loss >= done.loss_before;
                    if !stuck || retries > 0 || self.retries == 0 {
                        self.keep_within()?;
                        return Ok((first.unwrap_or_default(), retries));
                    }
                    Fault { what: "total loss", value: done.loss }
                }
            };
            // Where the picture itself is at fault, no other step from it helps.
            if first.is_none() || retries == self.retries {
                return Err(fault.error(step, retries));
            }
            retries += 1;
            self.halvings += 1;
            self.image.set(&before)?;
            let (vars, config) = (variables(&self.image), lbfgs.config().clone());
            **lbfgs = Lbfgs::new(vars, config)?;
        }
    }

    /// What lies outside [0, 1] cannot be shown; left alone it would be cut off at the end instead.
    fn keep_within(&self) -> Result<()> {
        if self.clamp {
            self.image.set(&self.image.as_detached_tensor().clamp(0f32, 1f32)?)?;
        }
        Ok(())
    }
}

fn variables(image: &Var) -> Vec<(String, Var)> {
    vec![(IMAGE.to_string(), image.clone())]
}

fn adam(config: &NstConfig, image: &Var) -> candle_core::Result<Adam> {
    let config = AdamConfig { learning_rate: config.rate(), ..AdamConfig::default() };
    Adam::new(variables(image), config)
}

fn lbfgs(config: &NstConfig, image: &Var) -> candle_core::Result<Lbfgs> {
    let config = LbfgsConfig {
        learning_rate: config.rate(),
        max_iter: 1,
        max_eval: Some(20),
        history: config.lbfgs_history,
        // The gradient of a mean over many pixels is small everywhere, and no sign of being done.
        tolerance_grad: 0.0,
        tolerance_change: 1e-20,
        ..LbfgsConfig::default()
    };
    Lbfgs::new(variables(image), config)
}

/// The first thing that is not finite; `size` is that of the gradient's elements.
fn fault_of(losses: &Losses, size: f64) -> Option<Fault> {
    let named = [
        ("content loss", losses.content),
        ("style loss", losses.style),
        ("histogram loss", losses.histogram),
        ("total variation", losses.tv),
        ("temporal loss", losses.temporal),
        ("total loss", losses.total),
        ("gradient", size),
    ];
    let (what, value) = named.into_iter().find(|(_, value)| !value.is_finite())?;
    Some(Fault { what, value })
}

impl Fault {
    fn error(self, step: usize, retries: usize) -> Error {
        Error::NotFinite { step, what: self.what, value: self.value, retries }
    }
}
