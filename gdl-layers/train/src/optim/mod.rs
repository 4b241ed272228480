mod adam;
mod brake;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
pub(crate) mod elementwise;
mod lbfgs;
mod line_search;
mod rms_prop;
mod sgd;
mod slots;
mod state;

pub use adam::{Adam, AdamConfig};
pub use brake::Brake;
pub use lbfgs::{Lbfgs, LbfgsConfig, LbfgsStep};
pub use rms_prop::{RmsProp, RmsPropConfig};
pub use sgd::{Sgd, SgdConfig};
pub use state::{OptimizerState, Stateful};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use gdl_kernels::Gradients;

/// Finds the gradient of a variable, where there is one.
pub type GradientOf<'a> = &'a mut dyn FnMut(&Var) -> Result<Option<Tensor>>;

/// An optimizer that takes one step along given gradients.
pub trait Optimizer: Stateful + std::fmt::Debug {
    /// Changes every variable that `gradient` finds something for; the others, and their states, stay as they are. Where
    /// `brake` says so, nothing changes, but that a GPU, which alone knows it then, has counted the step.
    ///
    /// # Errors
    /// When a gradient has another shape or type than its variable (the variable is named), and those of `gradient`; the
    /// variables before it may then have changed.
    fn step_along(&mut self, gradient: GradientOf<'_>, brake: Option<&Brake>) -> Result<()>;

    /// [`step_along`](Self::step_along) the gradients in `grads`.
    ///
    /// # Errors
    /// When a gradient has another shape or type than its variable (the variable is named).
    fn step(&mut self, grads: &GradStore) -> Result<()> {
        self.step_along(&mut |var| Ok(grads.get(var).cloned()), None)
    }

    /// [`step`](Self::step), held back.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    fn step_braked(&mut self, grads: &GradStore, brake: &Brake) -> Result<()> {
        self.step_along(&mut |var| Ok(grads.get(var).cloned()), Some(brake))
    }

    /// [`step`](Self::step) along gradients that were added up in place, which are taken one after the other: those that
    /// still wait are computed here, and none stays in memory.
    ///
    /// # Errors
    /// As [`step`](Self::step), and when a gradient cannot be computed; the variables before it have then changed.
    fn step_taking(&mut self, grads: &mut Gradients) -> Result<()> {
        self.step_along(&mut |var| grads.take(var), None)
    }

    /// [`step_taking`](Self::step_taking), held back.
    ///
    /// # Errors
    /// As [`step_taking`](Self::step_taking).
    fn step_taking_braked(&mut self, grads: &mut Gradients, brake: &Brake) -> Result<()> {
        self.step_along(&mut |var| grads.take(var), Some(brake))
    }

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the next step.
    fn set_learning_rate(&mut self, learning_rate: f64);
}
