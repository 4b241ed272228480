//! Layer normalisation of one row.

use super::simd::Real;
use super::slices::sum;

/// Takes the mean off x and divides by the standard deviation; returns what it multiplied with for the latter.
#[inline(always)]
pub(crate) fn normalise<T: Real>(x: &mut [T], eps: T) -> T {
    let count = T::from_f64(x.len() as f64);
    let mean = sum(x.len(), |j| x[j]) / count;
    x.iter_mut().for_each(|x| *x -= mean);
    let variance = sum(x.len(), |j| x[j] * x[j]) / count;
    let scale = T::ONE / (variance + eps).root();
    x.iter_mut().for_each(|x| *x *= scale);
    scale
}

/// From the gradient of gain * normalised + shift to that of what was normalised, in place.
#[inline(always)]
pub(crate) fn normalise_back<T: Real>(d: &mut [T], gain: &[T], normalised: &[T], scale: T) {
    let count = T::from_f64(d.len() as f64);
    let (gain, normalised) = (&gain[..d.len()], &normalised[..d.len()]);
    for j in 0..d.len() {
        d[j] *= gain[j];
    }
    let mean = sum(d.len(), |j| d[j]) / count;
    let slope = sum(d.len(), |j| d[j] * normalised[j]) / count;
    for j in 0..d.len() {
        d[j] = (d[j] - mean - normalised[j] * slope) * scale;
    }
}
