//! Numbers about a step that come out of tensors.

use candle_core::{Result, Tensor, bail};

/// The means over batches of `K` scalars that each has given, in one transfer from an accelerator.
pub(crate) fn means<const K: usize>(batches: &[[Tensor; K]]) -> Result<[f64; K]> {
    if batches.is_empty() {
        bail!("a training step needs at least one batch")
    }
    let all = batches.as_flattened();
    let values = gdl_kernels::read(all)?;
    if values.len() != all.len() {
        bail!("a loss is not a scalar")
    }
    Ok(std::array::from_fn(|i| values.iter().skip(i).step_by(K).sum::<f64>() / batches.len() as f64))
}

/// The numbers of the first, then those of the second.
pub(crate) fn join<const A: usize, const B: usize, const C: usize>(
    first: [Tensor; A],
    second: [Tensor; B],
) -> [Tensor; C] {
    const { assert!(A + B == C) };
    std::array::from_fn(|i| if i < A { first[i].clone() } else { second[i - A].clone() })
}

/// The sum of scalars.
pub(crate) fn sum<'a>(scalars: impl IntoIterator<Item = &'a Tensor>) -> Result<Tensor> {
    let sum = scalars.into_iter().map(|t| Ok(t.detach())).reduce(|sum, own| sum? + own?);
    match sum {
        Some(sum) => sum,
        None => bail!("a training step needs at least one batch"),
    }
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
