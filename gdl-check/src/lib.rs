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

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use candle_core::{DType, Device};

    #[test]
    fn every_operator_on_the_gpu() {
        let Ok(device) = Device::new_cuda(0) else { return };
        for case in super::cases() {
            for dtype in [DType::F64, DType::F32, DType::BF16, DType::F16] {
                let Some(bound) = case.bound(dtype) else { continue };
                let found = case.deviation(&device, dtype).map_err(|e| e.to_string());
                assert!(
                    found.as_ref().is_ok_and(|d| d.largest <= bound),
                    "{} {dtype:?}: {found:?}",
                    case.name()
                );
            }
        }
    }
}
