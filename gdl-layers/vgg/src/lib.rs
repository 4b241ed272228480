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
pub use weights::VggWeights;
#[cfg(feature = "hub")]
pub use weights::hub;
pub use weights::ranges::{RangeSource, fetch_ranges};
#[cfg(feature = "files")]
pub use {gdl_kernels::cache_dir, weights::files::FileRange};

/// The fused operator once more, composed of plain candle operations: right on every backend, and what the kernel is
/// tested against.
pub mod reference {
    pub use crate::gram::reference::gram_matrix;
}
