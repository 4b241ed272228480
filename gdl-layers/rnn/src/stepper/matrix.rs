use crate::cpu::packed::Packed;
use crate::cpu::simd::{Isa, Job, Simd};
use gdl_kernels::par;

/// A weight, (rows, columns) in its tensor, packed so that a product with its transpose reads it from end to end.
#[derive(Debug)]
pub(super) struct Matrix {
    packed: Packed<f32>,
    inputs: usize,
    outputs: usize,
}

impl Matrix {
    pub(super) fn new(w: &[f32], outputs: usize, inputs: usize, isa: Isa) -> Self {
        Self { packed: Packed::new(w, (inputs, outputs), (1, inputs), isa), inputs, outputs }
    }

    /// Columns of a product: its outputs, and some more to fill the last vector.
    pub(super) fn columns(&self) -> usize {
        self.packed.columns()
    }

    /// How many of the columns count.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// out (rows, columns) = x (rows, inputs) W^T. One row is computed on several threads where the weight is large.
    ///
    /// Every element is one sum in the order of the inputs, so that a row does not depend on those beside it.
    pub(super) fn multiply(&self, x: &[f32], out: &mut [f32], isa: Isa) {
        /// Elements of a weight below which waking a thread costs more than it saves.
        const PIECE: usize = 128 * 1024;
        let (columns, width) = (self.columns(), self.packed.width());
        let rows = out.len().checked_div(columns).unwrap_or(0);
        if rows != 1 {
            isa.run(&mut Product { packed: &self.packed, x: &x[..rows * self.inputs], rows, out });
            return;
        }
        let threads = par::threads().min(self.outputs * x.len() / PIECE).max(1);
        let piece = (columns / width).div_ceil(threads).max(1);
        par::chunks_mut(out, piece * width, |k, out| {
            isa.run(&mut RowProduct { packed: &self.packed, x, first: k * piece, out });
        });
    }
}

struct RowProduct<'a> {
    packed: &'a Packed<f32>,
    x: &'a [f32],
    first: usize,
    out: &'a mut [f32],
}

impl Job<f32> for RowProduct<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd<f32>>(&mut self) {
        // SAFETY: the job runs with the kind of vectors that the weight was packed for.
        unsafe { self.packed.multiply_row::<S>(self.x, self.first, self.out) }
    }
}

struct Product<'a> {
    packed: &'a Packed<f32>,
    x: &'a [f32],
    rows: usize,
    out: &'a mut [f32],
}

impl Job<f32> for Product<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd<f32>>(&mut self) {
        // SAFETY: the job runs with the kind of vectors that the weight was packed for.
        unsafe { self.packed.multiply::<S>(self.x, self.rows, self.out) }
    }
}
