use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What becomes of a training in which a number is no longer finite, or a network has collapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It goes back to the last good state in memory and on from there with half the learning rate, as often as
    /// [`GuardConfig::rollbacks`] says, and stops then; the default.
    #[default]
    Rollback,
    /// It stops. No state is kept in memory for it.
    Stop,
}

/// How a training is watched over.
///
/// What counts as a failure: a loss that is not finite, at once; a weight or a moment of Adam that is not, when the state is
/// looked at, which it is before it is kept in memory, shown as samples, scored or written as a checkpoint; and, for
/// [`collapse_after`](Self::collapse_after) steps in a row,
///
/// - a discriminator's loss below 0.0001 (not with wgangp, whose losses have no bottom): it tells real from translated
///   without fail, and the generator can hardly learn from it any more,
/// - a discriminator's loss that stands still, to a millionth: it does not learn,
/// - translations of one colour (a standard deviation below 1/255 of [-1, 1]'s unit in every plane) of pictures that are not:
///   a black picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardConfig {
    /// What happens then; a rollback.
    pub on_failure: OnFailure,
    /// Steps between two states that are kept in memory to go back to; 100. A state that is looked at for another reason is kept too.
    /// One is kept at a time; with both moments it takes three times the weights' memory.
    pub snapshot_every: u64,
    /// How often a training goes back before it stops; 3.
    pub rollbacks: u32,
    /// For how many steps in a row a network has to look collapsed; 500, and 0 to look for nothing but numbers that are not
    /// finite.
    pub collapse_after: u64,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self { on_failure: OnFailure::default(), snapshot_every: 100, rollbacks: 3, collapse_after: 500 }
    }
}

impl GuardConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        match self.snapshot_every {
            0 => {
                let message = "must be at least 1, not 0; on_failure stop keeps no state".into();
                Err(Error::Setting { key: "snapshot_every", message })
            }
            _ => Ok(()),
        }
    }
}
