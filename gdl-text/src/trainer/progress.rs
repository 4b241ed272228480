use super::{Average, Trainer};
use crate::{OptimizerKind, Result};
use gdl_train::{RunDir, Tensors, save_tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the validations so far have said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Judged {
    /// Their losses.
    pub(crate) losses: Vec<f64>,
    /// The least one, and after how many steps it was.
    pub(crate) best: Option<(usize, f64)>,
    /// Validations since then.
    pub(crate) since: usize,
}

impl Judged {
    /// Takes the loss after a step into account: whether it is the least so far.
    pub(crate) fn judge(&mut self, step: usize, loss: f64) -> bool {
        let better = self.best.is_none_or(|(_, least)| loss < least);
        if better {
            self.best = Some((step, loss));
        }
        self.since = if better { 0 } else { self.since + 1 };
        self.losses.push(loss);
        better
    }

    /// Whether the loss has not fallen for so many validations.
    pub(crate) fn is_out_of_patience(&self, patience: Option<usize>) -> bool {
        patience.is_some_and(|patience| self.since >= patience)
    }

    /// Keeps the weights that were judged last as the run's best: whole or not at all.
    pub(crate) fn save_best(&self, run: &RunDir, weights: &Tensors) -> Result<()> {
        let Some((step, loss)) = self.best else { return Ok(()) };
        // The shortest digits that give the same number back.
        let metadata =
            [("format", "pt".into()), ("step", step.to_string()), ("valid_loss", loss.to_string())];
        let metadata: BTreeMap<_, _> = metadata.map(|(key, value)| (key.to_string(), value)).into();
        Ok(save_tensors(run.best_path(), weights, &metadata)?)
    }
}

impl Trainer {
    /// Takes a validation's loss into account: whether it is the least so far, and whether the mean of the weights counts from
    /// here on.
    pub(crate) fn judge(&mut self, loss: f64) -> Result<bool> {
        let before = self.judged.losses.len().saturating_sub(self.config.non_monotone);
        let least = self.judged.losses[..before].iter().copied().fold(f64::INFINITY, f64::min);
        let better = self.judged.judge(self.step, loss);
        if self.config.optimizer == OptimizerKind::NtAsgd && self.average.is_none() && loss > least {
            self.average = Some(Average::new(self)?);
        }
        Ok(better)
    }
}
