//! What a language model is made of.

mod body;
mod config;
mod language_model;
mod layers;
mod window;

pub use config::{Cell, ModelConfig};
pub use language_model::LanguageModel;
pub(crate) use layers::{Drop, Output};
pub use window::Window;
