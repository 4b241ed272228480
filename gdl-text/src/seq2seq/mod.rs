//! Text in, other text out: recurrent encoder-decoders with attention and copying, their data, training, searches and maps.
//!
//! [`Pairs`] are read, a [`Trainer`] makes a run of them, and the [`Model`] of a run writes ([`Model::write`]). How near that comes to
//! references, [`metrics`](crate::metrics) say; the network is that of [`gdl_seq2seq`].
//!
//! # Example
//! ```
//! use candle_core::Device;
//! use gdl_text::seq2seq::{Pairs, Search, TrainConfig, Trainer, WriteConfig};
//! use gdl_text::{BeamConfig, Length, Level};
//!
//! let rows = [("one two", "two one"), ("two three", "three two"), ("three one", "one three")].repeat(4);
//! let pairs = Pairs::from_rows("drawn", rows.iter().map(|(s, t)| (s.to_string(), t.to_string())).collect())?;
//! let mut config = TrainConfig { length: Length::Steps(150), batch: 4, learning_rate: 0.02, ..TrainConfig::new(Level::Word) };
//! (config.model.hidden, config.model.layers, config.model.dropout, config.init_range) = (32, 1, 0.0, None);
//! let mut trainer = Trainer::new(&pairs, None, config, &Device::Cpu)?;
//! while trainer.steps_left() > 0 {
//!     trainer.step()?;
//! }
//! let search = Search::Beam(BeamConfig { beams: 3, n_best: 2, ..Default::default() });
//! let written = trainer.model().write(&["two three"], &WriteConfig { search, attention: true, ..Default::default() })?;
//! assert_eq!((written[0][0].text.as_str(), written[0].len()), ("three two", 2));
//! let map = written[0][0].attention.as_ref().unwrap();
//! assert_eq!((map.source(), map.target()), (&["two", "three"].map(String::from)[..], &["three", "two", "</s>"].map(String::from)[..]));
//! # Ok::<(), gdl_text::Error>(())
//! ```

#[cfg(feature = "files")]
pub(crate) mod checkpoint;
pub(crate) mod codec;
mod config;
pub(crate) mod descent;
pub(crate) mod examples;
#[cfg(feature = "files")]
mod files;
mod model;
pub(crate) mod pairs;
#[cfg(feature = "files")]
mod run;
pub(crate) mod run_config;
pub(crate) mod search;
pub(crate) mod trainer;
mod write;

pub use config::{TeacherForcing, TrainConfig};
pub use model::{Model, SourceReport};
pub use pairs::{Pairs, PairsMark, lines};
pub use run_config::RunConfig;
pub use trainer::Trainer;
pub use write::{Search, WriteConfig, Written};
