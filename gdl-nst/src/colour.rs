use candle_core::{DType, Device, Result, Tensor};

/// The picture with the mean and the covariance of another's colours.
///
/// `x' = L_s L_c^-1 (x - mean_c) + mean_s` with the Cholesky factors L of the two covariances, clamped to [0, 1]
///
/// # Shape
/// Two pictures (3, H, W) of any sizes, RGB in [0, 1], to the first one's shape.
///
/// # Errors
/// When one is not such a tensor.
///
/// # Source
/// Gatys et al. 2016, *Preserving Color in Neural Artistic Style Transfer*, section 3.1, the other way round.
pub fn match_colours(picture: &Tensor, palette: &Tensor) -> Result<Tensor> {
    let (mean_c, cov_c) = statistics(picture)?;
    let (mean_s, cov_s) = statistics(palette)?;
    let map = product(&cholesky(cov_s), &inverse(&cholesky(cov_c)));
    let shift: Vec<f64> =
        (0..3).map(|i| mean_s[i] - (0..3).map(|j| map[i][j] * mean_c[j]).sum::<f64>()).collect();
    let (c, h, w) = picture.dims3()?;
    let flat: Vec<f64> = map.iter().flatten().copied().collect();
    let map = Tensor::from_vec(flat, (3, 3), &Device::Cpu)?;
    let shift = Tensor::from_vec(shift, (3, 1), &Device::Cpu)?;
    let (map, shift) = (like(&map, picture)?, like(&shift, picture)?);
    map.matmul(&picture.reshape((c, h * w))?)?.broadcast_add(&shift)?.clamp(0.0, 1.0)?.reshape((c, h, w))
}

type Matrix = [[f64; 3]; 3];

fn like(t: &Tensor, other: &Tensor) -> Result<Tensor> {
    t.to_dtype(other.dtype())?.to_device(other.device())
}

fn statistics(picture: &Tensor) -> Result<([f64; 3], Matrix)> {
    let (c, h, w) = picture.dims3()?;
    if c != 3 || h * w == 0 {
        candle_core::bail!("match_colours: a picture is (3, H, W), not {:?}", picture.dims())
    }
    let planes =
        picture.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.reshape((3, h * w))?.to_vec2::<f64>()?;
    let n = (h * w) as f64;
    let mean: [f64; 3] = std::array::from_fn(|i| planes[i].iter().sum::<f64>() / n);
    let cov = std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let pairs = planes[i].iter().zip(&planes[j]);
            // A picture of one colour has no covariance to divide by.
            pairs.map(|(a, b)| (a - mean[i]) * (b - mean[j])).sum::<f64>() / n
                + if i == j { 1e-5 } else { 0.0 }
        })
    });
    Ok((mean, cov))
}

fn cholesky(a: Matrix) -> Matrix {
    let mut l = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            l[i][j] = if i == j { rest.max(1e-12).sqrt() } else { rest / l[j][j] };
        }
    }
    l
}

/// Of a lower triangular matrix.
fn inverse(l: &Matrix) -> Matrix {
    let mut inv = [[0.0; 3]; 3];
    for j in 0..3 {
        inv[j][j] = 1.0 / l[j][j];
        for i in j + 1..3 {
            inv[i][j] = -(j..i).map(|k| l[i][k] * inv[k][j]).sum::<f64>() / l[i][i];
        }
    }
    inv
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdl_train::SharedRng;

    #[test]
    fn mean_and_covariance_become_the_palettes() {
        let rng = SharedRng::seed(3);
        let picture = rng.rand((3, 9, 11), 0.2, 0.8, DType::F64, &Device::Cpu).unwrap();
        let palette = rng.rand((3, 7, 5), 0.4, 0.6, DType::F64, &Device::Cpu).unwrap();
        let matched = match_colours(&picture, &palette).unwrap();
        let ((m, c), (want_m, want_c)) = (statistics(&matched).unwrap(), statistics(&palette).unwrap());
        for i in 0..3 {
            assert!((m[i] - want_m[i]).abs() < 1e-9);
            for j in 0..3 {
                // The ridge of 1e-5 on both sides does not cancel exactly.
                assert!((c[i][j] - want_c[i][j]).abs() < 2e-5, "{c:?} {want_c:?}");
            }
        }
        let grey = Tensor::full(0.5f64, (3, 4, 4), &Device::Cpu).unwrap();
        assert!(match_colours(&grey, &palette).is_ok());
    }
}
