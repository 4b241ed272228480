use candle_core::{DType, Device, Tensor};

/// Whether the kernels take this tensor, rather than the path composed of candle's own operations.
///
/// On the CPU they take f32 and f64; on CUDA, with the feature `cuda`, f16 and bf16 too. On other devices, and where
/// [`force_reference`](crate::force_reference()) says so, there are none.
pub fn has_kernel(x: &Tensor) -> bool {
    !crate::force_reference()
        && match x.device() {
            Device::Cpu => matches!(x.dtype(), DType::F32 | DType::F64),
            Device::Cuda(_) => {
                cfg!(feature = "cuda")
                    && matches!(x.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16)
            }
            _ => false,
        }
}
