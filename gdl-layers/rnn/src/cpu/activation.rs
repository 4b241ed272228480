//! exp, sigmoid and tanh without branches, so that loops over them become vector code.
//!
//! Errors (tested): sigmoid stays within 4 units in the last place of 1, tanh and exp within 4 of their own value.

use super::simd::{Real, Simd};

/// (exp(r) - 1, 2^k) with x = k ln 2 + r and |r| <= ln(2)/2, by the Taylor series, for |x| up to [`Real::EXP_LIMIT`].
#[inline(always)]
fn exp_parts<T: Real, S: Simd<T>>(x: T) -> (T, T) {
    let rounded = S::madd(x, T::LOG2E, T::ROUND);
    let k = rounded - T::ROUND;
    let r = S::madd(k, -T::LN2.1, S::madd(k, -T::LN2.0, x));
    let mut series = T::ZERO;
    for &c in T::FACTORIALS.iter().rev() {
        series = S::madd(series, r, c);
    }
    (S::madd(r * r, series, r), T::pow2(rounded))
}

/// exp(x) - 1 for |x| up to [`Real::EXP_LIMIT`]; accurate near 0 too. NaN stays NaN.
#[inline(always)]
fn exp_m1<T: Real, S: Simd<T>>(x: T) -> T {
    let (p, scale) = exp_parts::<T, S>(x);
    S::madd(p, scale, scale - T::ONE)
}

/// exp(x) for x up to 0; what would be below exp(-[`Real::EXP_LIMIT`]) is that. NaN stays NaN.
#[inline(always)]
pub(crate) fn exp<T: Real, S: Simd<T>>(x: T) -> T {
    let (p, scale) = exp_parts::<T, S>(if x < -T::EXP_LIMIT { -T::EXP_LIMIT } else { x });
    S::madd(p, scale, scale)
}

/// 1 / (1 + exp(-x))
#[inline(always)]
pub(crate) fn sigmoid<T: Real, S: Simd<T>>(x: T) -> T {
    // Comparisons instead of min and max, which would turn NaN into a number.
    let x = if x > T::EXP_LIMIT { T::EXP_LIMIT } else { x };
    let x = if x < -T::EXP_LIMIT { -T::EXP_LIMIT } else { x };
    T::ONE / (exp_m1::<T, S>(-x) + T::TWO)
}

/// (1 - exp(-2 |x|)) / (1 + exp(-2 |x|)), with the sign of x
#[inline(always)]
pub(crate) fn tanh<T: Real, S: Simd<T>>(x: T) -> T {
    let twice = -T::TWO * x.abs();
    let e = exp_m1::<T, S>(if twice < -T::EXP_LIMIT { -T::EXP_LIMIT } else { twice });
    (-e / (e + T::TWO)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Isa, Job};
    use super::*;

    struct Both<'a, T>(&'a [T], Vec<T>, Vec<T>, Vec<T>);

    impl<T: Real> Job<T> for Both<'_, T> {
        #[inline(always)]
        unsafe fn run<S: Simd<T>>(&mut self) {
            for (i, &x) in self.0.iter().enumerate() {
                self.1[i] = sigmoid::<T, S>(x);
                self.2[i] = tanh::<T, S>(x);
                self.3[i] = exp::<T, S>(-x.abs());
            }
        }
    }

    fn check<T: Real>(epsilon: f64, from: impl Fn(f64) -> T, to: impl Fn(T) -> f64) {
        let mut xs: Vec<T> = (-200_000..=200_000).map(|i| from(f64::from(i) * 1e-4)).collect();
        xs.extend((-40..40).flat_map(|k| [from(2f64.powi(k)), from(-(2f64.powi(k)))]));
        xs.extend([0., -0., 1e30, -1e30, f64::INFINITY, f64::NEG_INFINITY].map(&from));
        for isa in Isa::available() {
            let zeros = || vec![T::ZERO; xs.len()];
            let mut job = Both(&xs, zeros(), zeros(), zeros());
            isa.run(&mut job);
            for (i, &x) in xs.iter().enumerate() {
                let x = to(x);
                let (s, t) = (to(job.1[i]), to(job.2[i]));
                assert!((s - 1. / (1. + (-x).exp())).abs() <= 4. * epsilon, "{isa:?}: sigmoid({x}) = {s}");
                // Relative, so that small values keep their digits.
                let e = to(job.3[i]);
                // Below exp(-87) an f32 would not be normal.
                let want = (-x.abs().min(to(T::EXP_LIMIT))).exp();
                assert!((e - want).abs() <= 4. * epsilon * want, "{isa:?}: exp({}) = {e}", -x.abs());
                assert!((t - x.tanh()).abs() <= 4. * epsilon * x.tanh().abs(), "{isa:?}: tanh({x}) = {t}");
            }
            let mut nan = Both(&[from(f64::NAN)], vec![T::ZERO], vec![T::ZERO], vec![T::ZERO]);
            isa.run(&mut nan);
            assert!([&nan.1, &nan.2, &nan.3].iter().all(|x| to(x[0]).is_nan()));
        }
    }

    #[test]
    fn sigmoid_and_tanh_are_accurate() {
        check::<f32>(f64::from(f32::EPSILON), |x| x as f32, f64::from);
        check::<f64>(f64::EPSILON, |x| x, |x| x);
    }
}
