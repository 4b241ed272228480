use std::path::PathBuf;

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong outside the arithmetic: settings, files, runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting outside its range.
    #[error("{key}: {message}")]
    Setting {
        /// The setting's name.
        key: &'static str,
        /// What it must be and what it was.
        message: String,
    },
    /// The data named are not there: no folder, no built-in domain.
    #[error("{spec}: {message}")]
    Data {
        /// What was named.
        spec: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A checkpoint that does not fit its configuration.
    #[error("{}: {message}", path.display())]
    Checkpoint {
        /// The file or directory.
        path: PathBuf,
        /// What was expected and what was found.
        message: String,
    },
    /// A loss that is no longer a finite number: training cannot go on.
    #[error(
        "step {step}: the loss {loss} is {value}; resume from the last checkpoint with a lower learning rate"
    )]
    NotFinite {
        /// The step, counted from 1.
        step: u64,
        /// The criterion.
        loss: &'static str,
        /// Its value.
        value: f64,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}; check the path and its permissions", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Reading or writing images failed.
    #[error(transparent)]
    Image(#[from] gdl_image_io::Error),
    /// Reading or writing a run failed.
    #[error(transparent)]
    Train(#[from] gdl_train::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
