#![doc = include_str!("../README.md")]

mod activation;
pub mod gemm;
pub mod init;
pub mod par;
mod reference;
pub mod rng;
pub mod view;

pub use activation::Activation;
pub use reference::force_reference;
