#![doc = include_str!("../README.md")]

mod colour;
mod config;
mod error;
mod flow;
mod kinds;
mod layer;
mod losses;
mod objective;
mod plan;
mod report;
mod scale;
mod style_cache;
mod style_picture;
mod transfer;

pub use colour::{luma, match_colours, with_chroma_of};
pub use config::NstConfig;
pub use error::{Error, Result};
pub use flow::Flow;
pub use kinds::{Init, KeepColour, OptimizerKind, Statistics, TotalVariation};
pub use layer::Layer;
pub use losses::{
    Gaussian, content_loss, covariance_loss, histogram_loss, mean_and_covariance, mean_std_loss,
    place_weighted, quantiles, style_loss, temporal_loss, tv_l1_loss, tv_loss, tv_nine_point_loss,
    wasserstein_loss, with_unit_gradient,
};
pub use objective::{Objective, TileReport};
pub use plan::{Plan, ScalePlan, plan};
pub use report::{LayerLoss, LossKind, LossWeights, Losses};
pub use scale::Scale;
pub use style_cache::StyleCache;
pub use style_picture::{Style, StyleSource};
pub use transfer::{Frame, Series, StepReport, StyleTransfer, TransferProgress, TransferState};

pub mod builtin;

/// The sources of this crate's CUDA kernels, for tools that compile them beforehand.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<gdl_kernels::cuda::Source> {
    vec![losses::tv::cuda::SOURCE, losses::mse::cuda::SOURCE]
}
