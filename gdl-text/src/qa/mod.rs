//! Questions about passages: which words of a passage answer a question, and that question.
//!
//! [`Questions`] are read, a [`Trainer`] makes a run of them, and the [`Model`] of a run asks ([`Model::ask`]): it marks answers in a
//! passage and writes a question for each. There are two kinds of models:
//!
//! | [`Kind`] | answers | questions |
//! | --- | --- | --- |
//! | `Book` | a bidirectional GRU reads the passage and says of each word whether it answers | what it gave at the answer's words is read by a GRU, whose last state begins the GRU that writes |
//! | `Pointer` | the same | a [`Seq2Seq`](gdl_seq2seq::Seq2Seq) reads the passage with the answer's words marked, looks back at it and copies words from it, those that no vocabulary has too |
//!
//! What is minimised, and what validations judge by, is the sum of two means: the cross-entropy per word of the passage of its being part of
//! the answer, and that per word of the question; [`perplexity`](crate::EvalReport::perplexity) is that of the questions alone.
//!
//! # Example
//! ```
//! use candle_core::Device;
//! use gdl_text::drawn::{DrawnPart, stories};
//! use gdl_text::qa::{AskConfig, Questions, TrainConfig, Trainer};
//! use gdl_text::Length;
//!
//! let questions = Questions::from_stories("drawn", &stories(DrawnPart::Train, 64, 1))?;
//! let mut config = TrainConfig::pointer();
//! (config.tagger, config.training.length, config.training.batch) = (8, Length::Steps(2), 8); // a real run takes some thousand
//! (config.training.model.embedding, config.training.model.hidden) = (8, 16);
//! let mut trainer = Trainer::new(&questions, None, config, &Device::Cpu)?;
//! while trainer.steps_left() > 0 {
//!     trainer.step()?;
//! }
//! let asked = trainer.model().ask(&["Sela gave the key to Orin on monday ."], &AskConfig::default())?;
//! for asked in &asked[0] {
//!     println!("{} {}", asked.questions[0].text, asked.answer);
//! }
//! # Ok::<(), gdl_text::Error>(())
//! ```
//!
//! # Source
//! Foster, *Generative Deep Learning*, chapter 6, for the book's kind, with PyTorch's form of the GRU; See, Liu and Manning 2017,
//! <https://arxiv.org/abs/1704.04368>, and the answer's words as features of the passage's, as Zhou et al. 2017,
//! <https://arxiv.org/abs/1704.01792>, have them, for the other.

mod ask;
mod book;
#[cfg(feature = "files")]
mod checkpoint;
mod config;
mod eval;
mod examples;
#[cfg(feature = "files")]
mod files;
mod model;
mod network;
mod questions;
#[cfg(feature = "files")]
mod run;
mod run_config;
mod tagger;
mod trainer;
mod vectors;

pub use ask::{AskConfig, Asked};
pub use config::{Kind, TrainConfig, VectorsConfig};
pub use eval::Evaluation;
pub use model::Model;
pub use network::{Forward, Losses, Network};
pub use questions::{Question, Questions};
pub use run_config::RunConfig;
pub use trainer::Trainer;
pub use vectors::Vectors;
