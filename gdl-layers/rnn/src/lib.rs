#![doc = include_str!("../README.md")]

mod config;
mod cpu;
mod embedding;
mod gru;
mod gru_sequence;
mod linear;
mod lstm;
mod lstm_sequence;
mod rows;
mod stack;

pub use config::{GruConfig, LstmConfig};
pub use embedding::{Embedding, EmbeddingConfig};
pub use gru::{Gru, GruState};
pub use gru_sequence::{GruReset, gru_sequence};
pub use linear::linear;
pub use lstm::{Lstm, LstmState};
pub use lstm_sequence::lstm_sequence;
pub use rows::SequenceParams;

/// The fused operators once more, composed of plain candle operations: right on every backend, and what
/// the kernels are tested against.
pub mod reference {
    pub use crate::gru_sequence::reference::gru_sequence;
    pub use crate::lstm_sequence::reference::lstm_sequence;
}
