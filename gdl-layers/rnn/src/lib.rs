#![doc = include_str!("../README.md")]

mod additive_scores;
mod config;
mod cpu;
mod cross_entropy;
#[cfg(feature = "cuda")]
mod cuda;
mod embedding;
mod gru;
mod gru_sequence;
mod linear;
mod linear_cross_entropy;
mod lstm;
mod lstm_sequence;
mod rows;
mod stack;
mod stepper;

pub use additive_scores::additive_scores;
pub use config::{GruConfig, LstmConfig};
pub use cross_entropy::{CrossEntropy, cross_entropy, token_losses};
pub use embedding::{Embedding, EmbeddingConfig};
pub use gru::{Gru, GruState};
pub use gru_sequence::{GruReset, gru_sequence};
pub use linear::{Linear, linear};
pub use linear_cross_entropy::linear_cross_entropy;
pub use lstm::{Lstm, LstmState};
pub use lstm_sequence::{LayerNorm, LstmCell, LstmNorm, Zoneout, lstm_sequence};
pub use rows::{SequenceParams, steps};
pub use stepper::Stepper;

/// The recurrent operators once more, composed of plain candle operations: right on every backend, and what
/// the kernels are tested against.
pub mod reference {
    pub use crate::additive_scores::reference::additive_scores;
    pub use crate::gru_sequence::reference::gru_sequence;
    pub use crate::lstm_sequence::reference::lstm_sequence;
}

/// The sources of this crate's CUDA kernels, for tools that compile them beforehand.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<gdl_kernels::cuda::Source> {
    vec![cuda::lstm::SOURCE, cuda::gru::SOURCE, cross_entropy::cuda::SOURCE, embedding::cuda::SOURCE]
}
