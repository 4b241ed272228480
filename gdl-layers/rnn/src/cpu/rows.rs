//! Which rows and steps a kernel visits, and the products around its loop.

use super::simd::Real;
use crate::rows::SequenceParams;
use candle_core::{Result, Storage, Tensor, bail};
use gdl_kernels::gemm::{Mat, Threads, gemm};
use gdl_kernels::{par, view};

/// Sizes of a batch, and which steps of it there are.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Rows N.
    pub(crate) n: usize,
    /// Steps T.
    pub(crate) t: usize,
    /// Input features I.
    pub(crate) input: usize,
    /// Hidden features H.
    pub(crate) size: usize,
    reverse: bool,
    lengths: Vec<usize>,
}

impl Plan {
    pub(crate) fn new(x: &Tensor, size: usize, params: SequenceParams<'_>) -> Result<Self> {
        let (n, t, input) = x.dims3()?;
        let lengths = params.lengths.map_or_else(|| vec![t; n], <[usize]>::to_vec);
        Ok(Self { n, t, input, size, reverse: params.reverse, lengths })
    }

    /// Rows of each parallel piece of work. Rows do not depend on each other, so that this may depend on the number
    /// of threads without the results doing so.
    pub(crate) fn chunk(&self) -> usize {
        self.n.div_ceil(par::threads()).max(1)
    }

    /// The step of a row that is visited as its s-th.
    pub(crate) fn step(&self, row: usize, s: usize) -> usize {
        if self.reverse { self.lengths[row] - 1 - s } else { s }
    }

    /// `count` rows from `first` on, the longest first, so that the rows still running always come first.
    pub(crate) fn order(&self, first: usize, count: usize) -> Vec<usize> {
        let mut rows: Vec<usize> = (first..first + count).collect();
        rows.sort_by_key(|&row| std::cmp::Reverse(self.lengths[row]));
        rows
    }

    /// How many of the ordered rows have an s-th step.
    pub(crate) fn running(&self, order: &[usize], s: usize) -> usize {
        order.partition_point(|&row| self.lengths[row] > s)
    }

    /// The state (N, T, H) before every step; 0 in the padding.
    pub(crate) fn before<T: Real>(&self, states: &[T], initial: &[T]) -> Vec<T> {
        let (t, h) = (self.t, self.size);
        let mut out = vec![T::ZERO; states.len()];
        par::chunks_mut(&mut out, (t * h).max(1), |row, out| {
            for s in 0..self.lengths[row] {
                let from = match s {
                    0 => &initial[row * h..][..h],
                    _ => &states[(row * t + self.step(row, s - 1)) * h..][..h],
                };
                out[self.step(row, s) * h..][..h].copy_from_slice(from);
            }
        });
        out
    }

    /// x (N T, I) times the transpose of the weights (`rows`, I), which are `stride` apart, for all steps at once.
    pub(crate) fn input_product<T: Real>(&self, x: &[T], w: &[T], rows: usize, stride: usize) -> Vec<T> {
        let (nt, i) = (self.n * self.t, self.input);
        let mut out = vec![T::ZERO; nt * rows];
        let w = Mat::strided(w, rows, i, stride, 1);
        gemm(Mat::new(x, nt, i), w.t(), &mut out, rows, false, Threads::All);
        out
    }
}

/// The elements of a CPU tensor in row-major order.
fn with_slice<T: Real, R>(t: &Tensor, f: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(&view::contiguous(storage, layout)?),
        _ => bail!("a CPU kernel met a tensor on {:?}", t.device()),
    }
}

/// The elements of five CPU tensors.
pub(crate) fn slices<T: Real, R>(t: [&Tensor; 5], f: impl FnOnce([&[T]; 5]) -> Result<R>) -> Result<R> {
    with_slice(t[0], |a| {
        with_slice(t[1], |b| {
            with_slice(t[2], |c| with_slice(t[3], |d| with_slice(t[4], |e| f([a, b, c, d, e]))))
        })
    })
}

/// out (a's columns, b's columns), rows `stride` apart, = a^T b, for a and b with one row per step of the batch.
pub(crate) fn weight_gradient<T: Real>(a: Mat<'_, T>, b: Mat<'_, T>, out: &mut [T], stride: usize) {
    gemm(a.t(), b, out, stride, false, Threads::All);
}

/// The sum of every column of a row-major matrix.
pub(crate) fn column_sums<T: Real>(data: &[T], columns: usize) -> Vec<T> {
    let mut sums = vec![T::ZERO; columns];
    // Pieces of a fixed width, each summed in the order of the rows.
    const WIDTH: usize = 256;
    par::chunks_mut(&mut sums, WIDTH, |piece, sums| {
        for row in data.chunks_exact(columns) {
            for (sum, &x) in sums.iter_mut().zip(&row[piece * WIDTH..]) {
                *sum += x;
            }
        }
    });
    sums
}
