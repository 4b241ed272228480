#![doc = include_str!("../README.md")]

pub mod builtin;
mod config;
mod data;
mod discriminator;
mod error;
pub mod eval;
mod generator;
mod image_pool;
mod infer;
mod judge;
mod losses;
mod model;
mod model_config;
mod net_file;
mod pretrained;
mod round_trip;
mod trainer;
mod trainer_config;
mod translator;

pub use config::{GeneratorConfig, GeneratorKind};
pub use data::{DataConfig, DataSpec, UnalignedData};
pub use discriminator::{Discriminator, DiscriminatorConfig, DiscriminatorKind};
pub use error::{Error, Result};
pub use gdl_blocks::{NormKind, Upsampling};
pub use generator::{BookUnetGenerator, Generator, ResnetGenerator, UnetGenerator};
pub use image_pool::ImagePool;
pub use losses::StepLosses;
pub use model::{CycleGan, NETS};
pub use model_config::CycleGanConfig;
pub use net_file::NetFile;
pub use pretrained::Pretrained;
pub use round_trip::RoundTrip;
pub use trainer::{Event, Step, Trainer};
pub use trainer_config::{Length, LrPolicy, TrainerConfig};
pub use translator::{Direction, Translator};
