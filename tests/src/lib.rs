//! Support for the project's tests: fixtures made by PyTorch, comparisons with stated tolerances, and gradients
//! checked by finite differences. Not published.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compare;
mod counting;
mod device;
mod fixture;
mod gradient;
mod onnx;
mod pictures;

pub use compare::{assert_bitwise, assert_close, max_abs_diff};
pub use counting::Counting;
pub use device::{DEV, on_device};
pub use fixture::{Fixture, shared_data};
pub use gradient::check_gradients;
pub use onnx::{OnnxModel, OnnxNode};
pub use pictures::{noise_picture, small_vgg};

/// The examples of the project's README are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
