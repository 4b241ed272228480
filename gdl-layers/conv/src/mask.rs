use crate::simd::{Isa, Job, Lanes, run};
use gdl_kernels::gemm::Float;

/// What a gradient passes on its way through a rectifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask<'a, T> {
    /// The rectifier's result, in the order of the gradient: where it is positive the gradient passes unchanged.
    pub(crate) result: &'a [T],
    /// The factor elsewhere.
    pub(crate) slope: T,
}

impl<T: Float> Mask<'_, T> {
    /// The gradient that has passed.
    pub(crate) fn apply(&self, gradient: &[T]) -> Vec<T> {
        const CHUNK: usize = 1 << 15;
        gdl_kernels::par::build(gradient.len(), CHUNK, |i, out| {
            let (result, gradient) = (&self.result[i * CHUNK..], &gradient[i * CHUNK..]);
            for ((out, &y), &g) in out.iter_mut().zip(result).zip(gradient) {
                *out = pass(y, g, self.slope);
            }
        })
    }
}

#[inline(always)]
fn pass<T: Float>(result: T, gradient: T, slope: T) -> T {
    // Not a product with 0, which would make NaN of an infinity.
    match result > T::ZERO {
        true => gradient,
        false if slope == T::ZERO => T::ZERO,
        false => gradient * slope,
    }
}

/// The gradient of a stretch of several planes after the mask: row `i` of `out`, `width` long, is
/// `gradient[i * plane..][..count]`.
///
/// # Panics
///
/// Where an element would lie outside its slice: an error of the calling kernel.
pub(crate) fn masked_rows(
    isa: Isa,
    mask: Mask<'_, f32>,
    gradient: &[f32],
    plane: usize,
    (rows, count): (usize, usize),
    (out, width): (&mut [f32], usize),
) {
    for i in 0..rows {
        let job = Row {
            result: &mask.result[i * plane..][..count],
            gradient: &gradient[i * plane..][..count],
            slope: mask.slope,
            out: out[i * width..][..count].as_mut_ptr(),
        };
        // SAFETY: all three stretches hold `count` values.
        unsafe { run(isa, &job) }
    }
}

struct Row<'a> {
    result: &'a [f32],
    gradient: &'a [f32],
    slope: f32,
    out: *mut f32,
}

impl Job for Row<'_> {
    /// Left to the compiler, which sees the instruction set.
    #[inline(always)]
    unsafe fn run<V: Lanes>(&self) {
        for (i, (&y, &g)) in self.result.iter().zip(self.gradient).enumerate() {
            // SAFETY: the maker of the job promises room for as many values as the slices have.
            unsafe { *self.out.add(i) = pass(y, g, self.slope) }
        }
    }
}
