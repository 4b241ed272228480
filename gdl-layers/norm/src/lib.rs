#![doc = include_str!("../README.md")]

mod batch_norm;
mod choice;
mod config;

pub use batch_norm::BatchNorm2d;
pub use choice::{Norm, Norm2d};
pub use config::{BatchNormConfig, NormConfig, NormKind};
