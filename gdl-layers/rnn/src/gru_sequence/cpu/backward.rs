use super::{GruKernel, Saved};
use crate::cpu::packed::Packed;
use crate::cpu::plan::{Plan, split_rows};
use crate::cpu::recurrence::{Gradients, Weights};
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::{add, column_sums};
use gdl_kernels::gemm::{Mat, Threads, gemm};
use gdl_kernels::par;
use std::ops::Range;

/// `y` and its gradient are (steps, H). In `d_state` stands the gradient of the final h.
pub(super) fn backward<T: Real>(
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
    let shared = Shared {
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

struct Shared<'a, T> {
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
    shared: &'a Shared<'a, T>,
    rows: Range<usize>,
    d_gates: &'a mut [T],
    /// Empty if the reset gate comes before.
    d_scaled: &'a mut [T],
    d_state: &'a mut [T],
}

impl<T: Real> Job<T> for Backward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let Shared { plan, saved, before, grad_y, after, w_rz, w_n } = self.shared;
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
