use candle_core::{DType, Device, Result, Tensor};

/// The values of scalars. Those on a device come in one transfer: to wait for each would leave the device idle as often.
///
/// # Errors
/// When one is no scalar, or they lie on different devices.
pub fn read(scalars: &[Tensor]) -> Result<Vec<f64>> {
    if scalars.iter().all(|t| t.device().is_cpu()) {
        return scalars.iter().map(|t| t.to_dtype(DType::F64)?.to_scalar()).collect();
    }
    // Not in f64 where none is: some devices have none.
    let wide = if scalars.iter().any(|t| t.dtype() == DType::F64) { DType::F64 } else { DType::F32 };
    let all = scalars.iter().map(|t| t.to_dtype(wide)).collect::<Result<Vec<_>>>()?;
    Tensor::stack(&all, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec1()
}

/// The value of one scalar, as [`read`] has it.
///
/// # Errors
/// When it is none.
pub fn read_one(scalar: &Tensor) -> Result<f64> {
    scalar.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_scalar()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_of_any_type() {
        let scalar = |x: f64, dtype| Tensor::new(x, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let values = [scalar(0.1, DType::F64), scalar(f64::NAN, DType::F32), scalar(-2.0, DType::BF16)];
        let got = read(&values).unwrap();
        assert!(got[0] == 0.1 && got[1].is_nan() && got[2] == -2.0, "{got:?}");
        assert!(read(&[]).unwrap().is_empty());
        assert!(read(&[Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap()]).is_err());
    }
}
