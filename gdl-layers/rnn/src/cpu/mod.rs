//! What the CPU kernels of the sequence operators share.

pub(crate) mod activation;
pub(crate) mod packed;
pub(crate) mod rows;
pub(crate) mod simd;
