#![doc = include_str!("../README.md")]

mod arch;
mod config;
mod error;
mod gram;
mod preprocess;
mod tap;
mod vgg;
mod weights;

pub use arch::{Arch, ConvSpec, STANDARD_WIDTHS};
pub use config::{Pooling, VggConfig};
pub use error::{Error, Result};
pub use gram::gram_matrix;
pub use preprocess::{ChannelOrder, Preprocess};
pub use tap::{Stage, Tap};
pub use vgg::Vgg;
#[cfg(feature = "hub")]
pub use weights::hub;
pub use weights::ranges::{FileRange, RangeSource, fetch_ranges};
pub use weights::{VggWeights, cache_dir};

/// The fused operator once more, composed of plain candle operations: right on every backend, and what the kernel is
/// tested against.
pub mod reference {
    pub use crate::gram::reference::gram_matrix;
}
