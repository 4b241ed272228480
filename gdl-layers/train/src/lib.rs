#![doc = include_str!("../README.md")]

#[cfg(feature = "files")]
mod atomic;
mod checkpoint;
mod clip;
#[cfg(feature = "cuda")]
mod cuda;
mod error;
#[cfg(feature = "files")]
pub mod events;
mod finite;
pub mod markup;
#[cfg(feature = "files")]
mod meter;
#[cfg(feature = "files")]
mod metrics;
mod optim;
mod param_store;
mod plateau;
pub mod plot;
#[cfg(feature = "files")]
mod pth;
pub mod report;
#[cfg(feature = "files")]
mod run_dir;
mod schedule;
#[cfg(feature = "files")]
mod tensor_files;
mod tensors;
mod weight_average;

pub use checkpoint::Checkpoint;
pub use clip::{Clipping, clip_grad_norm, clip_grad_value};
pub use error::{Error, Result};
pub use finite::{first_not_finite, largest, not_finite};
pub use gdl_kernels::Gradients;
pub use gdl_kernels::rng::{Rng, RngState, SharedRng};
pub use optim::{
    Adam, AdamConfig, Brake, GradientOf, Lbfgs, LbfgsConfig, LbfgsStep, Optimizer, OptimizerState, RmsProp,
    RmsPropConfig, Sgd, SgdConfig, Stateful,
};
pub use param_store::ParamStore;
pub use plateau::Plateau;
pub use schedule::Schedule;
pub use tensors::{Tensors, tensors_from_bytes, tensors_to_bytes};
pub use weight_average::WeightAverage;
#[cfg(feature = "files")]
pub use {
    atomic::{atomic_write, atomic_write_bytes},
    meter::ThroughputMeter,
    metrics::{MetricsLog, Record},
    pth::{is_pth, load_pth, save_pth},
    run_dir::{OnExisting, RunDir},
    tensor_files::{load_tensors, save_tensors},
};

/// The sources of this crate's CUDA kernels, for tools that compile them beforehand.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<gdl_kernels::cuda::Source> {
    vec![optim::cuda::SOURCE, clip::cuda::SOURCE]
}
