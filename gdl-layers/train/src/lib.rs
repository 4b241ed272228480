#![doc = include_str!("../README.md")]

mod atomic;
mod clip;
mod error;
mod optim;
mod param_store;
mod schedule;
mod tensors;

pub use atomic::atomic_write;
pub use clip::{clip_grad_norm, clip_grad_value};
pub use error::{Error, Result};
pub use gdl_kernels::rng::{Rng, RngState, SharedRng};
pub use optim::{
    Adam, AdamConfig, Lbfgs, LbfgsConfig, LbfgsStep, Optimizer, OptimizerState, RmsProp, RmsPropConfig, Sgd,
    SgdConfig, Stateful,
};
pub use param_store::ParamStore;
pub use schedule::Schedule;
pub use tensors::{Tensors, load_tensors, save_tensors};
