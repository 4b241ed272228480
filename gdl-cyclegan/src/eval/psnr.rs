use candle_core::{DType, Result, Tensor, bail};

/// Peak signal-to-noise ratio in decibels, of pictures in [0, 1].
///
/// `-10 log10(mean((a - b)^2))`; infinite for equal pictures.
///
/// # Shape
/// Any, but the same for both.
///
/// # Errors
/// When the shapes differ.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
///
/// let a = Tensor::new(&[0.5f32, 0.5], &Device::Cpu)?;
/// let b = Tensor::new(&[0.6f32, 0.4], &Device::Cpu)?;
/// assert!((gdl_cyclegan::eval::psnr(&a, &b)? - 20.0).abs() < 1e-4);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn psnr(a: &Tensor, b: &Tensor) -> Result<f64> {
    if a.shape() != b.shape() {
        bail!("psnr: the pictures have the shapes {:?} and {:?}", a.dims(), b.dims())
    }
    let difference = (a.to_dtype(DType::F64)? - b.to_dtype(DType::F64)?)?;
    let mse: f64 = difference.sqr()?.mean_all()?.to_scalar()?;
    Ok(-10.0 * mse.log10())
}
