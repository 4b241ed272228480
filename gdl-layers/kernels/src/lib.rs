#![doc = include_str!("../README.md")]

mod activation;
mod cache_dir;
#[cfg(feature = "cuda")]
pub mod cuda;
mod device;
mod fnv;
pub mod gemm;
mod gradients;
pub mod init;
mod numbers;
pub mod orthogonal;
pub mod par;
mod precision;
mod read;
mod recompute;
mod reference;
pub mod rng;
pub mod view;

pub use activation::{Activation, rectifier_gradient, softplus};
pub use cache_dir::cache_dir;
pub use device::has_kernel;
pub use fnv::Fnv1a;
pub use gradients::{Gradients, WeightGradient, weight_gradient};
pub use numbers::numbers;
pub use precision::{cast_like, compute_dtype, in_compute_dtype, set_compute_dtype, to_compute_dtype};
pub use read::{read, read_one};
pub use recompute::{is_recomputing, recomputed};
pub use reference::force_reference;

/// The sources of this crate's CUDA kernels, for tools that compile them beforehand.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<cuda::Source> {
    vec![activation::cuda::SOURCE]
}
