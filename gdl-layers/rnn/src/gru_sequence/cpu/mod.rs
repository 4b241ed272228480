//! The GRU's kernels.

mod backward;
mod forward;

pub(crate) use forward::{mix, open_gates, reset};

use super::{GruReset, GruSide};
use crate::cpu::input::{Input, Start};
use crate::cpu::plan::Plan;
use crate::cpu::recurrence::{Cell, Direction, Gradients, Weights, run};
use crate::cpu::simd::Real;
use crate::rows::{SequenceInput, SequenceParams};
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// The directions of a layer with backpropagation through time written out. Shapes are not checked.
pub(super) fn gru_layer<T: Real>(
    input: &SequenceInput<'_>,
    sides: &[GruSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let directions =
        sides.iter().map(|side| direction::<T>(input, side, lengths)).collect::<Result<Vec<_>>>()?;
    let (y, finals) = run(directions)?;
    let finals = finals.into_iter().zip(sides).map(|(h, side)| h.reshape(side.h0.shape()));
    Ok((y, finals.collect::<Result<_>>()?))
}

fn direction<T: Real>(
    input: &SequenceInput<'_>,
    side: &GruSide<'_>,
    lengths: Option<&[usize]>,
) -> Result<Direction<T, GruKernel>> {
    let GruSide { w_ih, w_hh, bias, reset, h0, reverse } = side;
    let (n, t, _) = input.dims()?;
    let plan = Arc::new(Plan::new((n, t), SequenceParams { reverse: *reverse, lengths }));
    let (x, tokens) = plan.tokens(input)?;
    let input = Input::project(&plan, &x, tokens, w_ih, bias.as_ref())?;
    let (after, b_hn) = match reset {
        GruReset::Before => (false, None),
        GruReset::After(b_hn) => (true, *b_hn),
    };
    let mut small = vec![h0.flatten_all()?];
    small.extend(b_hn.cloned());
    let cell = GruKernel { size: w_hh.dim(1)?, after, b_hn: b_hn.is_some() };
    Ok(Direction { plan, cell, input, w_hh: (*w_hh).clone(), small: Tensor::cat(&small, 0)? })
}

/// Which of the two GRUs.
#[derive(Debug)]
struct GruKernel {
    /// Features H.
    size: usize,
    /// Whether the reset gate comes after the recurrent product.
    after: bool,
    /// Whether that product has a bias of its own.
    b_hn: bool,
}

struct Saved<T> {
    /// r, z, n after their activations (steps, 3H).
    gates: Vec<T>,
    /// h W_hn^T + b_hn, which the reset gate scales, if it comes after (steps, H).
    scaled: Vec<T>,
}

impl<T: Real> Cell<T> for GruKernel {
    const NAME: &'static str = "gru_sequence";
    type Saved = Saved<T>;

    fn outputs(&self) -> usize {
        self.size
    }

    fn state(&self) -> usize {
        self.size
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
