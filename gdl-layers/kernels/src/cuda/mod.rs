//! What the CUDA kernels of every crate share: their sources and how they are compiled, their arguments, matrix products.
//!
//! A kernel stands in a `.cu` file beside the operator that it belongs to. It is compiled at run time, once for each
//! element type, and the result is kept in memory and in the user's cache. All work goes into the stream of the candle
//! device, and nothing here waits for it.

mod arg;
#[cfg(feature = "cudnn")]
pub mod cudnn;
pub mod gemm;
mod launch;
mod source;

pub use crate::activation::cuda_rectifier_gradient as rectifier_gradient;
pub use arg::{Input, copy, empty, pointer, pointer_mut, tensor, zeros};
pub use launch::{Grid, Param, launch, same_type};
pub use source::Source;

use candle_core::{CudaDevice, DType, Device, Result, Tensor, bail};

/// Opens a GPU, with one stream for all threads.
///
/// # Errors
/// When there is none of this number.
pub fn open(ordinal: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(ordinal)?;
    // By default each tensor has two events, recorded at every use, which cost about as much as a small kernel.
    // SAFETY: they keep several streams from each other's tensors; here is one, which keeps the order by itself.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    Ok(device)
}

/// Whether the CUDA kernels take this tensor.
pub fn takes(x: &Tensor) -> bool {
    x.device().is_cuda() && crate::has_kernel(x)
}

/// The type that the kernels take sums over elements of this type in, `A` in their text.
pub fn sum_type(dtype: DType) -> DType {
    if dtype == DType::F64 { dtype } else { DType::F32 }
}

/// The device of a tensor that lies on CUDA.
///
/// # Errors
/// For a tensor elsewhere.
pub fn device(x: &Tensor) -> Result<CudaDevice> {
    match x.device() {
        Device::Cuda(device) => Ok(device.clone()),
        other => bail!("a CUDA kernel was given a tensor on {:?}", other.location()),
    }
}

/// What an operator that exists on CUDA alone answers to a tensor on the CPU.
///
/// # Errors
/// Always.
pub fn only_cuda<R>(op: &str) -> Result<R> {
    bail!("{op}: the CUDA kernel was given a tensor on the CPU")
}
