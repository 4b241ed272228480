use std::path::{Path, PathBuf};

/// What can go wrong with files, run directories and saved state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}; check the path and its permissions", path.display())]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file that is not what its name says: truncated, garbage, or of another kind.
    #[error("{} is not a readable {what}: {message}; replace it with a sound copy", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected: "safetensors file", "run configuration".
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Tensors whose names, shapes or types are not those of the model; nothing was assigned.
    #[error("{origin} does not fit: {message}; take a file that was saved from this very model")]
    Mismatch {
        /// Where the tensors came from, most often a path.
        origin: String,
        /// The keys, what was expected and what was found.
        message: String,
    },
    /// There is a run already where a new one was asked for.
    #[error("{} already holds a run: resume it, remove it, or name another directory", path.display())]
    RunExists {
        /// The directory.
        path: PathBuf,
    },
    /// A directory with other files in it, where a new run was asked for.
    #[error("{} is not empty and holds no run: name a new or an empty directory", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A directory that is not a run.
    #[error("{} is not a run directory: {missing} is missing; name a directory that a training has made", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
        /// The file looked for.
        missing: &'static str,
    },
    /// A run whose training has not come to its first checkpoint.
    #[error("{} holds no checkpoint (weights.safetensors): its training stopped before the first; remove it and train anew", path.display())]
    NoCheckpoint {
        /// The directory.
        path: PathBuf,
    },
    /// Gradients that are not finite.
    #[error("the gradient of {key} is not finite (norm {norm}): lower the learning rate")]
    NotFinite {
        /// The first variable concerned, in the order given.
        key: String,
        /// The norm of its gradient.
        norm: f64,
    },
    /// A setting outside its range.
    #[error("{key}: {message}")]
    Setting {
        /// The setting's name.
        key: &'static str,
        /// What it must be and what it was.
        message: String,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    #[cfg(feature = "files")]
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn format(
        path: impl AsRef<Path>,
        what: &'static str,
        message: impl std::fmt::Display,
    ) -> Self {
        Self::Format { path: path.as_ref().to_path_buf(), what, message: message.to_string() }
    }

    pub(crate) fn mismatch(origin: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Mismatch { origin: origin.into(), message: message.into() }
    }
}

impl From<Error> for candle_core::Error {
    /// So that training code written with candle's `Result` can use `?`.
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(e) => e,
            e => candle_core::Error::wrap(e),
        }
    }
}
