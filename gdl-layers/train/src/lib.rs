#![doc = include_str!("../README.md")]

mod atomic;
mod checkpoint;
mod clip;
mod error;
pub mod events;
mod finite;
pub mod markup;
mod meter;
mod metrics;
mod optim;
mod param_store;
mod plateau;
pub mod plot;
mod pth;
pub mod report;
mod run_dir;
mod schedule;
mod tensors;
mod weight_average;

pub use atomic::{atomic_write, atomic_write_bytes};
pub use checkpoint::Checkpoint;
pub use clip::{clip_grad_norm, clip_grad_norm_of, clip_grad_norm_unread, clip_grad_value};
pub use error::{Error, Result};
pub use finite::{first_not_finite, largest, not_finite};
pub use gdl_kernels::Gradients;
pub use gdl_kernels::rng::{Rng, RngState, SharedRng};
pub use meter::ThroughputMeter;
pub use metrics::{MetricsLog, Record};
pub use optim::{
    Adam, AdamConfig, Lbfgs, LbfgsConfig, LbfgsStep, Optimizer, OptimizerState, RmsProp, RmsPropConfig, Sgd,
    SgdConfig, Stateful,
};
pub use param_store::ParamStore;
pub use plateau::Plateau;
pub use pth::{is_pth, load_pth, save_pth};
pub use run_dir::{OnExisting, RunDir};
pub use schedule::Schedule;
pub use tensors::{Tensors, load_tensors, save_tensors};
pub use weight_average::WeightAverage;

/// The sources of this crate's CUDA kernels, for tools that compile them beforehand.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<gdl_kernels::cuda::Source> {
    vec![optim::cuda::SOURCE]
}
