#![doc = include_str!("../README.md")]

mod atomic;
mod error;
mod param_store;
mod tensors;

pub use atomic::atomic_write;
pub use error::{Error, Result};
pub use gdl_kernels::rng::{Rng, RngState, SharedRng};
pub use param_store::ParamStore;
pub use tensors::{Tensors, load_tensors, save_tensors};
