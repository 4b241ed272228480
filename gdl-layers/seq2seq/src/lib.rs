#![doc = include_str!("../README.md")]

mod attention;
mod batch;
mod cell;
mod config;
mod decoder;
mod decoding;
mod encoder;
mod loss;
mod model;
mod pointer;
mod scheduled;
mod words;

pub use batch::{Sources, Targets};
pub use cell::State;
pub use config::{Attention, Bridge, Cell, Features, Seq2SeqConfig, Tied};
pub use decoder::Decoded;
pub use decoding::{Decoding, Step};
pub use encoder::Encoded;
pub use loss::LossConfig;
pub use model::Seq2Seq;
