#![doc = include_str!("../README.md")]

pub mod builtin;
mod corpus;
mod error;
mod streams;
mod tokenizer;

pub use corpus::{Corpus, Parts, Split};
pub use error::{Error, Result};
pub use streams::Streams;
pub use tokenizer::{Level, Stemming, StreamDecoder, Tokenizer, TokenizerConfig};
