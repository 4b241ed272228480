#![doc = include_str!("../README.md")]

mod activation;
mod fnv;
pub mod gemm;
pub mod init;
pub mod par;
mod reference;
pub mod rng;
pub mod view;

pub use activation::Activation;
pub use fnv::Fnv1a;
pub use reference::force_reference;
