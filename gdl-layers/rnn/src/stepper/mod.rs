//! One token after the other.

mod layer;
mod matrix;

use crate::cpu::simd::{Isa, Real};
use crate::cpu::slices::{add, with_slice};
use crate::{Embedding, Gru, GruState, Linear, Lstm, LstmState};
use candle_core::{DType, Result, Tensor, bail};
use gdl_kernels::gemm::{Mat, Threads, product};
use gdl_kernels::par;
use layer::{Cell, Layer, Memory};
use matrix::Matrix;

/// A recurrent language model that reads one token at a time, of one text or of several side by side, for writing: every weight
/// is read once per token and nothing is allocated.
///
/// It has a state of its own and no graph. Made for f32 on the CPU, for LSTM and GRU layers in one direction, the LSTM
/// without projection, layer normalisation or zoneout: [`lstm`](Self::lstm) and [`gru`](Self::gru) return `None` for
/// everything else, which goes through `forward`. A row's logits are bit for bit the same whatever the other rows are.
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
///     stepper.select(&[0, 0, 0])?; // three texts go on from here
///     assert_eq!(stepper.step_rows(&[3, 7, 9])?.len(), 3 * 65);
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Stepper {
    weights: Weights,
    lanes: Vec<Lane>,
    rows: usize,
    /// (rows, V)
    logits: Vec<f32>,
}

/// What every row reads.
#[derive(Debug)]
struct Weights {
    layers: Vec<Layer>,
    /// A row for each token: the first layer's gates, as far as the input gives them, where that is no more than its weights; its
    /// vector, still to be multiplied, where the first layer has a weight for its input.
    table: Vec<f32>,
    features: usize,
    head: Matrix,
    head_bias: Vec<f32>,
    vocab: usize,
    isa: Isa,
}

/// Rows that one thread computes.
#[derive(Debug)]
struct Lane {
    memories: Vec<Memory>,
    /// Token vectors (rows, I), where they are multiplied.
    vectors: Vec<f32>,
    /// (rows, columns of the head)
    head: Vec<f32>,
}

/// h and c of a layer, each (rows, size).
type Rows = (Vec<f32>, Vec<f32>);

/// The weight of a layer's input, the layer, and the state of all rows.
type Built<'a> = (&'a Tensor, Layer, Rows);

impl Stepper {
    /// A stepper that goes on from a state of one row or of several, or with one row from zeros.
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
        if let Some(state) = state.filter(|state| state.h.dims() != state.c.dims()) {
            bail!("Stepper: h is {:?}, but c is {:?}", state.h.shape(), state.c.shape())
        }
        let mut built = Vec::new();
        for (k, (weights, bias)) in parts.into_iter().enumerate() {
            let recurrent = matrix(&weights.w_hh, isa)?;
            let state = match state {
                None => (vec![0.; size], vec![0.; size]),
                Some(state) => (rows(&state.h, k, size)?, rows(&state.c, k, size)?),
            };
            built.push((&weights.w_ih, layer(Cell::Lstm, recurrent, bias, size)?, state));
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
                w_n,
            };
            let h = state.map_or_else(|| Ok(vec![0.; size]), |state| rows(&state.h, k, size))?;
            built.push((&weights.w_ih, layer(cell, recurrent, bias, size)?, (h, Vec::new())));
        }
        Self::new(table, built, head, isa).map(Some)
    }

    fn new(table: &Embedding, built: Vec<Built<'_>>, head: &Linear, isa: Isa) -> Result<Self> {
        let (vocab, features) = table.weight().dims2()?;
        let (outputs, inputs) = head.weight().dims2()?;
        let (reads, gives) = match (built.first(), built.last()) {
            (Some((w_ih, ..)), Some((_, layer, _))) => (w_ih.dim(1)?, layer.size),
            _ => bail!("Stepper: there is no layer"),
        };
        if reads != features || gives != inputs {
            bail!(
                "Stepper: expected a table of {reads} features and a head that reads {gives}, got {features} and {inputs}"
            )
        }
        let mut table = values(table.weight())?;
        let (mut layers, mut states) = (Vec::new(), Vec::new());
        for (k, (w_ih, mut layer, state)) in built.into_iter().enumerate() {
            let w = values(w_ih)?;
            let (rows, columns) = w_ih.dims2()?;
            if k == 0 && vocab <= features {
                let vectors = Mat::new(&table, vocab, features);
                table = product(vectors, Mat::new(&w, rows, columns).t(), Threads::All);
            } else {
                layer.input = Some(Matrix::new(&w, rows, columns, isa));
            }
            layers.push(layer);
            states.push(state);
        }
        let head_bias = values(head.bias())?;
        let head = Matrix::new(&values(head.weight())?, outputs, inputs, isa);
        let weights = Weights { layers, table, features, head, head_bias, vocab, isa };
        let mut stepper = Self { weights, lanes: Vec::new(), rows: 0, logits: Vec::new() };
        stepper.lay_out(states);
        Ok(stepper)
    }

    /// Cuts the rows of a state, (rows, size) of each layer, into lanes.
    fn lay_out(&mut self, states: Vec<Rows>) {
        let Self { weights, lanes, rows, logits } = self;
        let sizes: Vec<usize> = weights.layers.iter().map(|layer| layer.size.max(1)).collect();
        *rows = states.first().map_or(0, |(h, _)| h.len() / sizes[0]);
        let lane = rows.div_ceil(par::threads()).max(1);
        logits.clear();
        logits.resize(*rows * weights.vocab, 0.);
        lanes.clear();
        for from in (0..*rows).step_by(lane) {
            let to = (from + lane).min(*rows);
            let cut = |state: &[f32], size: usize| match state.is_empty() {
                true => Vec::new(),
                false => state[from * size..to * size].to_vec(),
            };
            let layers = weights.layers.iter().zip(&states).zip(&sizes);
            let memories = layers.map(|((layer, (h, c)), &size)| layer.memory(cut(h, size), cut(c, size)));
            lanes.push(Lane {
                memories: memories.collect(),
                vectors: vec![0.; (to - from) * weights.features],
                head: vec![0.; (to - from) * weights.head.columns()],
            });
        }
    }

    /// How many texts are read side by side.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Goes on with these rows, in that order; a row may come more than once.
    ///
    /// # Errors
    ///
    /// When there is no such row.
    pub fn select(&mut self, rows: &[u32]) -> Result<()> {
        if let Some(row) = rows.iter().find(|&&row| row as usize >= self.rows) {
            bail!("Stepper: expected a row below {}, got {row}", self.rows)
        }
        let pick = |k: usize, size: usize, part: fn(&Memory) -> &Vec<f32>| {
            let all: Vec<&[f32]> =
                self.lanes.iter().flat_map(|lane| part(&lane.memories[k]).chunks_exact(size)).collect();
            // An LSTM's c is as long as its h; a GRU has none.
            rows.iter().filter_map(|&row| all.get(row as usize)).copied().flatten().copied().collect()
        };
        let layers = self.weights.layers.iter().enumerate();
        let states = layers
            .map(|(k, layer)| (pick(k, layer.size.max(1), |m| &m.h), pick(k, layer.size.max(1), |m| &m.c)));
        let states = states.collect();
        self.lay_out(states);
        Ok(())
    }

    /// Reads a token, with one row; returns the logits (V) of the one after it, which the caller may change.
    ///
    /// # Errors
    ///
    /// When the token is not in the table, or there are several rows.
    pub fn step(&mut self, token: u32) -> Result<&mut [f32]> {
        self.step_rows(&[token])
    }

    /// Reads a token of each row; returns the logits (rows x V) of those after them, which the caller may change.
    ///
    /// # Errors
    ///
    /// When a token is not in the table, or there are not as many as rows.
    pub fn step_rows(&mut self, tokens: &[u32]) -> Result<&mut [f32]> {
        let Self { weights, lanes, rows, logits } = self;
        let vocab = weights.vocab;
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocab) {
            bail!("Stepper: expected a token below the {vocab} of the vocabulary, got {token}")
        }
        if tokens.len() != *rows {
            bail!("Stepper: expected {rows} tokens, one per row, got {}", tokens.len())
        }
        if let [lane] = &mut lanes[..] {
            lane.step(weights, tokens, logits);
            return Ok(&mut self.logits);
        }
        let lane = lanes.first().map_or(1, |lane| lane.head.len() / weights.head.columns().max(1)).max(1);
        let work = lanes.iter_mut().zip(tokens.chunks(lane)).zip(logits.chunks_mut((lane * vocab).max(1)));
        let mut work: Vec<_> = work.collect();
        par::chunks_mut(&mut work, 1, |_, work| {
            for ((lane, tokens), logits) in work {
                lane.step(weights, tokens, logits);
            }
        });
        Ok(&mut self.logits)
    }
}

impl Lane {
    fn step(&mut self, weights: &Weights, tokens: &[u32], logits: &mut [f32]) {
        let isa = weights.isa;
        for (k, layer) in weights.layers.iter().enumerate() {
            let (below, rest) = self.memories.split_at_mut(k);
            let memory = &mut rest[0];
            match (&layer.input, below.last()) {
                (Some(w), Some(below)) => w.multiply(&below.h, &mut memory.gates, isa),
                (Some(w), None) => {
                    look_up(&weights.table, weights.features, tokens, &mut self.vectors);
                    w.multiply(&self.vectors, &mut memory.gates, isa);
                }
                (None, _) => look_up(&weights.table, layer.gates(), tokens, &mut memory.gates),
            }
            layer.step(memory, isa);
        }
        if let Some(top) = self.memories.last() {
            weights.head.multiply(&top.h, &mut self.head, isa);
        }
        let rows = self.head.chunks_exact(weights.head.columns().max(1));
        for (logits, head) in logits.chunks_exact_mut(weights.vocab.max(1)).zip(rows) {
            logits.copy_from_slice(&head[..weights.head.outputs()]);
            add(logits, &weights.head_bias);
        }
    }
}

/// Copies the tokens' rows, of that width, out of a table.
fn look_up(table: &[f32], width: usize, tokens: &[u32], out: &mut [f32]) {
    for (out, &token) in out.chunks_exact_mut(width.max(1)).zip(tokens) {
        out.copy_from_slice(&table[token as usize * width..][..width]);
    }
}

/// A layer, as yet without what its input is multiplied with.
fn layer(cell: Cell, recurrent: Matrix, bias: Option<Tensor>, size: usize) -> Result<Layer> {
    let bias = bias.as_ref().map_or_else(|| Ok(Vec::new()), values)?;
    Ok(Layer { cell, input: None, recurrent, bias, size })
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

/// The state of one layer, (rows, size).
fn rows(state: &Tensor, layer: usize, size: usize) -> Result<Vec<f32>> {
    let state = state.get(layer)?;
    if state.rank() != 2 || state.dim(1)? != size {
        bail!("Stepper: expected a state of (rows, {size}) per layer, got {:?}", state.shape())
    }
    values(&state)
}
