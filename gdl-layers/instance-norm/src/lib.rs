#![doc = include_str!("../README.md")]

mod config;
mod instance_norm;
mod layer;

pub use config::{Definition, InstanceNormConfig};
pub use instance_norm::{Moments, instance_norm, instance_norm_by, instance_norm_jvp};
pub use layer::InstanceNorm2d;

/// The fused operator once more, composed of plain candle operations: right on every backend, and what the kernel is
/// tested against.
pub mod reference {
    pub use crate::instance_norm::reference::instance_norm;
}

/// The sources of this crate's CUDA kernels, for tools that compile them beforehand.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<gdl_kernels::cuda::Source> {
    vec![instance_norm::cuda::SOURCE]
}
