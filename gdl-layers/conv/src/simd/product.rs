use super::{Isa, Job, Lanes, run};

/// A matrix product whose inner sum runs over segments of both operands:
///
/// `out[i, j] (+)= sum over segments (a_at, b_at), over p < length of
///  a[a_at + i a_row + p a_step] * b[b_at + p b_row + j]`
///
/// With the segments a kernel's taps, this is a convolution without a matrix of columns.
pub(crate) struct Product<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) a_row: usize,
    pub(crate) a_step: usize,
    pub(crate) b: &'a [f32],
    pub(crate) b_row: usize,
    pub(crate) segments: &'a [(usize, usize)],
    pub(crate) length: usize,
    pub(crate) rows: usize,
    /// Rounded up to whole vectors: so much of `b` is read and of `out` written.
    pub(crate) columns: usize,
    pub(crate) out_row: usize,
    /// Add to what is in `out`.
    pub(crate) accumulate: bool,
}

impl Product<'_> {
    /// # Panics
    ///
    /// Where an element would lie outside its slice: an error of the calling kernel.
    pub(crate) fn compute(&self, isa: Isa, out: &mut [f32]) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        let columns = self.columns.next_multiple_of(isa.lanes());
        let last = self.length.saturating_sub(1);
        if self.length > 0 {
            let a = self.segments.iter().map(|s| s.0).max().unwrap_or(0);
            let b = self.segments.iter().map(|s| s.1).max().unwrap_or(0);
            assert!(
                a + (self.rows - 1) * self.a_row + last * self.a_step < self.a.len(),
                "product: a is too short"
            );
            assert!(b + last * self.b_row + columns <= self.b.len(), "product: b is too short");
        }
        assert!((self.rows - 1) * self.out_row + columns <= out.len(), "product: the output is too short");
        // SAFETY: the assertions bound every index that the job forms: rows below `rows`, columns below `columns`
        // rounded up to whole vectors, inner indices below `length`. `out` is borrowed mutably.
        unsafe { run(isa, &Raw { product: self, columns, out: out.as_mut_ptr() }) }
    }
}

struct Raw<'a> {
    product: &'a Product<'a>,
    /// A multiple of the vector's size.
    columns: usize,
    out: *mut f32,
}

impl Job for Raw<'_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(&self) {
        let mut column = 0;
        while column < self.columns {
            let pair = self.columns - column >= 2 * V::N;
            let mut row = 0;
            while row < self.product.rows {
                let rows = (self.product.rows - row).min(V::ROWS);
                // SAFETY: rows and columns of the tile are inside, by the choice above.
                unsafe {
                    match (rows, pair) {
                        (8, true) => self.tile::<V, 8, 2>(row, column),
                        (7, true) => self.tile::<V, 7, 2>(row, column),
                        (6, true) => self.tile::<V, 6, 2>(row, column),
                        (5, true) => self.tile::<V, 5, 2>(row, column),
                        (4, true) => self.tile::<V, 4, 2>(row, column),
                        (3, true) => self.tile::<V, 3, 2>(row, column),
                        (2, true) => self.tile::<V, 2, 2>(row, column),
                        (1, true) => self.tile::<V, 1, 2>(row, column),
                        (8, false) => self.tile::<V, 8, 1>(row, column),
                        (7, false) => self.tile::<V, 7, 1>(row, column),
                        (6, false) => self.tile::<V, 6, 1>(row, column),
                        (5, false) => self.tile::<V, 5, 1>(row, column),
                        (4, false) => self.tile::<V, 4, 1>(row, column),
                        (3, false) => self.tile::<V, 3, 1>(row, column),
                        (2, false) => self.tile::<V, 2, 1>(row, column),
                        _ => self.tile::<V, 1, 1>(row, column),
                    }
                }
                row += rows;
            }
            column += if pair { 2 * V::N } else { V::N };
        }
    }
}

impl Raw<'_> {
    /// `R` rows by `C` vectors of the output, kept in registers over the whole inner sum.
    #[inline(always)]
    unsafe fn tile<V: Lanes, const R: usize, const C: usize>(&self, row: usize, column: usize) {
        let p = self.product;
        // SAFETY: the caller keeps the tile inside; `Product::compute` has bounded all else.
        unsafe {
            let out = self.out.add(row * p.out_row + column);
            let mut sums = [[V::splat(0.0); C]; R];
            if p.accumulate {
                for (i, sums) in sums.iter_mut().enumerate() {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = V::load(out.add(i * p.out_row + j * V::N));
                    }
                }
            }
            for &(a_at, b_at) in p.segments {
                let mut a = p.a.as_ptr().wrapping_add(a_at + row * p.a_row);
                let mut b = p.b.as_ptr().wrapping_add(b_at + column);
                for _ in 0..p.length {
                    let mut right = [V::splat(0.0); C];
                    for (j, right) in right.iter_mut().enumerate() {
                        *right = V::load(b.wrapping_add(j * V::N));
                    }
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let left = V::splat(*a.wrapping_add(i * p.a_row));
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = left.mul_add(right, *sum);
                        }
                    }
                    a = a.wrapping_add(p.a_step);
                    b = b.wrapping_add(p.b_row);
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                for (j, sum) in sums.iter().enumerate() {
                    sum.store(out.add(i * p.out_row + j * V::N));
                }
            }
        }
    }
}
