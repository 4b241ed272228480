#![doc = include_str!("../README.md")]

mod book;
mod config;
mod discriminator;
mod loss;
mod patch;
mod penalty;
mod pixel;
mod stage;

pub use book::BookGan;
pub use config::{BookGanConfig, PatchGanConfig, PixelGanConfig};
pub use discriminator::Discriminator;
pub use gdl_norm::NormKind;
pub use loss::GanLoss;
pub use patch::PatchGan;
pub use penalty::gradient_penalty;
pub use pixel::PixelGan;
