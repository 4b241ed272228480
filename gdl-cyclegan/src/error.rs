use crate::Failure;
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
    /// A training that has failed: a number is not finite, or a network has collapsed.
    #[error(
        "{failure}{}; {}",
        match rollbacks {
            0 => String::new(),
            1 => "; going back with half the learning rate has not helped".into(),
            n => format!("; going back {n} times, each with half the learning rate, has not helped"),
        },
        failure.advice()
    )]
    Failed {
        /// What, and when.
        failure: Failure,
        /// How often the training had gone back before.
        rollbacks: u32,
    },
    /// A number that is not finite, where a picture was to come of it.
    #[error("{what} holds {value}: no picture can come of it; train again, or use an earlier checkpoint")]
    NotFinite {
        /// The tensor.
        what: String,
        /// The number.
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
    /// The network that pictures are compared with could not be had.
    #[error(transparent)]
    Vgg(#[from] gdl_vgg::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
