use crate::{Error, OptimizerState, Result, Stateful, Tensors};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Everything a training run goes on from: a step, the weights, the states of the optimizers, and the trainer's own state.
///
/// Saved and loaded by [`RunDir`](crate::RunDir).
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// How many steps are done.
    pub step: u64,
    /// The weights, under the names of the model's parameters.
    pub weights: Tensors,
    /// States of optimizers by name.
    pub optimizers: BTreeMap<String, OptimizerState>,
    /// Further tensors that are no weights (a pool of images, recurrent states), in named sets.
    pub tensors: BTreeMap<String, Tensors>,
    /// What else the trainer needs: states of random generators, the place in the data.
    pub state: serde_json::Value,
}

impl Checkpoint {
    /// A checkpoint after so many steps, with weights and nothing else.
    pub fn new(step: u64, weights: Tensors) -> Self {
        Self { step, weights, ..Self::default() }
    }

    /// Adds an optimizer's state.
    ///
    /// # Errors
    /// Those of [`Stateful::state`].
    pub fn with_optimizer(mut self, name: &str, optimizer: &dyn Stateful) -> Result<Self> {
        self.optimizers.insert(name.into(), optimizer.state()?);
        Ok(self)
    }

    /// Adds a set of tensors.
    pub fn with_tensors(mut self, name: &str, tensors: Tensors) -> Self {
        self.tensors.insert(name.into(), tensors);
        self
    }

    /// Sets the trainer's state.
    ///
    /// # Errors
    /// [`Error::Setting`] when it cannot be written as JSON.
    pub fn with_state(mut self, state: &impl Serialize) -> Result<Self> {
        self.state = serde_json::to_value(state)
            .map_err(|e| Error::Setting { key: "trainer state", message: e.to_string() })?;
        Ok(self)
    }

    /// Gives an optimizer its state back.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when the checkpoint holds none of that name, or one of other variables.
    pub fn restore_optimizer(&self, name: &str, optimizer: &mut dyn Stateful) -> Result<()> {
        let Some(state) = self.optimizers.get(name) else {
            return Err(Error::mismatch("the checkpoint", format!("it holds no optimizer {name}")));
        };
        optimizer.load_state(state)
    }

    /// The trainer's state.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when it is of another form.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.state)
            .map_err(|e| Error::mismatch("the trainer state of the checkpoint", e.to_string()))
    }
}
