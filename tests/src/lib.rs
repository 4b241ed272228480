//! Support for the project's tests: fixtures made by PyTorch, comparisons with stated tolerances, and gradients
//! checked by finite differences. Not published.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compare;
mod fixture;
mod gradient;
mod onnx;

pub use compare::{assert_bitwise, assert_close, max_abs_diff};
pub use fixture::{Fixture, shared_data};
pub use gradient::check_gradients;
pub use onnx::{OnnxModel, OnnxNode};

/// The examples of the project's README are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
