use super::{GruReset, GruSide};
use crate::cpu::activation::{sigmoid, tanh};
use crate::cpu::input::{Input, Start, Table};
use crate::cpu::packed::Packed;
use crate::cpu::plan::{Plan, split_rows};
use crate::cpu::recurrence::{Cell, Direction, Gradients, Weights, run};
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::{add, column_sums};
use crate::rows::{SequenceInput, SequenceParams};
use candle_core::{Result, Tensor};
use gdl_kernels::gemm::{Mat, Threads, gemm};
use gdl_kernels::par;
use std::ops::Range;
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
        forward(self, plan, start, weights, state)
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
        backward(self, plan, saved, weights, y, d_state, wants_w_hh)
    }
}

/// Outputs (steps, H). In `state` stands h0 at first, and the final h in the end.
fn forward<T: Real>(
    kernel: &GruKernel,
    plan: &Plan,
    start: Start<T>,
    weights: Weights<'_, T>,
    state: &mut [T],
) -> (Vec<T>, Saved<T>) {
    let (h, steps) = (kernel.size, plan.steps());
    let (mut gates, bias, table) = start.gates(steps, 3 * h);
    let scaled_width = if kernel.after { h } else { 0 };
    let mut scaled = par::zeros(steps * scaled_width);
    let mut y = par::zeros(steps * h);
    let isa = Isa::best();
    let shared = Shared {
        plan,
        after: kernel.after,
        w_rz: Packed::new(weights.w_hh, (h, 2 * h), (1, h), isa),
        w_n: Packed::new(&weights.w_hh[2 * h * h..], (h, h), (1, h), isa),
        bias: &bias,
        table: &table,
        b_hn: &weights.small[plan.n * h..],
    };
    let pieces = plan.pieces();
    let mut jobs: Vec<_> = pieces
        .iter()
        .zip(plan.split(&mut gates, 3 * h, &pieces))
        .zip(plan.split(&mut scaled, scaled_width, &pieces))
        .zip(plan.split(&mut y, h, &pieces).into_iter().zip(split_rows(state, h, &pieces)))
        .map(|(((rows, gates), scaled), (y, state))| Forward {
            shared: &shared,
            rows: rows.clone(),
            gates,
            scaled,
            y,
            state,
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| isa.run(&mut job[0]));
    (y, Saved { gates, scaled })
}

struct Shared<'a, T> {
    plan: &'a Plan,
    after: bool,
    w_rz: Packed<T>,
    w_n: Packed<T>,
    bias: &'a [T],
    table: &'a Table<T>,
    b_hn: &'a [T],
}

/// The steps of some rows. In `gates` stands the input's share at first; in `state` h0.
struct Forward<'a, T> {
    shared: &'a Shared<'a, T>,
    rows: Range<usize>,
    gates: &'a mut [T],
    /// Empty if the reset gate comes before.
    scaled: &'a mut [T],
    y: &'a mut [T],
    state: &'a mut [T],
}

impl<T: Real> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let Shared { plan, after, w_rz, w_n, bias, table, b_hn } = self.shared;
        let (h, after) = (self.state.len() / self.rows.len(), *after);
        let first = plan.steps_of(&self.rows).start;
        let order = plan.order(self.rows.clone());
        let (rz_columns, n_columns) = (w_rz.columns(), w_n.columns());
        let mut rz_product = vec![T::ZERO; order.len() * rz_columns];
        let mut n_product = vec![T::ZERO; order.len() * n_columns];
        let mut state: Vec<T> =
            order.iter().flat_map(|row| &self.state[(row - self.rows.start) * h..][..h]).copied().collect();
        let mut reset_state = vec![T::ZERO; if after { 0 } else { state.len() }];
        for s in 0..plan.t {
            let running = plan.running(&order, s);
            if running == 0 {
                break;
            }
            // SAFETY: the job runs with the kind of vectors that the weights were packed for.
            unsafe { w_rz.multiply::<S>(&state, running, &mut rz_product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                let gates = &mut self.gates[(plan.at(row, s) - first) * 3 * h..][..3 * h];
                table.fill(plan.at(row, s), gates);
                open_gates::<T, S>(gates, &rz_product[slot * rz_columns..], bias);
                if !after {
                    reset::<T>(gates, &state[slot * h..][..h], &mut reset_state[slot * h..][..h]);
                }
            }
            let left = if after { &state } else { &reset_state };
            // SAFETY: as above.
            unsafe { w_n.multiply::<S>(left, running, &mut n_product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                let at = plan.at(row, s) - first;
                let product = &mut n_product[slot * n_columns..][..h];
                let gates = &mut self.gates[at * 3 * h..][..3 * h];
                if after {
                    add(product, b_hn);
                    self.scaled[at * h..][..h].copy_from_slice(product);
                }
                let state = &mut state[slot * h..][..h];
                mix::<T, S>(gates, product, after, state);
                self.y[at * h..][..h].copy_from_slice(state);
            }
        }
        for (slot, row) in order.iter().enumerate() {
            self.state[(row - self.rows.start) * h..][..h].copy_from_slice(&state[slot * h..][..h]);
        }
    }
}

/// r and z of one row, one step. In `gates` stands the input's share, in `product` that of the state in r and z.
#[inline(always)]
pub(crate) fn open_gates<T: Real, S: Simd<T>>(gates: &mut [T], product: &[T], bias: &[T]) {
    let h = gates.len() / 3;
    add(gates, bias);
    add(&mut gates[..2 * h], product);
    gates[..2 * h].iter_mut().for_each(|x| *x = sigmoid::<T, S>(*x));
}

/// r h, what W_hn is multiplied with if the reset gate comes before.
#[inline(always)]
pub(crate) fn reset<T: Real>(gates: &[T], state: &[T], out: &mut [T]) {
    let (gates, state) = (&gates[..out.len()], &state[..out.len()]);
    for j in 0..out.len() {
        out[j] = gates[j] * state[j];
    }
}

/// n of one row, one step, and the state after it. In `product` stands what W_hn gave, with its bias.
#[inline(always)]
pub(crate) fn mix<T: Real, S: Simd<T>>(gates: &mut [T], product: &[T], after: bool, state: &mut [T]) {
    let h = state.len();
    let (rz, n) = gates.split_at_mut(2 * h);
    let (n, product) = (&mut n[..h], &product[..h]);
    if after {
        for j in 0..h {
            n[j] = S::madd(rz[j], product[j], n[j]);
        }
    } else {
        add(n, product);
    }
    n.iter_mut().for_each(|x| *x = tanh::<T, S>(*x));
    let z = &rz[h..2 * h];
    for j in 0..h {
        state[j] = S::madd(z[j], state[j] - n[j], n[j]);
    }
}

/// `y` and its gradient are (steps, H). In `d_state` stands the gradient of the final h.
fn backward<T: Real>(
    kernel: &GruKernel,
    plan: &Plan,
    saved: &Saved<T>,
    weights: Weights<'_, T>,
    [y, grad_y]: [&[T]; 2],
    mut d_state: Vec<T>,
    wants_w_hh: bool,
) -> Gradients<T> {
    let (h, steps) = (kernel.size, plan.steps());
    let before = plan.before(y, weights.small, h);
    let mut d_gates = par::zeros(steps * 3 * h);
    let scaled_width = if kernel.after { h } else { 0 };
    let mut d_scaled = par::zeros(steps * scaled_width);
    let isa = Isa::best();
    let shared = SharedBack {
        plan,
        saved,
        before: &before,
        grad_y,
        after: kernel.after,
        w_rz: Packed::new(weights.w_hh, (2 * h, h), (h, 1), isa),
        w_n: Packed::new(&weights.w_hh[2 * h * h..], (h, h), (h, 1), isa),
    };
    let pieces = plan.pieces();
    let mut jobs: Vec<_> = pieces
        .iter()
        .zip(plan.split(&mut d_gates, 3 * h, &pieces))
        .zip(plan.split(&mut d_scaled, scaled_width, &pieces))
        .zip(split_rows(&mut d_state, h, &pieces))
        .map(|(((rows, d_gates), d_scaled), d_state)| Backward {
            shared: &shared,
            rows: rows.clone(),
            d_gates,
            d_scaled,
            d_state,
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| isa.run(&mut job[0]));
    if kernel.b_hn {
        d_state.extend(column_sums(&d_scaled, h));
    }
    let w_hh = wants_w_hh.then(|| recurrent_gradient(kernel, saved, before, &d_gates, &d_scaled));
    Gradients { gates: d_gates, w_hh, small: d_state }
}

/// The gradient of the recurrent matrix, from the states before the steps and the gradients of the gates.
fn recurrent_gradient<T: Real>(
    kernel: &GruKernel,
    saved: &Saved<T>,
    before: Vec<T>,
    d_gates: &[T],
    d_scaled: &[T],
) -> Vec<T> {
    let h = kernel.size;
    let steps = before.len() / h;
    let mut out = par::zeros(3 * h * h);
    let (rz, n) = out.split_at_mut(2 * h * h);
    let d_rz = Mat::strided(d_gates, steps, 2 * h, 3 * h, 1);
    gemm(d_rz.t(), Mat::new(&before, steps, h), rz, h, false, Threads::All);
    if kernel.after {
        gemm(Mat::new(d_scaled, steps, h).t(), Mat::new(&before, steps, h), n, h, false, Threads::All);
    } else {
        let mut reset = before;
        for (reset, gates) in reset.chunks_exact_mut(h).zip(saved.gates.chunks_exact(3 * h)) {
            reset.iter_mut().zip(gates).for_each(|(h, &r)| *h *= r);
        }
        let d_n = Mat::strided(&d_gates[2 * h..], steps, h, 3 * h, 1);
        gemm(d_n.t(), Mat::new(&reset, steps, h), n, h, false, Threads::All);
    }
    out
}

struct SharedBack<'a, T> {
    plan: &'a Plan,
    saved: &'a Saved<T>,
    before: &'a [T],
    grad_y: &'a [T],
    after: bool,
    w_rz: Packed<T>,
    w_n: Packed<T>,
}

/// The steps of some rows backwards. In `d_state` stands the gradient of the final h at first, and that of h0 in the
/// end.
struct Backward<'a, T> {
    shared: &'a SharedBack<'a, T>,
    rows: Range<usize>,
    d_gates: &'a mut [T],
    /// Empty if the reset gate comes before.
    d_scaled: &'a mut [T],
    d_state: &'a mut [T],
}

impl<T: Real> Job<T> for Backward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let SharedBack { plan, saved, before, grad_y, after, w_rz, w_n } = self.shared;
        let (h, after) = (self.d_state.len() / self.rows.len(), *after);
        let first = plan.steps_of(&self.rows).start;
        let order = plan.order(self.rows.clone());
        let columns = w_n.columns();
        let mut product = vec![T::ZERO; order.len() * columns];
        // The gradient of what W_hn was multiplied with, and those of r and z, ordered like the rows.
        let mut d_n = vec![T::ZERO; order.len() * h];
        let mut d_rz = vec![T::ZERO; order.len() * 2 * h];
        for s in (0..plan.t).rev() {
            let running = plan.running(&order, s);
            let at = |row: usize| plan.at(row, s);
            for (slot, &row) in order[..running].iter().enumerate() {
                let (gates, before) = (&saved.gates[at(row) * 3 * h..], &before[at(row) * h..][..h]);
                let (r, z, n) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h]);
                let d_state = &mut self.d_state[(row - self.rows.start) * h..][..h];
                add(d_state, &grad_y[at(row) * h..][..h]);
                let (d_r, d_z) = d_rz[slot * 2 * h..][..2 * h].split_at_mut(h);
                let d_n = &mut d_n[slot * h..][..h];
                for j in 0..h {
                    d_z[j] = d_state[j] * (before[j] - n[j]) * (z[j] * (T::ONE - z[j]));
                }
                for j in 0..h {
                    d_n[j] = d_state[j] * (T::ONE - z[j]) * (T::ONE - n[j] * n[j]);
                }
                for j in 0..h {
                    d_state[j] *= z[j];
                }
                let own = at(row) - first;
                self.d_gates[own * 3 * h + 2 * h..][..h].copy_from_slice(d_n);
                if after {
                    let scaled = &saved.scaled[at(row) * h..][..h];
                    for j in 0..h {
                        d_r[j] = d_n[j] * scaled[j] * (r[j] * (T::ONE - r[j]));
                    }
                    d_n.iter_mut().zip(r).for_each(|(d, &r)| *d *= r);
                    self.d_scaled[own * h..][..h].copy_from_slice(d_n);
                }
            }
            // SAFETY: the job runs with the kind of vectors that the weights were packed for.
            unsafe { w_n.multiply::<S>(&d_n, running, &mut product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                let product = &product[slot * columns..][..h];
                let d_state = &mut self.d_state[(row - self.rows.start) * h..][..h];
                let d_rz = &mut d_rz[slot * 2 * h..][..2 * h];
                if after {
                    add(d_state, product);
                } else {
                    let (r, before) = (&saved.gates[at(row) * 3 * h..][..h], &before[at(row) * h..][..h]);
                    for j in 0..h {
                        d_rz[j] = product[j] * before[j] * (r[j] * (T::ONE - r[j]));
                    }
                    for j in 0..h {
                        d_state[j] += product[j] * r[j];
                    }
                }
                let own = at(row) - first;
                self.d_gates[own * 3 * h..][..2 * h].copy_from_slice(d_rz);
            }
            // SAFETY: as above.
            unsafe { w_rz.multiply::<S>(&d_rz, running, &mut product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                add(&mut self.d_state[(row - self.rows.start) * h..][..h], &product[slot * columns..]);
            }
        }
    }
}
