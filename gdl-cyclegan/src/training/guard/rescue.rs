use super::{Failure, Guard, OnFailure, Rollback, Symptom};
use crate::training::{Step, Training};
use crate::{Error, Losses, Method, Result};
use gdl_train::{Checkpoint, first_not_finite, largest};
use std::path::Path;

/// What is not finite in a state: a moment of Adam, which tells of a gradient, or a weight.
pub(in crate::training) fn unsound(state: &Checkpoint) -> Result<Option<Symptom>> {
    for (name, optimizer) in &state.optimizers {
        if let Some((moment, value)) = first_not_finite(&optimizer.tensors)? {
            let key = moment.split_once('.').map_or(moment, |(_, key)| key);
            // The names within pix2pix's optimizers are those within its networks.
            let key = if key.starts_with("net_") { key.to_string() } else { format!("net_{name}.{key}") };
            return Ok(Some(Symptom::Gradient { key, value }));
        }
    }
    let weight = first_not_finite(&state.weights)?;
    Ok(weight.map(|(key, value)| Symptom::Weight { key: key.to_string(), value }))
}

impl<M: Method> Training<M> {
    /// Keeps the state as it is as the one that [`run`](Self::run) goes back to when something fails, with
    /// [`OnFailure::Rollback`]. `run` begins with this.
    ///
    /// # Errors
    /// [`Error::Failed`] when the state is not finite.
    pub fn keep_good(&mut self) -> Result<()> {
        let mut state = self.capture()?;
        if let Some(symptom) = unsound(&state)? {
            return Err(self.failed(Failure { step: self.step, symptom }));
        }
        if self.config.guard.on_failure == OnFailure::Rollback && !self.guard.suspects(self.step) {
            // The old one first: two would be twice the memory.
            self.good = None;
            for tensor in state.weights.values_mut() {
                *tensor = tensor.copy()?;
            }
            self.good = Some(state);
        }
        Ok(())
    }

    /// The next step, or the return to the last good state that it led to.
    pub(in crate::training) fn guarded_step(
        &mut self,
    ) -> Result<std::result::Result<Step<M::Losses>, Rollback>> {
        match self.watched_step() {
            Err(Error::Failed { failure, .. }) => self.roll_back(failure).map(Err),
            step => step.map(Ok),
        }
    }

    fn watched_step(&mut self) -> Result<Step<M::Losses>> {
        let step = self.train_step()?;
        let config = &self.config;
        let vitals = self.model.vitals(&step.losses);
        if let Some(failure) = self.guard.observe(step.step, &vitals, config.guard.collapse_after) {
            return Err(self.failed(failure));
        }
        let looked_at = [
            config.guard.snapshot_every,
            config.checkpoint_every,
            config.sample_every,
            config.keep_best.as_ref().map_or(0, |keep| keep.every),
        ];
        let due = |every: u64| every > 0 && step.step.is_multiple_of(every);
        if looked_at.into_iter().any(due) || step.step == step.total {
            self.keep_good()?;
        }
        Ok(step)
    }

    /// What the losses of a step that was not taken come from.
    pub(in crate::training) fn diagnose(&self, step: u64, losses: &M::Losses) -> Result<Option<Failure>> {
        let Some((loss, value)) = losses.not_finite() else { return Ok(None) };
        let state = self.capture()?;
        let symptom = match unsound(&state)? {
            Some(symptom) => symptom,
            None => {
                let (key, most) = largest(&state.weights)?.unwrap_or_default();
                Symptom::Loss { loss, value, largest: (key.to_string(), most) }
            }
        };
        Ok(Some(Failure { step, symptom }))
    }

    pub(in crate::training) fn failed(&self, failure: Failure) -> Error {
        Error::Failed { failure, rollbacks: self.guard.rollbacks() }
    }

    fn roll_back(&mut self, failure: Failure) -> Result<Rollback> {
        let (count, limit) = (self.guard.rollbacks() + 1, self.config.guard.rollbacks);
        let Some(good) = self.good.clone().filter(|_| count <= limit) else {
            return Err(self.failed(failure));
        };
        self.restore(&good, Path::new("the state in memory"))?;
        self.guard = Guard::after(count);
        self.good = Some(good);
        if let Some((_, log)) = &mut self.run {
            log.truncate_after(self.step)?;
        }
        Ok(Rollback { failure, to: self.step, count, limit })
    }
}
