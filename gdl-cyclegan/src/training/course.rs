use gdl_train::Plateau;
use serde::{Deserialize, Serialize};

/// The learning rate's dependence on the losses, for [`LrPolicy::Plateau`](crate::LrPolicy::Plateau).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Course {
    pub(super) plateau: Plateau,
    /// The generators' losses of the epoch so far, and how many.
    sum: f64,
    count: u64,
}

impl Course {
    /// Takes the loss of a step, and with an epoch's last step the mean of them all.
    pub(super) fn observe(&mut self, loss: f64, epoch_ends: bool) {
        self.sum += loss;
        self.count += 1;
        if epoch_ends {
            self.plateau.observe(self.sum / self.count as f64);
            (self.sum, self.count) = (0.0, 0);
        }
    }
}
