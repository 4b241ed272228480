//! Products of a few rows with one matrix, many times over.

use super::simd::{Isa, Real, Simd, Vector};
use gdl_kernels::par;

/// A matrix B (k, n) cut into panels of two vectors' width, each panel with its rows next to each other: what the
/// recurrent product reads once per step, packed once per sequence.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    panels: Vec<T>,
    k: usize,
    width: usize,
}

impl<T: Real> Packed<T> {
    /// Packs the matrix whose element (k, n) is `data[k * k_stride + n * n_stride]`.
    pub(crate) fn new(
        data: &[T],
        (k, n): (usize, usize),
        (k_stride, n_stride): (usize, usize),
        isa: Isa,
    ) -> Self {
        let width = 2 * isa.lanes::<T>();
        let mut panels = vec![T::ZERO; n.div_ceil(width) * width * k];
        par::chunks_mut(&mut panels, (width * k).max(1), |panel, out| {
            let columns = (panel * width)..((panel + 1) * width).min(n);
            for (j, column) in columns.enumerate() {
                for row in 0..k {
                    out[row * width + j] = data[row * k_stride + column * n_stride];
                }
            }
        });
        Self { panels, k, width }
    }

    /// Columns of a product: n, rounded up to whole panels.
    pub(crate) fn columns(&self) -> usize {
        self.panels.len().checked_div(self.k).unwrap_or(0)
    }

    /// Columns of one panel.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Some panels of the product of one row a (k): out, a whole number of panels wide, from the panel `first` on.
    ///
    /// # Safety
    ///
    /// S must be the kind of vectors that B was packed for, and the CPU must have it.
    #[inline(always)]
    pub(crate) unsafe fn multiply_row<S: Simd<T>>(&self, a: &[T], first: usize, out: &mut [T]) {
        let (k, width) = (self.k, self.width);
        assert!(a.len() >= k && width == 2 * S::V::LANES);
        let panels = self.panels.chunks_exact((width * k).max(1)).skip(first);
        for (panel, out) in panels.zip(out.chunks_exact_mut(width)) {
            // SAFETY: a has k elements, panel and out are whole; the caller vouches for the CPU.
            unsafe { tile_product::<T, S, 1>(a.as_ptr(), panel.as_ptr(), k, out.as_mut_ptr(), width) }
        }
    }

    /// out (rows, [`columns`](Self::columns)) = a (rows, k) B
    ///
    /// Every element is one sum in the order of k, however many rows there are: results do not depend on how a
    /// batch is cut.
    ///
    /// # Safety
    ///
    /// S must be the kind of vectors that B was packed for, and the CPU must have it.
    #[inline(always)]
    pub(crate) unsafe fn multiply<S: Simd<T>>(&self, a: &[T], rows: usize, out: &mut [T]) {
        let (k, width, columns) = (self.k, self.width, self.columns());
        assert!(a.len() >= rows * k && out.len() >= rows * columns && width == 2 * S::V::LANES);
        // Tiles of nearly equal height, because a tile of one row costs nearly as much as a tile of six.
        let tiles = rows.div_ceil(S::TILE_ROWS).max(1);
        for (p, panel) in self.panels.chunks_exact((width * k).max(1)).enumerate() {
            for tile in 0..tiles {
                let (from, to) = (tile * rows / tiles, (tile + 1) * rows / tiles);
                // SAFETY: rows below `rows` of a, and of the columns of this panel of out, were checked above to lie
                // in their slices; the caller vouches for the CPU.
                unsafe {
                    let a = a.as_ptr().add(from * k);
                    let out = out.as_mut_ptr().add(from * columns + p * width);
                    let b = panel.as_ptr();
                    match to - from {
                        0 => {}
                        1 => tile_product::<T, S, 1>(a, b, k, out, columns),
                        2 => tile_product::<T, S, 2>(a, b, k, out, columns),
                        3 => tile_product::<T, S, 3>(a, b, k, out, columns),
                        4 => tile_product::<T, S, 4>(a, b, k, out, columns),
                        5 => tile_product::<T, S, 5>(a, b, k, out, columns),
                        6 => tile_product::<T, S, 6>(a, b, k, out, columns),
                        7 => tile_product::<T, S, 7>(a, b, k, out, columns),
                        8 => tile_product::<T, S, 8>(a, b, k, out, columns),
                        9 => tile_product::<T, S, 9>(a, b, k, out, columns),
                        10 => tile_product::<T, S, 10>(a, b, k, out, columns),
                        11 => tile_product::<T, S, 11>(a, b, k, out, columns),
                        _ => tile_product::<T, S, 12>(a, b, k, out, columns),
                    }
                }
            }
        }
    }
}

/// ROWS rows of a (rows k apart) times one panel, into rows of out that are `columns` apart.
///
/// # Safety
///
/// All of that must lie in memory, and the CPU must have vectors of the kind S.
#[inline(always)]
unsafe fn tile_product<T: Real, S: Simd<T>, const ROWS: usize>(
    a: *const T,
    b: *const T,
    k: usize,
    out: *mut T,
    columns: usize,
) {
    // SAFETY: the caller vouches for the memory and the CPU.
    unsafe {
        let lanes = S::V::LANES;
        let mut sums = [[S::V::splat(T::ZERO); 2]; ROWS];
        for p in 0..k {
            let b = [S::V::load(b.add(p * 2 * lanes)), S::V::load(b.add((p * 2 + 1) * lanes))];
            for (i, sum) in sums.iter_mut().enumerate() {
                let a = S::V::splat(*a.add(i * k + p));
                sum[0] = sum[0].madd(a, b[0]);
                sum[1] = sum[1].madd(a, b[1]);
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            sum[0].store(out.add(i * columns));
            sum[1].store(out.add(i * columns + lanes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Job;
    use super::*;

    struct Multiply<'a, T>(&'a Packed<T>, &'a [T], usize, &'a mut [T]);

    impl<T: Real> Job<T> for Multiply<'_, T> {
        #[inline(always)]
        unsafe fn run<S: Simd<T>>(&mut self) {
            // SAFETY: the test runs it with the kind of vectors it packed for.
            unsafe { self.0.multiply::<S>(self.1, self.2, self.3) }
        }
    }

    fn check<T: Real>(from: impl Fn(f64) -> T, to: impl Fn(T) -> f64) {
        let value = |i: usize| from((i * 37 % 19) as f64 - 9.);
        for isa in Isa::available() {
            for (rows, k, n) in [(1, 1, 1), (2, 3, 5), (7, 8, 33), (13, 5, 64), (25, 9, 7), (0, 3, 3)] {
                let a: Vec<T> = (0..rows * k).map(value).collect();
                let b: Vec<T> = (0..k * n).map(|i| value(i + 5)).collect();
                for transposed in [false, true] {
                    let strides = if transposed { (1, k) } else { (n, 1) };
                    let packed = Packed::new(&b, (k, n), strides, isa);
                    let mut out = vec![T::ONE; rows * packed.columns()];
                    isa.run(&mut Multiply(&packed, &a, rows, &mut out));
                    for i in 0..rows {
                        for j in 0..n {
                            // Small whole numbers: exact in any order.
                            let want: f64 =
                                (0..k).map(|p| to(a[i * k + p]) * to(b[p * strides.0 + j * strides.1])).sum();
                            assert_eq!(to(out[i * packed.columns() + j]), want, "{isa:?} {rows} {k} {n}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn agrees_with_the_definition() {
        check::<f32>(|x| x as f32, f64::from);
        check::<f64>(|x| x, |x| x);
    }
}
