//! One token after the other.

use crate::cpu::packed::Packed;
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::{add, with_slice};
use crate::gru_sequence::cpu::{mix, open_gates, reset};
use crate::lstm_sequence::cpu::plain_step;
use crate::{Embedding, Gru, GruState, Linear, Lstm, LstmState};
use candle_core::{DType, Result, Tensor, bail};
use gdl_kernels::gemm::{Mat, Threads, product};
use gdl_kernels::par;

/// A recurrent language model that reads one token at a time, for writing text: every weight is read once per token
/// and nothing is allocated.
///
/// It has a state of its own and no graph. Made for f32 on the CPU, for LSTM and GRU layers in one direction, the LSTM
/// without projection, layer normalisation or zoneout: [`lstm`](Self::lstm) and [`gru`](Self::gru) return `None` for
/// everything else, which goes through `forward`.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::VarBuilder;
/// use gdl_rnn::{Embedding, EmbeddingConfig, Lstm, LstmConfig, Stepper, linear};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let embedding = Embedding::new(&EmbeddingConfig::new(65, 8), vb.pp("embedding"))?;
/// let lstm = Lstm::new(&LstmConfig::new(8, 16), vb.pp("rnn"))?;
/// let head = linear(16, 65, vb.pp("head"))?;
/// if let Some(mut stepper) = Stepper::lstm(&embedding, &lstm, &head, None)? {
///     assert_eq!(stepper.step(3)?.len(), 65); // the logits of the token after token 3
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Stepper {
    layers: Vec<Layer>,
    first: First,
    head: Matrix,
    head_bias: Vec<f32>,
    logits: Vec<f32>,
    vocab: usize,
    isa: Isa,
}

/// Where the first layer's gates come from.
#[derive(Debug)]
enum First {
    /// The input's share for every token (V, G): where that is no more than the weights.
    Gates(Vec<f32>),
    /// The tokens' vectors (V, I), still to be multiplied.
    Vectors(Vec<f32>, usize),
}

#[derive(Debug)]
struct Layer {
    cell: Cell,
    /// None where the first layer's gates are there already.
    input: Option<Matrix>,
    /// Of the LSTM's four gates, or of the GRU's r and z.
    recurrent: Matrix,
    bias: Vec<f32>,
    gates: Vec<f32>,
    product: Vec<f32>,
    h: Vec<f32>,
}

#[derive(Debug)]
enum Cell {
    Lstm { c: Vec<f32> },
    Gru { w_n: Matrix, b_hn: Vec<f32>, after: bool, reset: Vec<f32>, product: Vec<f32> },
}

/// A weight, (rows, columns) in its tensor, packed so that a row times its transpose reads it from end to end.
#[derive(Debug)]
struct Matrix {
    packed: Packed<f32>,
    rows: usize,
}

impl Matrix {
    fn new(w: &[f32], rows: usize, columns: usize, isa: Isa) -> Self {
        Self { packed: Packed::new(w, (columns, rows), (1, columns), isa), rows }
    }

    /// Room for a product.
    fn room(&self) -> Vec<f32> {
        vec![0.; self.packed.columns()]
    }

    /// out = x W^T, on several threads where it is large.
    fn multiply(&self, x: &[f32], out: &mut [f32], isa: Isa) {
        /// Elements of a weight below which waking a thread costs more than it saves.
        const PIECE: usize = 128 * 1024;
        let (panels, width) = (out.len() / self.packed.width(), self.packed.width());
        let threads = par::threads().min(self.rows * x.len() / PIECE).max(1);
        let piece = panels.div_ceil(threads).max(1);
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

impl Stepper {
    /// A stepper that goes on from a state of one row, or from zeros.
    ///
    /// # Errors
    ///
    /// When the sizes of table, layers, head and state do not fit together.
    pub fn lstm(
        table: &Embedding,
        layers: &Lstm,
        head: &Linear,
        state: Option<&LstmState>,
    ) -> Result<Option<Self>> {
        let Some(parts) = layers.plain_layers()?.filter(|_| takes(table.weight())) else { return Ok(None) };
        let (size, isa) = (layers.config().hidden_size, Isa::best());
        let mut built = Vec::new();
        for (k, (weights, bias)) in parts.into_iter().enumerate() {
            let recurrent = matrix(&weights.w_hh, isa)?;
            let (h, c) = match state {
                None => (vec![0.; size], vec![0.; size]),
                Some(state) => (row(&state.h, k, size)?, row(&state.c, k, size)?),
            };
            built.push((&weights.w_ih, Layer::new(Cell::Lstm { c }, recurrent, bias, h)?));
        }
        Self::new(table, built, head, isa).map(Some)
    }

    /// As [`lstm`](Self::lstm), of GRU layers.
    ///
    /// # Errors
    ///
    /// As [`lstm`](Self::lstm).
    pub fn gru(
        table: &Embedding,
        layers: &Gru,
        head: &Linear,
        state: Option<&GruState>,
    ) -> Result<Option<Self>> {
        let Some(parts) = layers.plain_layers()?.filter(|_| takes(table.weight())) else { return Ok(None) };
        let (size, isa) = (layers.config().hidden_size, Isa::best());
        let mut built = Vec::new();
        for (k, (weights, bias, b_hn)) in parts.into_iter().enumerate() {
            let recurrent = matrix(&weights.w_hh.narrow(0, 0, 2 * size)?, isa)?;
            let w_n = matrix(&weights.w_hh.narrow(0, 2 * size, size)?, isa)?;
            let cell = Cell::Gru {
                b_hn: b_hn.as_ref().map_or_else(|| Ok(Vec::new()), values)?,
                after: layers.config().reset_after,
                reset: vec![0.; size],
                product: w_n.room(),
                w_n,
            };
            let h = state.map_or_else(|| Ok(vec![0.; size]), |state| row(&state.h, k, size))?;
            built.push((&weights.w_ih, Layer::new(cell, recurrent, bias, h)?));
        }
        Self::new(table, built, head, isa).map(Some)
    }

    fn new(table: &Embedding, layers: Vec<(&Tensor, Layer)>, head: &Linear, isa: Isa) -> Result<Self> {
        let (vocab, features) = table.weight().dims2()?;
        let (outputs, inputs) = head.weight().dims2()?;
        let (reads, gives) = match (layers.first(), layers.last()) {
            (Some((w_ih, _)), Some((_, layer))) => (w_ih.dim(1)?, layer.h.len()),
            _ => bail!("Stepper: there is no layer"),
        };
        if reads != features || gives != inputs {
            bail!(
                "Stepper: expected a table of {reads} features and a head that reads {gives}, got {features} and {inputs}"
            )
        }
        let table = values(table.weight())?;
        let mut first = First::Vectors(Vec::new(), features);
        let mut built = Vec::new();
        for (k, (w_ih, mut layer)) in layers.into_iter().enumerate() {
            let w = values(w_ih)?;
            let (rows, columns) = w_ih.dims2()?;
            if k == 0 && vocab <= features {
                let table = Mat::new(&table, vocab, features);
                first = First::Gates(product(table, Mat::new(&w, rows, columns).t(), Threads::All));
                layer.gates = vec![0.; rows];
            } else {
                let w = Matrix::new(&w, rows, columns, isa);
                layer.gates = w.room();
                layer.input = Some(w);
            }
            built.push(layer);
        }
        if let First::Vectors(vectors, _) = &mut first {
            *vectors = table;
        }
        let head_bias = values(head.bias())?;
        let head = Matrix::new(&values(head.weight())?, outputs, inputs, isa);
        let logits = head.room();
        Ok(Self { layers: built, first, logits, head, head_bias, vocab, isa })
    }

    /// Reads a token; returns the logits (V) of the one after it, which the caller may change.
    ///
    /// # Errors
    ///
    /// When the token is not in the table.
    pub fn step(&mut self, token: u32) -> Result<&mut [f32]> {
        let token = token as usize;
        if token >= self.vocab {
            bail!("Stepper: expected a token below the {} of the vocabulary, got {token}", self.vocab)
        }
        for k in 0..self.layers.len() {
            let (below, rest) = self.layers.split_at_mut(k);
            let layer = &mut rest[0];
            match (&layer.input, below.last(), &self.first) {
                (Some(w), Some(below), _) => w.multiply(&below.h, &mut layer.gates, self.isa),
                (Some(w), None, First::Vectors(table, size)) => {
                    w.multiply(&table[token * size..][..*size], &mut layer.gates, self.isa);
                }
                (_, _, First::Gates(gates)) => {
                    let size = layer.gates.len();
                    layer.gates.copy_from_slice(&gates[token * size..][..size]);
                }
                (None, _, First::Vectors(..)) => bail!("Stepper: layer {k} has no input"),
            }
            layer.step(self.isa);
        }
        if let Some(top) = self.layers.last() {
            self.head.multiply(&top.h, &mut self.logits, self.isa);
        }
        let logits = &mut self.logits[..self.head.rows];
        add(logits, &self.head_bias);
        Ok(logits)
    }
}

impl Layer {
    fn new(cell: Cell, recurrent: Matrix, bias: Option<Tensor>, h: Vec<f32>) -> Result<Self> {
        let bias = bias.as_ref().map_or_else(|| Ok(Vec::new()), values)?;
        Ok(Self { cell, input: None, product: recurrent.room(), recurrent, bias, gates: Vec::new(), h })
    }

    /// One step; in `gates` stands the input's share.
    fn step(&mut self, isa: Isa) {
        self.recurrent.multiply(&self.h, &mut self.product, isa);
        if let Cell::Gru { w_n, after, reset: scaled, product, .. } = &mut self.cell {
            isa.run(&mut OpenGates(&mut self.gates[..3 * self.h.len()], &self.product, &self.bias));
            if !*after {
                reset(&self.gates, &self.h, scaled);
            }
            w_n.multiply(if *after { &self.h } else { scaled }, product, isa);
        }
        isa.run(&mut Finish(self));
    }
}

struct OpenGates<'a>(&'a mut [f32], &'a [f32], &'a [f32]);

impl Job<f32> for OpenGates<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd<f32>>(&mut self) {
        open_gates::<f32, S>(self.0, self.1, self.2);
    }
}

/// The element-wise rest of a step.
struct Finish<'a>(&'a mut Layer);

impl Job<f32> for Finish<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd<f32>>(&mut self) {
        let Layer { cell, gates, product, bias, h, .. } = &mut *self.0;
        match cell {
            Cell::Lstm { c } => plain_step::<f32, S>(&mut gates[..4 * h.len()], product, bias, c, h),
            Cell::Gru { b_hn, after, product, .. } => {
                add(product, b_hn);
                mix::<f32, S>(&mut gates[..3 * h.len()], product, *after, h);
            }
        }
    }
}

/// Whether weights of this kind are stepped through here.
fn takes(weight: &Tensor) -> bool {
    weight.device().is_cpu() && weight.dtype() == DType::F32 && !gdl_kernels::force_reference()
}

fn values<T: Real>(t: &Tensor) -> Result<Vec<T>> {
    with_slice(t, |values| Ok(values.to_vec()))
}

fn matrix(w: &Tensor, isa: Isa) -> Result<Matrix> {
    let (rows, columns) = w.dims2()?;
    Ok(Matrix::new(&values(w)?, rows, columns, isa))
}

/// The state of one layer in a state of one row.
fn row(state: &Tensor, layer: usize, size: usize) -> Result<Vec<f32>> {
    let state = state.get(layer)?;
    if state.dims() != [1, size] {
        bail!("Stepper: expected the state of one row (1, {size}) per layer, got {:?}", state.shape())
    }
    values(&state)
}
