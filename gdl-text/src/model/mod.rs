//! What a language model is made of.

mod config;
mod language_model;
mod layers;

pub use config::{Cell, ModelConfig};
pub use language_model::LanguageModel;
pub(crate) use layers::Output;
