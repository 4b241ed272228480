//! What the CPU kernels share.

pub(crate) mod activation;
pub(crate) mod input;
pub(crate) mod norm;
pub(crate) mod packed;
pub(crate) mod plan;
pub(crate) mod recurrence;
pub(crate) mod simd;
pub(crate) mod slices;
