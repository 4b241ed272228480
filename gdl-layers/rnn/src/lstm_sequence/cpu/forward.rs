use super::{Affine, LstmKernel, Saved};
use crate::cpu::activation::{sigmoid, tanh};
use crate::cpu::input::{Start, Table};
use crate::cpu::norm::normalise;
use crate::cpu::packed::Packed;
use crate::cpu::plan::{Plan, split_rows};
use crate::cpu::recurrence::Weights;
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::add;
use gdl_kernels::par;
use std::ops::Range;

/// Outputs (steps, P). In `state` stand h0 and c0 at first, and the final h and c in the end.
pub(super) fn forward<T: Real>(
    kernel: &LstmKernel<T>,
    plan: &Plan,
    start: Start<T>,
    weights: Weights<'_, T>,
    state: &mut [T],
) -> (Vec<T>, Saved<T>) {
    let (h, p, steps) = (kernel.size, kernel.outputs, plan.steps());
    let (mut gates, bias, table) = start.gates(steps, 4 * h);
    let mut cells = par::zeros(steps * h);
    let mut y = par::zeros(steps * p);
    let mut normalised = par::zeros(if kernel.normed { steps * 4 * h } else { 0 });
    let mut scales = vec![T::ZERO; if kernel.normed { steps } else { 0 }];
    let small = kernel.small(plan.n, weights.small);
    let isa = Isa::best();
    let shared = Shared {
        kernel,
        plan,
        recurrent: Packed::new(weights.w_hh, (p, 4 * h), (1, p), isa),
        projection: kernel.projected.then(|| Packed::new(small.w_hr, (h, p), (1, h), isa)),
        bias: &bias,
        table: &table,
        hh: small.hh,
        c: small.c,
    };
    let pieces = plan.pieces();
    let (state, cell) = state.split_at_mut(plan.n * p);
    let norm = |width: usize| if kernel.normed { width } else { 0 };
    let mut jobs: Vec<_> = pieces
        .iter()
        .zip(plan.split(&mut gates, 4 * h, &pieces))
        .zip(plan.split(&mut cells, h, &pieces).into_iter().zip(plan.split(&mut y, p, &pieces)))
        .zip(plan.split(&mut normalised, norm(4 * h), &pieces).into_iter().zip(plan.split(
            &mut scales,
            norm(1),
            &pieces,
        )))
        .zip(split_rows(state, p, &pieces).into_iter().zip(split_rows(cell, h, &pieces)))
        .map(|((((rows, gates), (cells, y)), (normalised, scales)), (state, cell))| Forward {
            shared: &shared,
            rows: rows.clone(),
            gates,
            cells,
            y,
            normalised,
            scales,
            state,
            cell,
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| isa.run(&mut job[0]));
    (y, Saved { gates, cells, normalised, scales })
}

struct Shared<'a, T> {
    kernel: &'a LstmKernel<T>,
    plan: &'a Plan,
    recurrent: Packed<T>,
    projection: Option<Packed<T>>,
    bias: &'a [T],
    table: &'a Table<T>,
    hh: Affine<'a, T>,
    c: Affine<'a, T>,
}

/// The steps of some rows. In `gates` stands the input's share at first; in `state` and `cell` h0 and c0.
struct Forward<'a, T> {
    shared: &'a Shared<'a, T>,
    rows: Range<usize>,
    gates: &'a mut [T],
    cells: &'a mut [T],
    y: &'a mut [T],
    normalised: &'a mut [T],
    scales: &'a mut [T],
    state: &'a mut [T],
    cell: &'a mut [T],
}

impl<T: Real> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let Shared { kernel, plan, recurrent, projection, .. } = self.shared;
        let (h, p) = (kernel.size, kernel.outputs);
        let first = plan.steps_of(&self.rows).start;
        let order = plan.order(self.rows.clone());
        let columns = recurrent.columns();
        let mut product = vec![T::ZERO; order.len() * columns];
        let mut state: Vec<T> =
            order.iter().flat_map(|row| &self.state[(row - self.rows.start) * p..][..p]).copied().collect();
        // h' before projection and zoneout, where there is such a thing.
        let mut hidden = vec![T::ZERO; if kernel.plain() { 0 } else { order.len() * h }];
        let mut projected = vec![T::ZERO; projection.as_ref().map_or(0, |w| order.len() * w.columns())];
        let mut scratch = vec![T::ZERO; h];
        for s in 0..plan.t {
            let running = plan.running(&order, s);
            if running == 0 {
                break;
            }
            // SAFETY: the job runs with the kind of vectors that the weights were packed for.
            unsafe { recurrent.multiply::<S>(&state, running, &mut product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                let out = if kernel.plain() { &mut state } else { &mut hidden };
                self.cell_step::<S>(
                    (row, plan.at(row, s)),
                    &mut product[slot * columns..][..4 * h],
                    &mut out[slot * h..][..h],
                    &mut scratch,
                );
            }
            if let Some(w) = projection {
                // SAFETY: as above.
                unsafe { w.multiply::<S>(&hidden, running, &mut projected) };
            }
            for (slot, &row) in order[..running].iter().enumerate() {
                let at = plan.at(row, s);
                let state = &mut state[slot * p..][..p];
                if !kernel.plain() {
                    let new = match projection {
                        Some(w) => &projected[slot * w.columns()..][..p],
                        None => &hidden[slot * h..][..p],
                    };
                    match &kernel.kept {
                        Some(kept) => blend::<T, S>(&kept.h[at * p..][..p], new, state),
                        None => state.copy_from_slice(new),
                    }
                }
                self.y[(at - first) * p..][..p].copy_from_slice(state);
            }
        }
        for (slot, row) in order.iter().enumerate() {
            self.state[(row - self.rows.start) * p..][..p].copy_from_slice(&state[slot * p..][..p]);
        }
    }
}

impl<T: Real> Forward<'_, T> {
    /// One row, one step, up to h' before its projection, which goes to `out`. In `product` stands the state's share
    /// of the gates.
    #[inline(always)]
    fn cell_step<S: Simd<T>>(
        &mut self,
        (row, at): (usize, usize),
        product: &mut [T],
        out: &mut [T],
        scratch: &mut [T],
    ) {
        let Shared { kernel, plan, bias, table, hh, c, .. } = self.shared;
        let h = kernel.size;
        let own = at - plan.steps_of(&self.rows).start;
        let gates = &mut self.gates[own * 4 * h..][..4 * h];
        table.fill(at, gates);
        if kernel.normed {
            self.scales[own] = normalise(product, T::from_f64(LstmKernel::<T>::EPS));
            self.normalised[own * 4 * h..][..4 * h].copy_from_slice(product);
            affine::<T, S>(product, hh);
        }
        let cell = &mut self.cell[(row - self.rows.start) * h..][..h];
        let kept = kernel.kept.as_ref().map(|kept| &kept.c[at * h..][..h]);
        if kept.is_none() && !kernel.normed {
            plain_step::<T, S>(gates, product, bias, cell, out);
        } else {
            activate::<T, S>(gates, product, bias);
            candidate::<T, S>([&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h]], cell, scratch);
            match kept {
                Some(kept) => blend::<T, S>(kept, scratch, cell),
                None => cell.copy_from_slice(scratch),
            }
            if kernel.normed {
                normalise(scratch, T::from_f64(LstmKernel::<T>::EPS));
                affine::<T, S>(scratch, c);
            }
            let o = &gates[3 * h..4 * h];
            for j in 0..h {
                out[j] = o[j] * tanh::<T, S>(scratch[j]);
            }
        }
        self.cells[own * h..][..h].copy_from_slice(cell);
    }
}

/// c' = f c + i g
#[inline(always)]
pub(super) fn candidate<T: Real, S: Simd<T>>([i, f, g]: [&[T]; 3], cell: &[T], out: &mut [T]) {
    let h = out.len();
    let (i, f, g, cell) = (&i[..h], &f[..h], &g[..h], &cell[..h]);
    for j in 0..h {
        out[j] = S::madd(f[j], cell[j], i[j] * g[j]);
    }
}

/// gain x + shift
#[inline(always)]
pub(super) fn affine<T: Real, S: Simd<T>>(x: &mut [T], by: &Affine<'_, T>) {
    let (gain, shift) = (&by.gain[..x.len()], &by.shift[..x.len()]);
    for j in 0..x.len() {
        x[j] = S::madd(x[j], gain[j], shift[j]);
    }
}

/// state = new + kept (state - new)
#[inline(always)]
fn blend<T: Real, S: Simd<T>>(kept: &[T], new: &[T], state: &mut [T]) {
    let (kept, new) = (&kept[..state.len()], &new[..state.len()]);
    for j in 0..state.len() {
        state[j] = S::madd(kept[j], state[j] - new[j], new[j]);
    }
}

/// Adds up the shares of the gates and applies their activations. Several short loops, each over few slices, are what
/// the compiler turns into vector code.
#[inline(always)]
fn activate<T: Real, S: Simd<T>>(gates: &mut [T], product: &[T], bias: &[T]) {
    let h = gates.len() / 4;
    add(gates, product);
    add(gates, bias);
    gates[..2 * h].iter_mut().for_each(|x| *x = sigmoid::<T, S>(*x));
    gates[2 * h..3 * h].iter_mut().for_each(|x| *x = tanh::<T, S>(*x));
    gates[3 * h..].iter_mut().for_each(|x| *x = sigmoid::<T, S>(*x));
}

/// One row, one step of a cell without options. In `gates` stands the input's share, in `product` the state's; `out`
/// becomes h.
#[inline(always)]
pub(crate) fn plain_step<T: Real, S: Simd<T>>(
    gates: &mut [T],
    product: &[T],
    bias: &[T],
    cell: &mut [T],
    out: &mut [T],
) {
    let h = cell.len();
    activate::<T, S>(gates, product, bias);
    let (i, f, g, o) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h], &gates[3 * h..4 * h]);
    let out = &mut out[..h];
    for j in 0..h {
        cell[j] = S::madd(f[j], cell[j], i[j] * g[j]);
    }
    for j in 0..h {
        out[j] = o[j] * tanh::<T, S>(cell[j]);
    }
}
