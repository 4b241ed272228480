//! A recurrent layer over a whole sequence, in one direction or both, as one operator of the graph.

use super::input::{Gates, Input, Start};
use super::lock;
use super::plan::Plan;
use super::simd::Real;
use super::slices::{append, slices};
use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::{par, view};
use std::sync::{Arc, Mutex};

/// The weights of one direction: the recurrent matrix, and everything small in a row, the initial state first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights<'a, T> {
    pub(crate) w_hh: &'a [T],
    pub(crate) small: &'a [T],
}

/// What the backward pass of one direction computes.
#[derive(Debug)]
pub(crate) struct Gradients<T> {
    /// Of the packed gates (steps, G), before their activations.
    pub(crate) gates: Vec<T>,
    /// Of the recurrent matrix, if it was asked for.
    pub(crate) w_hh: Option<Vec<T>>,
    /// Of everything small.
    pub(crate) small: Vec<T>,
}

/// A recurrent cell, and how it runs over the steps of a batch in one direction. Sequences are packed.
pub(crate) trait Cell<T: Real>: Send + Sync + 'static {
    /// The operator's name in errors.
    const NAME: &'static str;
    /// What the forward pass leaves for the backward pass.
    type Saved: Send + Sync + 'static;

    /// Features of an output P.
    fn outputs(&self) -> usize;
    /// Features of a row's state.
    fn state(&self) -> usize;
    /// Outputs (steps, P). In `state` stands the initial state at first, and the final one in the end.
    fn forward(
        &self,
        plan: &Plan,
        start: Start<T>,
        weights: Weights<'_, T>,
        state: &mut [T],
    ) -> (Vec<T>, Self::Saved);
    /// `y` and its gradient are (steps, P). In `d_state` stands the gradient of the final state.
    fn backward(
        &self,
        plan: &Plan,
        saved: &Self::Saved,
        weights: Weights<'_, T>,
        y: [&[T]; 2],
        d_state: Vec<T>,
        wants_w_hh: bool,
    ) -> Gradients<T>;
}

/// One direction of a layer.
pub(crate) struct Direction<T, C> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) cell: C,
    pub(crate) input: Input<T>,
    pub(crate) w_hh: Tensor,
    /// The initial state, and whatever else the cell has, in a row.
    pub(crate) small: Tensor,
}

/// Runs the directions of a layer side by side. Returns (N, T, directions * P), and each final state in a row.
pub(crate) fn run<T: Real, C: Cell<T>>(directions: Vec<Direction<T, C>>) -> Result<(Tensor, Vec<Tensor>)> {
    let join = |parts: Vec<&Tensor>| match parts.as_slice() {
        [one] => Ok((*one).clone()),
        parts => Tensor::cat(parts, 0),
    };
    let thread = join(directions.iter().map(|d| &d.input.thread).collect())?;
    let w_hh = join(directions.iter().map(|d| &d.w_hh).collect())?;
    let small = join(directions.iter().map(|d| &d.small).collect())?;
    let tracked = thread.track_op() || w_hh.track_op() || small.track_op();
    let device = w_hh.device().clone();
    let ends = Arc::new(Ends::default());
    let sides: Vec<_> = directions
        .into_iter()
        .map(|d| Side { plan: d.plan, cell: d.cell, gates: d.input.gates, saved: Mutex::new(None) })
        .collect();
    let sizes: Vec<_> = sides.iter().map(|side| side.plan.n * side.cell.state()).collect();
    let y = thread.apply_op3(&w_hh, &small, Recurrence { sides, tracked, ends: ends.clone() })?;
    let finals = match tracked {
        true => y.apply_op1(TakeEnds { ends })?,
        false => Tensor::from_vec(lock(&ends.values).clone(), sizes.iter().sum::<usize>(), &device)?,
    };
    let mut from = 0;
    let finals = sizes.into_iter().map(|size| {
        from += size;
        finals.narrow(0, from - size, size)
    });
    let finals = finals.collect::<Result<_>>()?;
    Ok((y, finals))
}

/// The final states of all directions, and their gradient if they have one. They stand beside the outputs, not in one
/// tensor with them, because taking a part of a tensor costs its gradient three passes over the whole.
#[derive(Debug)]
struct Ends<T> {
    values: Mutex<Vec<T>>,
    gradient: Mutex<Option<Vec<T>>>,
}

impl<T> Default for Ends<T> {
    fn default() -> Self {
        Self { values: Mutex::default(), gradient: Mutex::default() }
    }
}

struct Side<T, C: Cell<T>>
where
    T: Real,
{
    plan: Arc<Plan>,
    cell: C,
    gates: Arc<Gates<T>>,
    saved: Mutex<Option<C::Saved>>,
}

struct Recurrence<T: Real, C: Cell<T>> {
    sides: Vec<Side<T, C>>,
    tracked: bool,
    ends: Arc<Ends<T>>,
}

impl<T: Real, C: Cell<T>> Recurrence<T, C> {
    fn weights<'a>(&self, side: usize, w_hh: &'a [T], small: &'a [T]) -> Weights<'a, T> {
        let part = |all: &'a [T]| {
            let size = all.len() / self.sides.len();
            &all[side * size..(side + 1) * size]
        };
        Weights { w_hh: part(w_hh), small: part(small) }
    }

    fn forward(&self, w_hh: &[T], small: &[T]) -> Result<(CpuStorage, Shape)> {
        let done = par::map(self.sides.len(), |k| -> Result<_> {
            let side = &self.sides[k];
            let start = side.gates.take_start().map_err(|e| e.context(C::NAME))?;
            let weights = self.weights(k, w_hh, small);
            let mut state = weights.small[..side.plan.n * side.cell.state()].to_vec();
            let (y, saved) = side.cell.forward(&side.plan, start, weights, &mut state);
            if self.tracked {
                *lock(&side.saved) = Some(saved);
            }
            Ok((y, state))
        });
        let (ys, states): (Vec<_>, Vec<_>) =
            done.into_iter().collect::<Result<Vec<_>>>()?.into_iter().unzip();
        *lock(&self.ends.values) = states.concat();
        let plan = &self.sides[0].plan;
        let shape = Shape::from((plan.n, plan.t, self.outputs()));
        Ok((T::to_cpu_storage_owned(plan.unpack(ys)), shape))
    }

    fn outputs(&self) -> usize {
        self.sides.iter().map(|side| side.cell.outputs()).sum()
    }
}

impl<T: Real, C: Cell<T>> CustomOp3 for Recurrence<T, C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        w_hh: &CpuStorage,
        w_layout: &Layout,
        small: &CpuStorage,
        small_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let w_hh = view::contiguous::<T>(w_hh, w_layout)?;
        let small = view::contiguous::<T>(small, small_layout)?;
        par::inside(|| self.forward(&w_hh, &small))
    }

    fn bwd(
        &self,
        thread: &Tensor,
        w_hh: &Tensor,
        small: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ends = lock(&self.ends.gradient).take();
        let stride = self.outputs();
        let done = slices(&[w_hh, small, y, grad], |list| {
            let &[w, s, y, grad] = list else { bail!("{}: expected four tensors", C::NAME) };
            let side = |k: usize| -> Result<_> {
                let side = &self.sides[k];
                let saved = lock(&side.saved);
                let Some(saved) = saved.as_ref() else {
                    bail!("{}: backward without what the forward pass should have saved", C::NAME)
                };
                let (outputs, size) = (side.cell.outputs(), side.plan.n * side.cell.state());
                let [y, grad] =
                    [y, grad].map(|all| side.plan.pack(all, stride, k * outputs..(k + 1) * outputs));
                let d_state =
                    ends.as_ref().map_or_else(|| vec![T::ZERO; size], |e| e[k * size..][..size].to_vec());
                let weights = self.weights(k, w, s);
                Ok(side.cell.backward(&side.plan, saved, weights, [&y, &grad], d_state, w_hh.track_op()))
            };
            par::inside(|| par::map(self.sides.len(), side)).into_iter().collect::<Result<Vec<_>>>()
        })?;
        let (mut d_w_hh, mut d_small) = (Vec::new(), Vec::new());
        for (side, gradients) in self.sides.iter().zip(done) {
            if thread.track_op() {
                side.gates.put_gradient(gradients.gates);
            }
            append(&mut d_small, gradients.small);
            append(&mut d_w_hh, gradients.w_hh.unwrap_or_default());
        }
        let tensor = |wanted: bool, values, like: &Tensor| {
            wanted.then(|| Tensor::from_vec(values, like.shape(), like.device())).transpose()
        };
        Ok((
            thread.track_op().then(|| thread.zeros_like()).transpose()?,
            tensor(w_hh.track_op(), d_w_hh, w_hh)?,
            tensor(small.track_op(), d_small, small)?,
        ))
    }
}

/// From the outputs to the final states, which the same operator computed.
struct TakeEnds<T> {
    ends: Arc<Ends<T>>,
}

impl<T: Real> CustomOp1 for TakeEnds<T> {
    fn name(&self) -> &'static str {
        "final_state"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = lock(&self.ends.values).clone();
        let len = values.len();
        Ok((T::to_cpu_storage_owned(values), Shape::from(len)))
    }

    fn bwd(&self, y: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        *lock(&self.ends.gradient) = Some(super::slices::with_slice(grad, |grad| Ok(grad.to_vec()))?);
        // Nothing for the outputs themselves, but the pass has to go on to what they came from.
        y.zeros_like().map(Some)
    }
}
