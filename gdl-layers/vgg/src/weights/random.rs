use super::VggWeights;
use crate::{Error, Preprocess, Result, VggConfig};
use candle_core::{Device, Tensor};
use gdl_kernels::gemm::{Mat, Threads, gemm};
use gdl_kernels::rng::Rng;
use std::collections::{BTreeMap, HashMap};

impl VggWeights {
    /// A network that was never trained: orthogonal filters, for machines without a network connection.
    ///
    /// Each weight, as a matrix of `C_out` rows, has orthonormal rows (columns, where there are more rows than columns)
    /// times sqrt(2), which keeps the size of the activations through the rectifiers; biases are 0. Pictures are fed as
    /// [`Preprocess::torchvision`]. Architecture, widths and the last tap are those of `config`.
    ///
    /// Every tensor has a random stream of its own name: the first layers of a longer network are those of a shorter one.
    ///
    /// # Errors
    /// When the network has no such tap or a width is 0.
    ///
    /// # Source
    /// Saxe, McClelland and Ganguli 2014; `torch.nn.init.orthogonal_` with gain sqrt(2).
    pub fn random(config: &VggConfig, seed: u64) -> Result<Self> {
        let origin = "the random network";
        if !config.arch.has(config.upto) || config.widths.contains(&0) {
            let message = format!("{} with widths {:?} up to {}", config.arch, config.widths, config.upto);
            return Err(Error::mismatch(origin, format!("there is no such network: {message}")));
        }
        let mut tensors = BTreeMap::new();
        for spec in config.arch.convs() {
            if (spec.block, spec.index) > (config.upto.block, config.upto.index) {
                break;
            }
            let [weight, bias] = spec.keys();
            let (shape, bias_shape) = spec.shapes(&config.widths);
            let rows = shape[0];
            let values = orthogonal(rows, shape[1] * 9, &mut Rng::stream(seed, &weight));
            let values = values.into_iter().map(|v| (v * std::f64::consts::SQRT_2) as f32).collect();
            tensors.insert(weight, Tensor::from_vec(values, shape, &Device::Cpu)?);
            tensors.insert(bias, Tensor::zeros(bias_shape, candle_core::DType::F32, &Device::Cpu)?);
        }
        let widths: Vec<_> = config.widths.iter().map(ToString::to_string).collect();
        let mut metadata: HashMap<_, _> = Preprocess::torchvision().to_metadata();
        metadata.insert("architecture".into(), config.arch.to_string());
        metadata.insert("widths".into(), widths.join(","));
        Self::from_tensors(origin, tensors, &metadata)
    }
}

/// A `rows` x `cols` matrix whose shorter side is orthonormal, uniformly distributed among those.
///
/// The rows of a normal matrix A, orthonormalised in order (Gram-Schmidt) by way of the Cholesky factor
/// of A A^T: `Q = L^-1 A`. Twice, because the first pass leaves an error of the condition number squared.
fn orthogonal(rows: usize, cols: usize, rng: &mut Rng) -> Vec<f64> {
    let (m, k) = (rows.min(cols), rows.max(cols));
    let mut a: Vec<f64> = (0..m * k).map(|_| rng.normal()).collect();
    for _ in 0..2 {
        let mut l = vec![0.0; m * m];
        gemm(Mat::new(&a, m, k), Mat::new(&a, m, k).t(), &mut l, m, false, Threads::All);
        let inverse = inverse_of_cholesky(&mut l, m);
        let mut q = vec![0.0; m * k];
        gemm(Mat::new(&inverse, m, m), Mat::new(&a, m, k), &mut q, k, false, Threads::All);
        a = q;
    }
    if rows <= cols {
        return a;
    }
    (0..rows * cols).map(|i| a[(i % cols) * k + i / cols]).collect()
}

/// Factors a symmetric positive definite matrix as L L^T in place, and gives the inverse of L, row-major.
fn inverse_of_cholesky(a: &mut [f64], n: usize) -> Vec<f64> {
    for i in 0..n {
        let (done, rest) = a.split_at_mut(i * n);
        let row = &mut rest[..n];
        for j in 0..i {
            let other = &done[j * n..j * n + n];
            let dot: f64 = row[..j].iter().zip(&other[..j]).map(|(x, y)| x * y).sum();
            row[j] = (row[j] - dot) / other[j];
        }
        let dot: f64 = row[..i].iter().map(|x| x * x).sum();
        // Drawn matrices are never singular; the floor is against rounding alone.
        row[i] = (row[i] - dot).max(f64::MIN_POSITIVE).sqrt();
    }
    let mut inverse = vec![0.0; n * n];
    for i in 0..n {
        let (done, rest) = inverse.split_at_mut(i * n);
        let row = &mut rest[..n];
        let pivot = 1.0 / a[i * n + i];
        for j in 0..i {
            let factor = a[i * n + j] * pivot;
            for (r, d) in row[..=j].iter_mut().zip(&done[j * n..=j * n + j]) {
                *r -= factor * d;
            }
        }
        row[i] = pivot;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arch, Tap};

    #[test]
    fn the_shorter_side_is_orthonormal() {
        for (rows, cols) in [(1, 1), (4, 9), (9, 4), (64, 27), (32, 32), (64, 576)] {
            let q = orthogonal(rows, cols, &mut Rng::seed(7));
            let mat = Mat::new(&q, rows, cols);
            let n = rows.min(cols);
            let mut gram = vec![0.0; n * n];
            let (a, b) = if rows <= cols { (mat, mat.t()) } else { (mat.t(), mat) };
            gemm(a, b, &mut gram, n, false, Threads::One);
            for (i, g) in gram.iter().enumerate() {
                let want = f64::from(u8::from(i / n == i % n));
                // Two passes leave rounding of sums of a few hundred products.
                assert!((g - want).abs() < 1e-12, "{rows}x{cols}: {g}, expected {want}");
            }
        }
    }

    #[test]
    fn a_longer_network_begins_like_a_shorter_one() {
        let config =
            |upto| VggConfig { arch: Arch::Vgg16, widths: [4, 6, 8, 8, 8], upto, ..Default::default() };
        let short = VggWeights::random(&config(Tap::relu(1, 2)), 3).unwrap();
        let long = VggWeights::random(&config(Tap::relu(3, 3)), 3).unwrap();
        let other = VggWeights::random(&config(Tap::relu(1, 2)), 4).unwrap();
        let values = |w: &VggWeights| -> Vec<f32> {
            w.tensors()["features.2.weight"].flatten_all().unwrap().to_vec1().unwrap()
        };
        assert_eq!(values(&short), values(&long));
        assert_ne!(values(&short), values(&other));
        assert_eq!(long.tensors().len(), 14);
    }
}
