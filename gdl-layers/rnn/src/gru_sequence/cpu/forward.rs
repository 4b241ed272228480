use super::{GruKernel, Saved};
use crate::cpu::activation::{sigmoid, tanh};
use crate::cpu::input::{Start, Table};
use crate::cpu::packed::Packed;
use crate::cpu::plan::{Plan, split_rows};
use crate::cpu::recurrence::Weights;
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::add;
use gdl_kernels::par;
use std::ops::Range;

/// Outputs (steps, H). In `state` stands h0 at first, and the final h in the end.
pub(super) fn forward<T: Real>(
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
