#![doc = include_str!("../README.md")]

mod classify;
mod compare;
mod config;
mod distil;
mod learner;
pub mod material;
mod trainer;

pub use compare::{Comparison, Painter, Pair, Score, save_sheet};
pub use config::TrainConfig;
pub use trainer::{Step, Trainer, weights_of_run};
