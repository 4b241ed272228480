use candle_core::{DType, Result, Tensor};
use std::sync::atomic::{AtomicU8, Ordering};

/// The type that networks compute in, where it is not that of their input.
///
/// As PyTorch's autocast it belongs to the whole process. Weights stay as they are, and so do their gradients, the
/// optimizers' moments and the losses: f32 masters, of which layers take a rounded copy for each pass.
static COMPUTE: AtomicU8 = AtomicU8::new(0);

/// Sets the type that networks compute in: bf16, f16, or that of their input again (`None`).
///
/// f16 is for inference: training in it needs scaled losses, which nothing here does.
pub fn set_compute_dtype(dtype: Option<DType>) {
    let code = match dtype {
        Some(DType::BF16) => 1,
        Some(DType::F16) => 2,
        _ => 0,
    };
    COMPUTE.store(code, Ordering::Relaxed);
}

/// The type that networks compute in, where it is not that of their input.
pub fn compute_dtype() -> Option<DType> {
    match COMPUTE.load(Ordering::Relaxed) {
        1 => Some(DType::BF16),
        2 => Some(DType::F16),
        _ => None,
    }
}

/// Runs a network on `x` in the type that [`set_compute_dtype`] names; its result has the type of `x` again.
///
/// # Errors
/// Those of the network.
pub fn in_compute_dtype(x: &Tensor, network: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    network(&to_compute_dtype(x)?)?.to_dtype(x.dtype())
}

/// `x` as a network gets it: in the type that [`set_compute_dtype`] names, if `x` is f32 and one is named.
///
/// # Errors
/// When a copy cannot be allocated.
pub fn to_compute_dtype(x: &Tensor) -> Result<Tensor> {
    match compute_dtype() {
        Some(dtype) if x.dtype() == DType::F32 => x.to_dtype(dtype),
        _ => Ok(x.clone()),
    }
}

/// A parameter in the type of what it meets: itself, or a rounded copy through which its gradient goes back.
///
/// # Errors
/// When a copy cannot be allocated.
pub fn cast_like(parameter: &Tensor, x: &Tensor) -> Result<Tensor> {
    parameter.to_dtype(x.dtype())
}
