use super::value;
use candle_core::{Result, Tensor};

/// Square root of a symmetric positive definite matrix, and the inverse of that.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    pub(super) root: Tensor,
    pub(super) inverse: Tensor,
}

/// More iterations than any pair of bounds in f64 takes.
const MOST: usize = 100;

/// Newton-Schulz, coupled, with the scaling that is best for the bounds of the spectrum.
///
/// With `a` the Frobenius norm of A, `Y = A / a` and `Z = I`: repeat `T = r (3 I - r^2 Z Y) / 2`, `Y = Y T`, `Z = T
/// Z`; then
/// `sqrt(A) = sqrt(a) Y` and its inverse is `Z / sqrt(a)`. An eigenvalue `x^2` of `Z Y` becomes `(r x (3 - r^2 x^2) / 2)^2`; with
/// `l` the least x there is, `r^2 = 3 / (1 + l + l^2)` takes l and 1 to the same value, and small eigenvalues grow by up to 6.75 a
/// turn, where the plain iteration (r = 1) has 2.25.
///
/// Products only, no factorisation; in f64, since the gradient of what is made from it hangs on the smallest
/// eigenvalues.
///
/// # Shape
/// `a` (C, C), f64; `least` a bound below its eigenvalues. None when it does not converge: then there is an eigenvalue far
/// below `least`.
///
/// # Source
/// Higham 2008, *Functions of Matrices*, equation 6.35; the scaling after Chen and Chow 2014, *A Stable Scaling of
/// Newton-Schulz*.
pub(super) fn roots(a: &Tensor, least: f64) -> Result<Option<Roots>> {
    let n = a.dim(0)?;
    let norm = value(&a.sqr()?.sum_all()?)?.sqrt();
    if !norm.is_finite() || norm <= 0.0 {
        return Ok(None);
    }
    let eye = eye_like(a)?;
    let (mut y, mut z) = ((a / norm)?, eye.clone());
    let mut l = (least / norm).sqrt().clamp(1e-12, 1.0);
    for _ in 0..MOST {
        let r = (3.0 / (1.0 + l + l * l)).sqrt();
        let zy = z.matmul(&y)?;
        // Near enough for this turn to be the last: it squares what is missing.
        let last = 1.0 - l < 1e-6;
        if last {
            let off = value(&(&zy - &eye)?.sqr()?.sum_all()?)?.sqrt() / (n as f64).sqrt();
            if off > 1e-5 || off.is_nan() {
                return Ok(None);
            }
        }
        let t = ((&eye * (1.5 * r))? - (zy * (0.5 * r * r * r))?)?;
        (y, z) = (y.matmul(&t)?, t.matmul(&z)?);
        if last {
            return Ok(Some(Roots { root: (y * norm.sqrt())?, inverse: (z / norm.sqrt())? }));
        }
        l = (0.5 * r * l * (3.0 - r * r * l * l)).min(1.0);
    }
    Ok(None)
}

/// The identity of the size, type and device of a square matrix.
pub(super) fn eye_like(a: &Tensor) -> Result<Tensor> {
    Tensor::eye(a.dim(0)?, a.dtype(), a.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use gdl_train::SharedRng;

    #[test]
    fn roots_square_and_invert() {
        let rng = SharedRng::seed(4);
        for (n, rank) in [(1, 1), (5, 5), (24, 30), (40, 6)] {
            let x = rng.randn((n, rank), DType::F64, &Device::Cpu).unwrap();
            let eye = Tensor::eye(n, DType::F64, &Device::Cpu).unwrap();
            let a = (x.matmul(&x.t().unwrap()).unwrap() + (&eye * 1e-4).unwrap()).unwrap();
            let Roots { root, inverse } = roots(&a, 1e-4).unwrap().unwrap();
            let most = |t: Tensor| -> f64 {
                t.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
            };
            let size = most(a.clone());
            assert!(most((root.matmul(&root).unwrap() - &a).unwrap()) < 1e-9 * size, "{n} {rank}");
            // An eigenvalue of 1e-4 beside one of 100.
            assert!(most((root.matmul(&inverse).unwrap() - &eye).unwrap()) < 1e-7, "{n} {rank}");
        }
    }

    #[test]
    fn what_has_no_root_is_told() {
        let a = Tensor::new(&[[1f64, 0.0], [0.0, -0.5]], &Device::Cpu).unwrap();
        assert!(roots(&a, 1e-3).unwrap().is_none());
        assert!(roots(&a.zeros_like().unwrap(), 1e-3).unwrap().is_none());
        assert!(roots(&(&a * f64::NAN).unwrap(), 1e-3).unwrap().is_none());
    }
}
