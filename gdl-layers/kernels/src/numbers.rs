use candle_core::{DType, Device, Result, Shape, Tensor};

/// Numbers as a tensor of a type on a device. They are rounded on the CPU: not every device has f64.
///
/// # Errors
/// When there are not as many as the shape says.
pub fn numbers(values: Vec<f64>, shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
}
