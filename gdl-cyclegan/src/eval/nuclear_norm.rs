use candle_core::{Result, bail};

/// The sum of the singular values of a row-major matrix, to within rounding of the largest.
///
/// Householder reflections make it bidiagonal; with a zero diagonal put between, the bidiagonal matrix is a symmetric
/// tridiagonal one whose eigenvalues are the singular values and their negatives.
///
/// # Source
/// Golub and Kahan 1965.
pub(super) fn nuclear_norm(a: Vec<f64>, rows: usize, cols: usize) -> Result<f64> {
    let (a, rows, cols) = match rows < cols {
        true => ((0..rows * cols).map(|i| a[i % rows * cols + i / rows]).collect(), cols, rows),
        false => (a, rows, cols),
    };
    if cols == 0 {
        return Ok(0.0);
    }
    let beside = bidiagonal(a, rows, cols);
    let eigenvalues = eigenvalues(vec![0.0; 2 * cols], beside)?;
    Ok(eigenvalues.iter().map(|v| v.abs()).sum::<f64>() / 2.0)
}

/// Diagonal and superdiagonal in turn, of the bidiagonal matrix with the singular values of a matrix that has no fewer rows than
/// columns: 2 cols - 1 numbers.
fn bidiagonal(mut a: Vec<f64>, rows: usize, cols: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(2 * cols);
    for k in 0..cols {
        let column: Vec<f64> = (k..rows).map(|i| a[i * cols + k]).collect();
        let (value, v, beta) = reflection(column);
        out.push(value);
        let below = &mut a[k * cols..];
        let mut dots = vec![0.0; cols];
        for (row, v) in below.chunks_exact(cols).zip(&v) {
            dots[k + 1..].iter_mut().zip(&row[k + 1..]).for_each(|(dot, x)| *dot += v * x);
        }
        for (row, v) in below.chunks_exact_mut(cols).zip(&v) {
            let factor = beta * v;
            row[k + 1..].iter_mut().zip(&dots[k + 1..]).for_each(|(x, dot)| *x -= factor * dot);
        }
        if k + 1 == cols {
            break;
        }
        let (value, v, beta) = reflection(a[k * cols + k + 1..(k + 1) * cols].to_vec());
        out.push(value);
        for row in a[(k + 1) * cols..].chunks_exact_mut(cols) {
            let row = &mut row[k + 1..];
            let factor = beta * row.iter().zip(&v).map(|(x, v)| x * v).sum::<f64>();
            row.iter_mut().zip(&v).for_each(|(x, v)| *x -= factor * v);
        }
    }
    out
}

/// What a vector becomes, all in its first element, under `1 - beta v v^T`; v and beta.
fn reflection(mut x: Vec<f64>) -> (f64, Vec<f64>, f64) {
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
    if norm == 0.0 {
        return (0.0, x, 0.0);
    }
    let value = -norm.copysign(x[0]);
    x[0] -= value;
    // |v|^2 / 2, where v = x - value e.
    let beta = 1.0 / (norm * (norm + (x[0] + value).abs()));
    (value, x, beta)
}

/// The eigenvalues of a symmetric tridiagonal matrix by its diagonal and what stands beside it: implicit QL steps.
fn eigenvalues(mut d: Vec<f64>, mut e: Vec<f64>) -> Result<Vec<f64>> {
    const STEPS: usize = 100;
    let n = d.len();
    e.resize(n, 0.0);
    let largest = d.iter().chain(&e).fold(0.0f64, |most, v| most.max(v.abs()));
    let nothing = largest * f64::EPSILON;
    for l in 0..n {
        for step in 0.. {
            // The block from l on whose neighbours do not matter to it any more.
            let m = (l..n - 1).find(|&m| e[m].abs() <= nothing).unwrap_or(n - 1);
            if m == l {
                break;
            }
            if step == STEPS {
                bail!("fid: the singular values do not converge")
            }
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            g = d[m] - d[l] + e[l] / (g + g.hypot(1.0).copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut early = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    early = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
            }
            if !early {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    Ok(d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdl_kernels::gemm::{Mat, Threads, product};
    use gdl_kernels::orthogonal::orthogonal;
    use gdl_kernels::rng::Rng;

    #[test]
    fn singular_values_come_back_from_any_rotation() {
        let mut rng = Rng::seed(5);
        for (rows, cols, rank) in [(1, 1, 1), (7, 4, 4), (4, 7, 3), (20, 20, 11), (30, 12, 1), (6, 6, 0)] {
            // Over six orders of magnitude, and many of them 0.
            let values: Vec<f64> =
                (0..rank).map(|i| 10f64.powf(3.0 - 6.0 * i as f64 / rank as f64)).collect();
            let (mut u, v) = (orthogonal(rows, rank, &mut rng), orthogonal(rank, cols, &mut rng));
            u.iter_mut().enumerate().for_each(|(i, x)| *x *= values[i % rank]);
            let a = product(Mat::new(&u, rows, rank), Mat::new(&v, rank, cols), Threads::One);
            let (got, want) = (nuclear_norm(a, rows, cols).unwrap(), values.iter().sum::<f64>());
            // Each of 20 values to within rounding of the largest.
            assert!((got - want).abs() <= 1e-13 * want, "{rows}x{cols}: {got}, expected {want}");
        }
        assert_eq!(nuclear_norm(Vec::new(), 0, 3).unwrap(), 0.0);
    }
}
