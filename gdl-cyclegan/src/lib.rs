#![doc = include_str!("../README.md")]

mod ahead;
mod aligned;
pub mod builtin;
mod config;
mod data;
mod discriminator;
mod error;
pub mod eval;
mod generator;
mod graph;
mod image_pool;
mod infer;
mod judge;
mod keep_best;
mod losses;
mod measure;
mod method;
mod model;
mod model_config;
mod net_file;
mod onnx;
mod pix2pix;
mod pix2pix_config;
mod pretrained;
mod round_trip;
mod run_weights;
mod tiles;
mod training;
mod training_config;
mod translator;

pub use aligned::{AlignedConfig, AlignedData, halves};
pub use config::{GeneratorConfig, GeneratorKind};
pub use data::{DataConfig, DataSpec, UnalignedData};
pub use discriminator::{Discriminator, DiscriminatorConfig, DiscriminatorKind};
pub use error::{Error, Result};
pub use gdl_blocks::{NormKind, Upsampling};
pub use generator::{BookUnetGenerator, Generator, ResnetGenerator, UnetGenerator};
pub use image_pool::ImagePool;
pub use keep_best::{FeatureWeights, KeepBest, Metric};
pub use losses::StepLosses;
pub use method::{ConfigOf, Losses, Method, Pairs};
pub use model::{CycleGan, NETS};
pub use model_config::CycleGanConfig;
pub use net_file::NetFile;
pub use pix2pix::{PIX2PIX_NETS, Pix2Pix, Pix2PixLosses};
pub use pix2pix_config::Pix2PixConfig;
pub use pretrained::Pretrained;
pub use round_trip::RoundTrip;
pub use run_weights::RunWeights;
pub use tiles::Tiles;
pub use training::{
    Event, Failure, GuardConfig, OnFailure, Pix2PixTrainer, Rollback, Scored, Step, Symptom, Trainer,
    Training, Vital,
};
pub use training_config::{Length, LrPolicy, Pix2PixTrainerConfig, TrainerConfig, TrainingConfig};
pub use translator::{Direction, Translator};
