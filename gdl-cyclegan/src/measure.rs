//! Numbers about a step that come out of tensors.

use candle_core::{Result, Tensor, bail};

/// The means over batches of `K` scalars that each has given, in one transfer from an accelerator.
pub(crate) fn means<const K: usize>(batches: &[[Tensor; K]]) -> Result<[f64; K]> {
    if batches.is_empty() {
        bail!("a training step needs at least one batch")
    }
    let values = gdl_kernels::read(batches.as_flattened())?;
    Ok(std::array::from_fn(|i| values.iter().skip(i).step_by(K).sum::<f64>() / batches.len() as f64))
}

/// How much pictures vary: the largest standard deviation that a plane of them has. 0 where each is of one colour.
///
/// # Shape
/// (N, C, H, W) to a scalar.
pub(crate) fn spread(pictures: &Tensor) -> Result<Tensor> {
    let planes = pictures.detach().flatten_from(2)?; // (N, C, H W)
    let variance = planes.broadcast_sub(&planes.mean_keepdim(2)?)?.sqr()?.mean(2)?;
    variance.sqrt()?.max_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn means_and_spread() {
        let scalar = |x: f32| Tensor::new(x, &Device::Cpu).unwrap();
        let batches = [[scalar(1.0), scalar(2.0)], [scalar(3.0), scalar(f32::NAN)]];
        let [first, second] = means(&batches).unwrap();
        assert!(first == 2.0 && second.is_nan());
        assert!(means::<1>(&[]).is_err());
        let spread = |x: &[[f32; 2]; 2]| {
            let x = Tensor::new(x, &Device::Cpu).unwrap().reshape((1, 2, 1, 2)).unwrap();
            spread(&x).unwrap().to_scalar::<f32>().unwrap()
        };
        assert_eq!(spread(&[[0.5, 0.5], [-1.0, -1.0]]), 0.0);
        assert_eq!(spread(&[[0.5, 0.5], [-1.0, 1.0]]), 1.0);
    }
}
