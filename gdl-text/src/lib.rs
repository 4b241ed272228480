#![doc = include_str!("../README.md")]

pub mod builtin;
mod cache;
mod checkpoint;
mod config;
mod corpus;
mod error;
mod eval;
mod generate;
mod model;
mod preset;
mod reading;
mod report;
mod run;
pub mod sampling;
mod state;
mod streams;
mod text_model;
mod tokenizer;
mod trainer;

pub use cache::NeuralCache;
pub use checkpoint::RunConfig;
pub use config::{Anneal, EpochDecay, Layout, Length, OptimizerKind, TrainConfig};
pub use corpus::{Corpus, Parts, Split};
pub use error::{Error, Result};
pub use eval::EvalReport;
pub use generate::{Choice, GenerateConfig, Likely, Prompt, Sample, Session, Writer};
pub use model::{Cell, LanguageModel, ModelConfig};
pub use preset::Preset;
pub use run::{Event, RunSummary};
pub use sampling::{BeamConfig, SamplingConfig};
pub use state::State;
pub use streams::Streams;
pub use text_model::TextModel;
pub use tokenizer::{Level, Stemming, StreamDecoder, Tokenizer, TokenizerConfig};
pub use trainer::{CorpusMark, StepReport, Trainer};
