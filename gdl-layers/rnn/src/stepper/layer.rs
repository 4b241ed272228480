use super::matrix::Matrix;
use crate::cpu::simd::{Isa, Job, Simd};
use crate::cpu::slices::add;
use crate::gru_sequence::cpu::{mix, open_gates, reset};
use crate::lstm_sequence::cpu::plain_step;

/// The weights of a layer.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) cell: Cell,
    /// None where the first layer's gates are there already.
    pub(super) input: Option<Matrix>,
    /// Of the LSTM's four gates, or of the GRU's r and z.
    pub(super) recurrent: Matrix,
    pub(super) bias: Vec<f32>,
    /// Features of the state.
    pub(super) size: usize,
}

#[derive(Debug)]
pub(super) enum Cell {
    Lstm,
    Gru { w_n: Matrix, b_hn: Vec<f32>, after: bool },
}

/// What some rows remember of a layer, and room to compute in.
#[derive(Debug)]
pub(super) struct Memory {
    /// (rows, size)
    pub(super) h: Vec<f32>,
    /// (rows, size), of an LSTM.
    pub(super) c: Vec<f32>,
    pub(super) gates: Vec<f32>,
    product: Vec<f32>,
    /// What W_hn is multiplied with if the reset gate comes before, and what it gives.
    reset: Vec<f32>,
    candidate: Vec<f32>,
}

impl Layer {
    /// How many gates a row has.
    pub(super) fn gates(&self) -> usize {
        self.size * if matches!(self.cell, Cell::Lstm) { 4 } else { 3 }
    }

    /// From one row of gates to the next.
    fn stride(&self) -> usize {
        self.input.as_ref().map_or(self.gates(), Matrix::columns)
    }

    pub(super) fn memory(&self, h: Vec<f32>, c: Vec<f32>) -> Memory {
        let rows = h.len() / self.size.max(1);
        let (reset, candidate) = match &self.cell {
            Cell::Lstm => (0, 0),
            Cell::Gru { w_n, .. } => (self.size, w_n.columns()),
        };
        let room = |columns: usize| vec![0.; rows * columns];
        Memory {
            gates: room(self.stride()),
            product: room(self.recurrent.columns()),
            reset: room(reset),
            candidate: room(candidate),
            h,
            c,
        }
    }

    /// One step of every row; in the gates stands the input's share.
    pub(super) fn step(&self, memory: &mut Memory, isa: Isa) {
        self.recurrent.multiply(&memory.h, &mut memory.product, isa);
        if let Cell::Gru { w_n, after, .. } = &self.cell {
            isa.run(&mut OpenGates(self, memory));
            let Memory { h, gates, reset: scaled, candidate, .. } = &mut *memory;
            if !*after {
                let rows = scaled.chunks_exact_mut(self.size).zip(h.chunks_exact(self.size));
                for ((scaled, h), gates) in rows.zip(gates.chunks_exact(self.stride())) {
                    reset(gates, h, scaled);
                }
            }
            w_n.multiply(if *after { h } else { scaled }, candidate, isa);
        }
        isa.run(&mut Finish(self, memory));
    }
}

struct OpenGates<'a>(&'a Layer, &'a mut Memory);

impl Job<f32> for OpenGates<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd<f32>>(&mut self) {
        let Self(layer, memory) = self;
        let rows = memory.gates.chunks_exact_mut(layer.stride());
        for (gates, product) in rows.zip(memory.product.chunks_exact(layer.recurrent.columns())) {
            open_gates::<f32, S>(&mut gates[..layer.gates()], product, &layer.bias);
        }
    }
}

/// The element-wise rest of a step.
struct Finish<'a>(&'a Layer, &'a mut Memory);

impl Job<f32> for Finish<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd<f32>>(&mut self) {
        let Self(layer, Memory { h, c, gates, product, candidate, .. }) = self;
        let size = layer.size;
        let rows = gates.chunks_exact_mut(layer.stride()).zip(h.chunks_exact_mut(size));
        match &layer.cell {
            Cell::Lstm => {
                let products = product.chunks_exact(layer.recurrent.columns());
                for (((gates, h), product), c) in rows.zip(products).zip(c.chunks_exact_mut(size)) {
                    plain_step::<f32, S>(&mut gates[..4 * size], product, &layer.bias, c, h);
                }
            }
            Cell::Gru { b_hn, after, w_n } => {
                for ((gates, h), product) in rows.zip(candidate.chunks_exact_mut(w_n.columns())) {
                    add(product, b_hn);
                    mix::<f32, S>(&mut gates[..3 * size], product, *after, h);
                }
            }
        }
    }
}
