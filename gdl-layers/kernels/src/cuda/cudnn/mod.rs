//! Calls of cuDNN 9 on raw device memory: convolution and its gradients, and recurrent layers.

mod algorithm;
pub mod conv;
mod descriptor;
mod error;
mod handle;
mod plan;
mod problem;
pub mod rnn;
mod weights;

pub use error::{Error, Result};
pub use handle::{Dtype, set_workspace_limit};
