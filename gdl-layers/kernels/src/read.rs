use candle_core::{DType, Device, Result, Tensor};

/// The elements of tensors, one after the other. Those on a device come in one transfer: to wait for each would leave the
/// device idle as often.
///
/// # Errors
/// When they lie on different devices.
pub fn read(tensors: &[Tensor]) -> Result<Vec<f64>> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    // Not in f64 where none is: some devices have none.
    let wide = tensors.iter().any(|t| t.device().is_cpu() || t.dtype() == DType::F64);
    let wide = if wide { DType::F64 } else { DType::F32 };
    let all = tensors.iter().map(|t| t.flatten_all()?.to_dtype(wide)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&all, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec1()
}

/// The value of a scalar.
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
    fn elements_of_any_type() {
        let scalar = |x: f64, dtype| Tensor::new(x, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let values = [scalar(0.1, DType::F64), scalar(f64::NAN, DType::F32), scalar(-2.0, DType::BF16)];
        let got = read(&values).unwrap();
        assert!(got[0] == 0.1 && got[1].is_nan() && got[2] == -2.0, "{got:?}");
        let matrix = Tensor::new(&[[1u32, 2], [3, 4]], &Device::Cpu).unwrap().t().unwrap();
        assert_eq!(read(&[matrix.clone(), scalar(5.0, DType::F32)]).unwrap(), [1.0, 3.0, 2.0, 4.0, 5.0]);
        assert!(read(&[]).unwrap().is_empty());
        assert!(read_one(&matrix).is_err() && read_one(&scalar(0.5, DType::BF16)).unwrap() == 0.5);
    }
}
