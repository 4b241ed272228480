use candle_core::cuda_backend::cudarc::cudnn::sys::{self, cudnnStatus_t};
use candle_core::cuda_backend::cudarc::driver::DriverError;
use std::fmt::{self, Display};

/// What a call of this module returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call of cuDNN did not happen or failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// cuDNN returned a status other than success.
    Cudnn {
        /// The function of cuDNN.
        call: &'static str,
        /// What it returned.
        status: cudnnStatus_t,
        /// cuDNN's own words on it, empty where it has none.
        detail: String,
        /// The operation and its shapes.
        subject: String,
    },
    /// The CUDA driver returned an error.
    Driver {
        /// What was asked of the driver.
        call: &'static str,
        /// What it returned.
        source: DriverError,
        /// The operation and its shapes.
        subject: String,
    },
    /// The arguments contradict one another, or cuDNN has no way to take them.
    Invalid {
        /// What was expected and what was given.
        reason: String,
        /// The operation and its shapes.
        subject: String,
    },
    /// No algorithm of cuDNN computes this convolution within the workspace limit.
    NoAlgorithm {
        /// Whether only deterministic algorithms were allowed.
        deterministic: bool,
        /// The operation and its shapes.
        subject: String,
    },
}

impl Error {
    pub(super) fn driver(call: &'static str) -> impl FnOnce(DriverError) -> Self {
        move |source| Self::Driver { call, source, subject: String::new() }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into(), subject: String::new() }
    }

    /// The same error, naming the operation that it happened in.
    pub(super) fn about(mut self, what: impl Display) -> Self {
        let (Self::Cudnn { subject, .. }
        | Self::Driver { subject, .. }
        | Self::Invalid { subject, .. }
        | Self::NoAlgorithm { subject, .. }) = &mut self;
        *subject = what.to_string();
        self
    }

    /// Whether another algorithm, with other needs, may succeed where this one failed: nothing has been written.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            // 3000 to 3999 are the statuses of "not supported".
            Self::Cudnn { status, .. } => (3000..4000).contains(&(*status as u32)),
            Self::Driver { source, .. } => source.0
                == candle_core::cuda_backend::cudarc::driver::sys::cudaError_enum::CUDA_ERROR_OUT_OF_MEMORY,
            Self::Invalid { .. } | Self::NoAlgorithm { .. } => false,
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match self {
            Self::Cudnn { call, status, detail, subject } => {
                write!(f, "{call}: {status:?}")?;
                if !detail.is_empty() {
                    write!(f, " ({detail})")?;
                }
                subject
            }
            Self::Driver { call, source, subject } => {
                write!(f, "{call}: {source}")?;
                subject
            }
            Self::Invalid { reason, subject } => {
                write!(f, "{reason}")?;
                subject
            }
            Self::NoAlgorithm { deterministic, subject } => {
                let kind = if *deterministic { "deterministic " } else { "" };
                write!(f, "cuDNN has no {kind}algorithm within the workspace limit")?;
                subject
            }
        };
        if subject.is_empty() { Ok(()) } else { write!(f, ", in {subject}") }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Driver { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Turns a status of cuDNN into a result that names the call.
pub(super) fn check(call: &'static str, status: cudnnStatus_t) -> Result<()> {
    if status == cudnnStatus_t::CUDNN_STATUS_SUCCESS {
        return Ok(());
    }
    let mut text = [0u8; 512];
    // SAFETY: the function writes at most that many bytes, its closing zero among them.
    unsafe { sys::cudnnGetLastErrorString(text.as_mut_ptr().cast(), text.len()) };
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let detail = String::from_utf8_lossy(&text[..end]).trim().to_string();
    Err(Error::Cudnn { call, status, detail, subject: String::new() })
}

/// An extent as cuDNN takes it.
pub(super) fn int(value: usize) -> Result<i32> {
    i32::try_from(value).map_err(|_| Error::invalid(format!("cuDNN takes sizes below 2^31, got {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_call_and_the_operation() {
        let status = cudnnStatus_t::CUDNN_STATUS_BAD_PARAM;
        let error = Error::Cudnn { call: "cudnnX", status, detail: "why".into(), subject: String::new() };
        assert_eq!(error.to_string(), "cudnnX: CUDNN_STATUS_BAD_PARAM (why)");
        assert_eq!(error.about("1x1").to_string(), "cudnnX: CUDNN_STATUS_BAD_PARAM (why), in 1x1");
    }

    #[test]
    fn another_algorithm_is_tried_after_a_refusal_only() {
        let of = |status| Error::Cudnn { call: "", status, detail: String::new(), subject: String::new() };
        assert!(of(cudnnStatus_t::CUDNN_STATUS_NOT_SUPPORTED).is_refusal());
        assert!(of(cudnnStatus_t::CUDNN_STATUS_NOT_SUPPORTED_SHAPE).is_refusal());
        assert!(!of(cudnnStatus_t::CUDNN_STATUS_BAD_PARAM).is_refusal());
        assert!(!of(cudnnStatus_t::CUDNN_STATUS_EXECUTION_FAILED).is_refusal());
        assert!(!Error::invalid("").is_refusal());
    }

    #[test]
    fn sizes_beyond_an_int_are_refused() {
        assert_eq!(int(2147483647).unwrap(), i32::MAX);
        assert!(int(1 << 31).is_err());
    }
}
