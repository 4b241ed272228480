use crate::{Error, Result};
use gdl_train::RunDir;
use std::path::PathBuf;

/// Which of a run's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunWeights {
    /// Those of the last checkpoint.
    #[default]
    Last,
    /// The best by [`KeepBest`](crate::KeepBest).
    Best,
}

impl RunWeights {
    /// Their file, which is there.
    pub(crate) fn path(self, run: &RunDir) -> Result<PathBuf> {
        let (path, message) = match self {
            Self::Last => (run.weights_path(), "there are no weights; train the run first"),
            Self::Best => {
                (run.best_path(), "no best weights were kept; train a run that keeps them (keep_best)")
            }
        };
        if path.is_file() { Ok(path) } else { Err(Error::Checkpoint { path, message: message.into() }) }
    }
}
