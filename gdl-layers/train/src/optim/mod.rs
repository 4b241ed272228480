mod adam;
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
pub use lbfgs::{Lbfgs, LbfgsConfig, LbfgsStep};
pub use rms_prop::{RmsProp, RmsPropConfig};
pub use sgd::{Sgd, SgdConfig};
pub use state::{OptimizerState, Stateful};

use candle_core::backprop::GradStore;
use gdl_kernels::Gradients;

/// An optimizer that takes one step along given gradients.
pub trait Optimizer: Stateful + std::fmt::Debug {
    /// Changes every variable that has a gradient in `grads`; the others, and their states, stay as they are.
    ///
    /// # Errors
    /// When a gradient has another shape or type than its variable (the variable is named).
    fn step(&mut self, grads: &GradStore) -> candle_core::Result<()>;

    /// [`step`](Self::step) along gradients that were added up in place, which are taken one after the other: those that
    /// still wait are computed here, and none stays in memory.
    ///
    /// # Errors
    /// As [`step`](Self::step), and when a gradient cannot be computed; the variables before it have then changed.
    fn step_taking(&mut self, grads: &mut Gradients) -> candle_core::Result<()>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the next step.
    fn set_learning_rate(&mut self, learning_rate: f64);
}
