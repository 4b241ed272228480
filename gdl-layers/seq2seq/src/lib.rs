#![doc = include_str!("../README.md")]

mod batch;
mod cell;
mod config;
mod encoder;
mod loss;
mod model;
mod words;

pub use batch::{Sources, Targets};
pub use cell::State;
pub use config::{Cell, Seq2SeqConfig};
pub use loss::cross_entropy;
pub use model::Seq2Seq;
