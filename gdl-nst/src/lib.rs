#![doc = include_str!("../README.md")]

mod colour;
mod config;
mod error;
mod losses;
mod objective;
mod scale;
mod transfer;

pub use colour::match_colours;
pub use config::{Init, NstConfig, OptimizerKind, Statistics};
pub use error::{Error, Result};
pub use losses::{Losses, content_loss, covariance_loss, mean_and_covariance, style_loss, tv_loss};
pub use objective::{Objective, Style};
pub use scale::Scale;
pub use transfer::{StepReport, StyleTransfer};

pub mod builtin;
