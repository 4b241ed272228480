//! Random matrices with orthonormal rows or columns.

use crate::gemm::{Mat, Threads, product};
use crate::rng::Rng;

/// A `rows` x `cols` matrix whose shorter side is orthonormal, uniformly distributed among those; row-major.
///
/// A normal matrix A (its longer side along the rows) is orthonormalised row by row (Gram-Schmidt) by way of the Cholesky
/// factor of A A^T: `Q = L^-1 A`. Twice, because the first pass leaves an error of the condition number squared. L has a
/// positive diagonal: this is the QR decomposition with its signs fixed that `torch.nn.init.orthogonal_` takes.
///
/// # Example
/// ```
/// use gdl_kernels::{orthogonal::orthogonal, rng::Rng};
///
/// let q = orthogonal(2, 3, &mut Rng::seed(1));
/// let dot = |i: usize, j: usize| (0..3).map(|k| q[i * 3 + k] * q[j * 3 + k]).sum::<f64>();
/// assert!((dot(0, 0) - 1.0).abs() < 1e-12 && dot(0, 1).abs() < 1e-12);
/// ```
///
/// # Source
/// Saxe, McClelland and Ganguli 2014; `torch.nn.init.orthogonal_`.
pub fn orthogonal(rows: usize, cols: usize, rng: &mut Rng) -> Vec<f64> {
    let (m, k) = (rows.min(cols), rows.max(cols));
    let mut a: Vec<f64> = (0..m * k).map(|_| rng.normal()).collect();
    for _ in 0..2 {
        let mut l = product(Mat::new(&a, m, k), Mat::new(&a, m, k).t(), Threads::All);
        let inverse = inverse_of_cholesky(&mut l, m);
        a = product(Mat::new(&inverse, m, m), Mat::new(&a, m, k), Threads::All);
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

    #[test]
    fn the_shorter_side_is_orthonormal() {
        for (rows, cols) in [(1, 1), (4, 9), (9, 4), (64, 27), (32, 32), (64, 576)] {
            let q = orthogonal(rows, cols, &mut Rng::seed(7));
            let mat = Mat::new(&q, rows, cols);
            let n = rows.min(cols);
            let (a, b) = if rows <= cols { (mat, mat.t()) } else { (mat.t(), mat) };
            for (i, g) in product(a, b, Threads::One).iter().enumerate() {
                let want = f64::from(u8::from(i / n == i % n));
                // Two passes leave rounding of sums of a few hundred products.
                assert!((g - want).abs() < 1e-12, "{rows}x{cols}: {g}, expected {want}");
            }
        }
        assert!(orthogonal(0, 3, &mut Rng::seed(7)).is_empty());
    }

    /// `orthogonal_` decomposes A (its longer side down) as Q R and makes the diagonal of R positive: so R = Q^T A is upper
    /// triangular with a positive diagonal. Here A lies transposed.
    #[test]
    fn it_is_the_qr_decomposition_with_pytorch_s_signs() {
        let (m, k) = (5, 8);
        let q = orthogonal(m, k, &mut Rng::seed(3));
        let mut rng = Rng::seed(3);
        let a: Vec<f64> = (0..m * k).map(|_| rng.normal()).collect();
        let lower = product(Mat::new(&a, m, k), Mat::new(&q, m, k).t(), Threads::One);
        for (i, r) in lower.iter().enumerate() {
            match (i / m).cmp(&(i % m)) {
                std::cmp::Ordering::Less => assert!(r.abs() < 1e-12, "{r}"),
                std::cmp::Ordering::Equal => assert!(*r > 0.0, "{r}"),
                std::cmp::Ordering::Greater => {}
            }
        }
    }
}
