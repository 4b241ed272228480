use crate::Tensors;
use crate::optim::elementwise::{abs_max, abs_sum};
use candle_core::{DType, Device, Result, Tensor};

/// A number in the tensor that is not finite, where there is one.
///
/// # Errors
/// When the tensor's type has no sums.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
///
/// let x = Tensor::new(&[1f32, f32::INFINITY], &Device::Cpu)?;
/// assert_eq!(gdl_train::not_finite(&x)?, Some(f64::INFINITY));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn not_finite(tensor: &Tensor) -> Result<Option<f64>> {
    if tensor.elem_count() == 0 || abs_sum(tensor)?.is_finite() {
        return Ok(None);
    }
    // Off the CPU a sum may overflow where none of its summands has.
    let values = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    Ok(values.into_iter().find(|v| !v.is_finite()))
}

/// The first tensor, by name, that holds a number that is not finite, and that number.
///
/// # Errors
/// Those of [`not_finite`].
pub fn first_not_finite(tensors: &Tensors) -> Result<Option<(&str, f64)>> {
    for (name, tensor) in tensors {
        if let Some(value) = not_finite(tensor)? {
            return Ok(Some((name, value)));
        }
    }
    Ok(None)
}

/// The tensor with the largest number, by its absolute value, and that value; none where there are no tensors.
///
/// # Errors
/// Those of [`not_finite`].
pub fn largest(tensors: &Tensors) -> Result<Option<(&str, f64)>> {
    let mut found = None;
    for (name, tensor) in tensors {
        let value = abs_max(tensor)?;
        if found.is_none_or(|(_, most)| value > most) {
            found = Some((name.as_str(), value));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_named() {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let mut tensors = Tensors::from([
            ("a".into(), tensor(&[1.0, -7.0])),
            ("b".into(), tensor(&[f32::MAX, f32::MAX])),
            ("c".into(), tensor(&[])),
        ]);
        assert_eq!(first_not_finite(&tensors).unwrap(), None);
        assert_eq!(largest(&tensors).unwrap(), Some(("b", f64::from(f32::MAX))));
        tensors.insert("d".into(), tensor(&[0.0, f32::NEG_INFINITY]));
        tensors.insert("e".into(), tensor(&[f32::NAN]));
        assert_eq!(first_not_finite(&tensors).unwrap(), Some(("d", f64::NEG_INFINITY)));
        assert_eq!(largest(&Tensors::new()).unwrap(), None);
    }
}
