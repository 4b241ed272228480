//! The LSTM's kernels.

mod backward;
mod forward;

pub(crate) use forward::plain_step;

use super::LstmSide;
use super::cell::{NORM_EPS, Zoneout};
use crate::cpu::input::{Input, Start};
use crate::cpu::plan::Plan;
use crate::cpu::recurrence::{Cell, Direction, Gradients, Weights, run};
use crate::cpu::simd::Real;
use crate::cpu::slices::with_slice;
use crate::rows::{self, SequenceInput, SequenceParams};
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// The directions of a layer with backpropagation through time written out. Shapes are not checked.
pub(super) fn lstm_layer<T: Real>(
    input: &SequenceInput<'_>,
    sides: &[LstmSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<(Tensor, Tensor)>)> {
    let (n, t, _) = input.dims()?;
    let directions =
        sides.iter().map(|side| direction::<T>(input, side, lengths)).collect::<Result<Vec<_>>>()?;
    let (y, finals) = run(directions)?;
    let finals = finals.into_iter().zip(sides).map(|(state, side)| {
        let (outputs, size) = (side.cell.outputs()?, side.cell.size()?);
        let h = state.narrow(0, 0, n * outputs)?.reshape((n, outputs))?;
        Ok((h, state.narrow(0, n * outputs, n * size)?.reshape((n, size))?))
    });
    debug_assert_eq!(y.dims()[..2], [n, t]);
    Ok((y, finals.collect::<Result<_>>()?))
}

fn direction<T: Real>(
    input: &SequenceInput<'_>,
    side: &LstmSide<'_>,
    lengths: Option<&[usize]>,
) -> Result<Direction<T, LstmKernel<T>>> {
    let LstmSide { cell, h0, c0, reverse } = side;
    let (n, t, _) = input.dims()?;
    let plan = Arc::new(Plan::new((n, t), SequenceParams { reverse: *reverse, lengths }));
    let (x, tokens) = plan.tokens(input)?;
    let input = match &cell.norm {
        None => Input::project(&plan, &x, tokens, cell.w_ih, cell.bias)?,
        Some(norm) => {
            // A table's rows are normalised like steps, once each.
            let rows = x.reshape((1, (), x.dim(candle_core::D::Minus1)?))?;
            let gates = norm.ih.apply(&rows::input_gates(&rows, cell.w_ih, cell.bias)?)?;
            let shape = if tokens.is_some() { vec![x.dim(0)?] } else { vec![n, t] };
            let gates = gates.reshape([shape, vec![4 * cell.size()?]].concat())?;
            Input::given(&plan, &gates, tokens)?
        }
    };
    let mut small = vec![h0.flatten_all()?, c0.flatten_all()?];
    small.extend(cell.w_hr.map(Tensor::flatten_all).transpose()?);
    if let Some(norm) = &cell.norm {
        small.extend([norm.hh.weight, norm.hh.bias, norm.c.weight, norm.c.bias].map(Clone::clone));
    }
    let kernel = LstmKernel {
        size: cell.size()?,
        outputs: cell.outputs()?,
        projected: cell.w_hr.is_some(),
        normed: cell.norm.is_some(),
        kept: cell.zoneout.map(|zoneout| Kept::new(&plan, &zoneout)).transpose()?,
    };
    let w_hh = cell.w_hh.clone();
    Ok(Direction { plan, cell: kernel, input, w_hh, small: Tensor::cat(&small, 0)? })
}

/// Which LSTM it is.
#[derive(Debug)]
struct LstmKernel<T> {
    /// Features H of the cell state.
    size: usize,
    /// Features P of an output.
    outputs: usize,
    projected: bool,
    normed: bool,
    kept: Option<Kept<T>>,
}

/// Zoneout, packed.
#[derive(Debug)]
struct Kept<T> {
    /// (steps, P)
    h: Vec<T>,
    /// (steps, H)
    c: Vec<T>,
}

impl<T: Real> Kept<T> {
    fn new(plan: &Plan, zoneout: &Zoneout<'_>) -> Result<Self> {
        let pack = |t: &Tensor| {
            let width = t.dim(2)?;
            with_slice(t, |t| Ok(plan.pack(t, width, 0..width).into_owned()))
        };
        Ok(Self { h: pack(zoneout.h)?, c: pack(zoneout.c)? })
    }
}

/// What the forward pass leaves for the backward pass.
struct Saved<T> {
    /// i, f, g, o after their activations (steps, 4H).
    gates: Vec<T>,
    /// c after every step (steps, H).
    cells: Vec<T>,
    /// The state's share of the gates, normalised (steps, 4H), and what it was multiplied with for that (steps). Empty
    /// without layer normalisation.
    normalised: Vec<T>,
    scales: Vec<T>,
}

/// What travels in one tensor. What is missing is empty.
struct Small<'a, T> {
    h0: &'a [T],
    c0: &'a [T],
    w_hr: &'a [T],
    hh: Affine<'a, T>,
    c: Affine<'a, T>,
}

/// Gain and shift of a layer normalisation.
#[derive(Clone, Copy)]
struct Affine<'a, T> {
    gain: &'a [T],
    shift: &'a [T],
}

impl<T: Real> LstmKernel<T> {
    const EPS: f64 = NORM_EPS;

    fn small<'a>(&self, n: usize, mut small: &'a [T]) -> Small<'a, T> {
        let (h, p) = (self.size, self.outputs);
        let mut take = |size: usize| {
            let (part, rest) = small.split_at(size);
            small = rest;
            part
        };
        let norm = |size: usize| if self.normed { size } else { 0 };
        Small {
            h0: take(n * p),
            c0: take(n * h),
            w_hr: take(if self.projected { p * h } else { 0 }),
            hh: Affine { gain: take(norm(4 * h)), shift: take(norm(4 * h)) },
            c: Affine { gain: take(norm(h)), shift: take(norm(h)) },
        }
    }

    /// Whether h' and h are the same thing, so that one buffer does for both.
    fn plain(&self) -> bool {
        !self.projected && self.kept.is_none()
    }
}

impl<T: Real> Cell<T> for LstmKernel<T> {
    const NAME: &'static str = "lstm_sequence";
    type Saved = Saved<T>;

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn state(&self) -> usize {
        self.outputs + self.size
    }

    fn forward(
        &self,
        plan: &Plan,
        start: Start<T>,
        weights: Weights<'_, T>,
        state: &mut [T],
    ) -> (Vec<T>, Saved<T>) {
        forward::forward(self, plan, start, weights, state)
    }

    fn backward(
        &self,
        plan: &Plan,
        saved: &Saved<T>,
        weights: Weights<'_, T>,
        y: [&[T]; 2],
        d_state: Vec<T>,
        wants_w_hh: bool,
    ) -> Gradients<T> {
        backward::backward(self, plan, saved, weights, y, d_state, wants_w_hh)
    }
}
