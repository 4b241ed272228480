//! Matrix products over slices.
//!
//! A thin, checked door to the [`gemm`](https://crates.io/crates/gemm) crate, whose `x86-v4` feature (AVX-512, chosen
//! at run time) this crate turns on, for candle's own products too.

use std::any::TypeId;

/// An element type that the kernels compute in: `f32` or `f64`.
pub trait Float: candle_core::WithDType + Copy + Send + Sync + 'static {
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
}

impl Float for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

impl Float for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

/// A matrix in a slice: element `(i, j)` is `data[i * row_stride + j * col_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// A row-major matrix without gaps.
    ///
    /// # Panics
    /// When the slice is shorter than `rows * cols`.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    /// A matrix with strides of its own.
    ///
    /// # Panics
    /// When an element would lie outside the slice.
    pub fn strided(data: &'a [T], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
        assert!(
            rows == 0 || cols == 0 || (rows - 1) * row_stride + (cols - 1) * col_stride < data.len(),
            "a {rows}x{cols} matrix with strides {row_stride}, {col_stride} needs more than {} elements",
            data.len()
        );
        Self { data, rows, cols, row_stride, col_stride }
    }

    /// The transposed matrix, over the same elements.
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }
}

/// Whether a product may spread over the threads of the rayon pool, where the feature `threads` gives one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// Stay on the calling thread: for products inside a parallel loop.
    One,
    /// Use the pool. Each element of the result is still one sum in one order.
    All,
}

/// `out = a b`, or `out += a b` when `accumulate`; `out` is row-major with rows `out_stride` apart.
///
/// # Shape
/// `a` (m, k), `b` (k, n), `out` (m, n). With `k = 0` the product is zero.
///
/// # Panics
/// When the inner sizes differ or `out` is too short: both are errors of the calling kernel, not of its input.
pub fn gemm<T: Float>(
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    out: &mut [T],
    out_stride: usize,
    accumulate: bool,
    threads: Threads,
) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "gemm: ({m}, {k}) times ({}, {n})", b.rows);
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        (m - 1) * out_stride + n <= out.len() && (m == 1 || out_stride >= n),
        "gemm: the output is too short"
    );
    // SAFETY: the assertion above keeps every element of the result inside `out`, which is borrowed mutably and so
    // overlaps neither input.
    unsafe { run(a, b, out.as_mut_ptr(), out_stride, accumulate, threads) }
}

/// `a b` in a vector of its own, row-major: saves filling it with zeros first.
///
/// # Shape
/// `a` (m, k), `b` (k, n), result (m, n). With `k = 0` the product is zero.
///
/// # Panics
/// When the inner sizes differ.
pub fn product<T: Float>(a: Mat<'_, T>, b: Mat<'_, T>, threads: Threads) -> Vec<T> {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "product: ({m}, {k}) times ({}, {n})", b.rows);
    let mut out = Vec::with_capacity(m * n);
    if m > 0 && n > 0 {
        // SAFETY: there is room for m n elements, which nothing else refers to; without `accumulate` all of them are
        // written and none is read.
        unsafe {
            run(a, b, out.as_mut_ptr(), n, false, threads);
            out.set_len(m * n);
        }
    }
    out
}

/// # Safety
///
/// At `out` there must be memory for the result, its rows `out_stride` apart, that overlaps neither input; with
/// `accumulate` it must hold numbers. The inner sizes must agree.
unsafe fn run<T: Float>(
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    out: *mut T,
    out_stride: usize,
    accumulate: bool,
    threads: Threads,
) {
    let parallelism = match threads {
        Threads::One => ::gemm::Parallelism::None,
        Threads::All => crate::par::parallelism(),
    };
    debug_assert!(TypeId::of::<T>() == TypeId::of::<f32>() || TypeId::of::<T>() == TypeId::of::<f64>());
    // SAFETY: the constructors of `Mat` keep every element that the strides reach inside its slice; the caller vouches
    // for `out`; `T` is f32 or f64, which `gemm` supports.
    unsafe {
        ::gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out,
            1,
            out_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            // out = alpha * out + beta * a b
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(a: &Mat<'_, f64>, b: &Mat<'_, f64>) -> Vec<f64> {
        let mut out = vec![0.0; a.rows * b.cols];
        for i in 0..a.rows {
            for j in 0..b.cols {
                for l in 0..a.cols {
                    out[i * b.cols + j] += a.data[i * a.row_stride + l * a.col_stride]
                        * b.data[l * b.row_stride + j * b.col_stride];
                }
            }
        }
        out
    }

    #[test]
    fn agrees_with_the_definition() {
        let data: Vec<f64> = (0..2000).map(|i| ((i * 37 % 101) as f64 - 50.0) / 17.0).collect();
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (17, 1, 4), (8, 33, 9), (4, 0, 3)] {
            let cases = [
                (Mat::new(&data, m, k), Mat::new(&data[7..], k, n)),
                (Mat::new(&data, k, m).t(), Mat::new(&data[7..], n, k).t()),
                (Mat::strided(&data, m, k, k + 3, 1), Mat::strided(&data[7..], k, n, n + 2, 1)),
            ];
            for (a, b) in cases {
                let want = naive(&a, &b);
                let fresh = product(a, b, Threads::One);
                // As below.
                assert!(fresh.len() == m * n && fresh.iter().zip(&want).all(|(x, y)| (x - y).abs() < 1e-12));
                let stride = n + 1;
                for accumulate in [false, true] {
                    let mut out = vec![2.0; m * stride];
                    gemm(a, b, &mut out, stride, accumulate, Threads::One);
                    for i in 0..m {
                        for j in 0..n {
                            let base = if accumulate { 2.0 } else { 0.0 };
                            // Sums of at most 33 products below 9: rounding stays under 1e-12.
                            assert!((out[i * stride + j] - base - want[i * n + j]).abs() < 1e-12);
                        }
                        assert_eq!(out[i * stride + n], 2.0, "the gap between rows is left alone");
                    }
                }
            }
        }
    }
}
