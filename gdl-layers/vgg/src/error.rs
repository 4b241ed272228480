use crate::Tap;
use std::path::PathBuf;

/// What can go wrong with taps and weights.
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
    #[error("{origin} is not a readable {what}: {message}")]
    Format {
        /// Where the bytes came from, most often a path.
        origin: String,
        /// What was expected: "safetensors file".
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A PyTorch checkpoint that cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] gdl_train::Error),
    /// Tensors that are not the convolutions of a VGG network.
    #[error("{origin} does not hold VGG weights: {message}")]
    Mismatch {
        /// Where the tensors came from, most often a path.
        origin: String,
        /// The key, what was expected and what was found.
        message: String,
    },
    /// Metadata of a weight file that cannot be understood.
    #[error("{origin}: metadata {key}: {message}")]
    Metadata {
        /// Where the metadata came from, most often a path.
        origin: String,
        /// The key.
        key: &'static str,
        /// What was expected and what was found.
        message: String,
    },
    /// A tap that no network has.
    #[error("there is no tap {name:?}; the taps are {valid}, and the same with conv for relu")]
    UnknownTap {
        /// The name asked for.
        name: String,
        /// The names there are.
        valid: String,
    },
    /// A tap that these weights do not reach, or that their network has not.
    #[error("{origin} has no tap {tap}: it ends at {last}")]
    TapBeyondEnd {
        /// Where the weights came from, most often a path.
        origin: String,
        /// The tap asked for.
        tap: Tap,
        /// The last tap there is.
        last: Tap,
    },
    /// The hub cannot be reached, or does not answer as it should, and the weights are not in the cache.
    #[error(
        "cannot fetch {repo} from the hub ({cause}): connect to the network and try again, \
         or name a file with --weights FILE, or take another network: --weights builtin for painting, --weights random"
    )]
    Hub {
        /// The repository.
        repo: String,
        /// What happened, on one line.
        cause: String,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    #[cfg(feature = "files")]
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn format(origin: &str, what: &'static str, message: impl std::fmt::Display) -> Self {
        // candle's messages may carry a backtrace after the first line.
        let message = message.to_string();
        let message = message.lines().next().unwrap_or_default().to_string();
        Self::Format { origin: origin.to_string(), what, message }
    }

    pub(crate) fn mismatch(origin: &str, message: impl Into<String>) -> Self {
        Self::Mismatch { origin: origin.to_string(), message: message.into() }
    }
}
