#![doc = include_str!("../README.md")]

mod bands;
mod config;
mod conv2d;
mod conv_transpose2d;
mod cpu;
mod direct;
mod finish;
mod geometry;
mod mask;
mod pad2d;
mod pool2d;
pub mod reference;
mod simd;
mod upsample_nearest2d;
mod winograd;

pub use config::{Conv2dConfig, ConvTranspose2dConfig, IntoPair};
pub use conv_transpose2d::{ConvTranspose2d, ConvTranspose2dParams, conv_transpose2d};
pub use conv2d::{Conv2d, Conv2dParams, conv2d, conv2d_activated, conv2d_pooled};
pub use pad2d::{Pad, PadMode, pad2d};
pub use pool2d::{Pool2dParams, avg_pool2d, avg_pool2d_exclude_pad, l2_pool2d, max_pool2d};
pub use upsample_nearest2d::upsample_nearest2d;

/// The sources of this crate's CUDA kernels, for tools that compile them beforehand.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<gdl_kernels::cuda::Source> {
    vec![
        conv2d::cuda::FINISH,
        conv2d::cuda::COLUMNS,
        pad2d::cuda::SOURCE,
        pool2d::cuda::SOURCE,
        upsample_nearest2d::cuda::SOURCE,
    ]
}
