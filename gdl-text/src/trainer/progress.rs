use super::{Average, Trainer};
use crate::{OptimizerKind, Result};
use serde::{Deserialize, Serialize};

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
