use crate::{Error, Result, Tensors};
use std::collections::BTreeMap;

/// Something whose state goes into a checkpoint.
pub trait Stateful {
    /// A copy of the state, which later steps do not change.
    ///
    /// # Errors
    /// When a copy cannot be made (out of memory on an accelerator).
    fn state(&self) -> Result<OptimizerState>;

    /// Takes over a saved state.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when it is the state of another kind of optimizer or of other variables. All is checked
    /// first: on an error nothing has changed.
    fn load_state(&mut self, state: &OptimizerState) -> Result<()>;
}

/// What an optimizer remembers between steps: numbers and tensors by name.
#[derive(Debug, Clone)]
pub struct OptimizerState {
    /// The kind of optimizer: "adam", "lbfgs".
    pub kind: String,
    /// Step counts, the learning rate, and other numbers.
    pub scalars: BTreeMap<String, f64>,
    /// Moments and momenta, `<what>.<variable>`.
    pub tensors: Tensors,
}

impl OptimizerState {
    pub(crate) fn origin(&self) -> String {
        format!("the saved state of {}", self.kind)
    }

    pub(crate) fn check_kind(&self, kind: &str) -> Result<()> {
        if self.kind == kind {
            return Ok(());
        }
        Err(Error::mismatch(self.origin(), format!("it was asked for by {kind}")))
    }

    pub(crate) fn scalar(&self, name: &str) -> Result<f64> {
        self.scalars
            .get(name)
            .copied()
            .ok_or_else(|| Error::mismatch(self.origin(), format!("the number {name} is missing")))
    }

    /// A scalar that counts something.
    pub(crate) fn count(&self, name: &str) -> Result<u64> {
        let value = self.scalar(name)?;
        // 2^53: beyond it f64 no longer counts.
        if value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value) {
            return Ok(value as u64);
        }
        Err(Error::mismatch(self.origin(), format!("{name} must be a whole number, found {value}")))
    }
}
