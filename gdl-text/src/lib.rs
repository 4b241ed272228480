#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(feature = "files"),
    allow(
        dead_code,
        reason = "what is kept in a run, samples and marks for one, has no reader without files"
    )
)]

pub mod attention_map;
pub mod builtin;
mod cache;
#[cfg(feature = "files")]
mod checkpoint;
mod config;
mod copied;
mod corpus;
pub mod drawn;
mod error;
mod eval;
#[cfg(feature = "files")]
mod exchange;
mod generate;
pub mod metrics;
mod model;
mod preset;
pub mod qa;
mod reading;
#[cfg(feature = "files")]
mod report;
#[cfg(feature = "files")]
mod run;
mod run_config;
pub mod sampling;
pub mod seq2seq;
mod state;
mod streams;
mod text_model;
mod tokenizer;
mod tokens;
mod trainer;

pub use attention_map::AttentionMap;
pub use cache::NeuralCache;
pub use config::{Anneal, EpochDecay, Layout, Length, OptimizerKind, TrainConfig};
pub use copied::{Copied, CopyReport};
pub use corpus::{Corpus, CorpusConfig, Documents, Part, Parts, Split, SplitBy};
pub use error::{Error, Result};
pub use eval::EvalReport;
pub use generate::{Choice, GenerateConfig, Likely, Prompt, Sample, Session, Writer};
pub use model::{Cell, LanguageModel, ModelConfig, Window};
pub use preset::Preset;
pub use run_config::RunConfig;
pub use sampling::{BeamConfig, SamplingConfig};
pub use state::State;
pub use streams::Streams;
pub use text_model::TextModel;
pub use tokenizer::{Level, Stemming, StreamDecoder, Tokenizer, TokenizerConfig, WordSplit};
pub use tokens::Tokens;
pub use trainer::{CorpusMark, StepReport, Trainer};
#[cfg(feature = "files")]
pub use {
    exchange::{Import, ImportConfig, Names, read_vocabulary},
    run::{Event, RunSummary},
};
