#![doc = include_str!("../README.md")]

mod case;
mod convolution;
mod elementwise;
mod norm;
mod optimizer;
mod recurrent;
mod style;

pub use case::{Case, Deviation};

/// All operators, each in a shape or several.
pub fn cases() -> Vec<Case> {
    let mut cases = elementwise::cases();
    cases.extend(convolution::cases());
    cases.extend(norm::cases());
    cases.extend(recurrent::cases());
    cases.extend(style::cases());
    cases.extend(optimizer::cases());
    cases
}

/// The sources of all CUDA kernels.
#[cfg(feature = "cuda")]
pub fn cuda_sources() -> Vec<gdl_kernels::cuda::Source> {
    [
        gdl_kernels::cuda_sources(),
        gdl_conv::cuda_sources(),
        gdl_instance_norm::cuda_sources(),
        gdl_nst::cuda_sources(),
        gdl_rnn::cuda_sources(),
        gdl_train::cuda_sources(),
    ]
    .concat()
}
