use super::forward::{affine, candidate};
use super::{LstmKernel, Saved, Small};
use crate::cpu::activation::tanh;
use crate::cpu::norm::{normalise, normalise_back};
use crate::cpu::packed::Packed;
use crate::cpu::plan::{Plan, split_rows};
use crate::cpu::recurrence::{Gradients, Weights};
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::{add, column_sums};
use gdl_kernels::gemm::{Mat, Threads, product};
use gdl_kernels::par;
use std::ops::Range;

/// `y` and its gradient are (steps, P). In `d_state` stand the gradients of the final h and c.
pub(super) fn backward<T: Real>(
    kernel: &LstmKernel<T>,
    plan: &Plan,
    saved: &Saved<T>,
    weights: Weights<'_, T>,
    [y, grad_y]: [&[T]; 2],
    mut d_state: Vec<T>,
    wants_w_hh: bool,
) -> Gradients<T> {
    let (n, h, p, steps) = (plan.n, kernel.size, kernel.outputs, plan.steps());
    let small = kernel.small(n, weights.small);
    let isa = Isa::best();
    let mut out = Buffers::new(kernel, plan);
    let shared = Shared {
        kernel,
        plan,
        saved,
        small: &small,
        grad_y,
        recurrent: Packed::new(weights.w_hh, (4 * h, p), (p, 1), isa),
        projection: kernel.projected.then(|| Packed::new(small.w_hr, (p, h), (h, 1), isa)),
    };
    let pieces = plan.pieces();
    let (d_h, d_c) = d_state.split_at_mut(n * p);
    let mut jobs: Vec<_> = out
        .split(kernel, plan, &pieces)
        .into_iter()
        .zip(split_rows(d_h, p, &pieces).into_iter().zip(split_rows(d_c, h, &pieces)))
        .zip(&pieces)
        .map(|((out, (d_state, d_cell)), rows)| Backward {
            shared: &shared,
            rows: rows.clone(),
            out,
            d_state,
            d_cell,
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| isa.run(&mut job[0]));

    if kernel.projected {
        let d_w_hr =
            product(Mat::new(&out.outputs, steps, p).t(), Mat::new(&out.hidden, steps, h), Threads::All);
        d_state.extend(d_w_hr);
    }
    if kernel.normed {
        let scaled: Vec<T> = out.gates.iter().zip(&saved.normalised).map(|(&d, &x)| d * x).collect();
        d_state.extend(column_sums(&scaled, 4 * h));
        d_state.extend(column_sums(&out.gates, 4 * h));
        d_state.extend(column_sums(&out.norm_c, 2 * h));
    }
    let w_hh = wants_w_hh.then(|| {
        let before = plan.before(y, small.h0, p);
        let d = if kernel.normed { &out.recurrent } else { &out.gates };
        product(Mat::new(d, steps, 4 * h).t(), Mat::new(&before, steps, p), Threads::All)
    });
    Gradients { gates: out.gates, w_hh, small: d_state }
}

/// What the steps leave for the sums over all of them. What the cell does not have is empty.
struct Buffers<T> {
    /// Gradients of the gates before their activations (steps, 4H).
    gates: Vec<T>,
    /// With layer normalisation: those of the state's share of the gates before it (steps, 4H).
    recurrent: Vec<T>,
    /// With layer normalisation: those of the cell's gain and shift, row by row (N, 2H).
    norm_c: Vec<T>,
    /// With a projection: what was projected (steps, H), and the gradients of what came of it (steps, P).
    hidden: Vec<T>,
    outputs: Vec<T>,
}

/// Those of some rows.
struct Out<'a, T> {
    gates: &'a mut [T],
    recurrent: &'a mut [T],
    norm_c: &'a mut [T],
    hidden: &'a mut [T],
    outputs: &'a mut [T],
}

impl<T: Real> Buffers<T> {
    fn new(kernel: &LstmKernel<T>, plan: &Plan) -> Self {
        let (h, p, steps) = (kernel.size, kernel.outputs, plan.steps());
        let zeros = |wanted: bool, size: usize| par::zeros(if wanted { size } else { 0 });
        Self {
            gates: zeros(true, steps * 4 * h),
            recurrent: zeros(kernel.normed, steps * 4 * h),
            norm_c: zeros(kernel.normed, plan.n * 2 * h),
            hidden: zeros(kernel.projected, steps * h),
            outputs: zeros(kernel.projected, steps * p),
        }
    }

    fn split(&mut self, kernel: &LstmKernel<T>, plan: &Plan, pieces: &[Range<usize>]) -> Vec<Out<'_, T>> {
        let (h, p) = (kernel.size, kernel.outputs);
        let norm = |width: usize| if kernel.normed { width } else { 0 };
        let projected = |width: usize| if kernel.projected { width } else { 0 };
        plan.split(&mut self.gates, 4 * h, pieces)
            .into_iter()
            .zip(plan.split(&mut self.recurrent, norm(4 * h), pieces))
            .zip(split_rows(&mut self.norm_c, norm(2 * h), pieces))
            .zip(plan.split(&mut self.hidden, projected(h), pieces))
            .zip(plan.split(&mut self.outputs, projected(p), pieces))
            .map(|((((gates, recurrent), norm_c), hidden), outputs)| Out {
                gates,
                recurrent,
                norm_c,
                hidden,
                outputs,
            })
            .collect()
    }
}

struct Shared<'a, T> {
    kernel: &'a LstmKernel<T>,
    plan: &'a Plan,
    saved: &'a Saved<T>,
    small: &'a Small<'a, T>,
    grad_y: &'a [T],
    recurrent: Packed<T>,
    projection: Option<Packed<T>>,
}

/// The steps of some rows backwards. In `d_state` and `d_cell` stand the gradients of the final h and c at first, and
/// those of h0 and c0 in the end.
struct Backward<'a, T> {
    shared: &'a Shared<'a, T>,
    rows: Range<usize>,
    out: Out<'a, T>,
    d_state: &'a mut [T],
    d_cell: &'a mut [T],
}

impl<T: Real> Job<T> for Backward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let Shared { kernel, plan, recurrent, projection, .. } = self.shared;
        let (h, p) = (kernel.size, kernel.outputs);
        let order = plan.order(self.rows.clone());
        let columns = recurrent.columns();
        let mut back = vec![T::ZERO; order.len() * columns];
        // The gradients of h' and of what it is projected from, ordered like the rows, like those of the gates.
        let mut d_outputs = vec![T::ZERO; order.len() * p];
        let mut d_hidden = vec![T::ZERO; projection.as_ref().map_or(0, |w| order.len() * w.columns())];
        let mut d_gates = vec![T::ZERO; order.len() * 4 * h];
        let mut scratch = Scratch::new(h);
        for s in (0..plan.t).rev() {
            let running = plan.running(&order, s);
            for (slot, &row) in order[..running].iter().enumerate() {
                self.output_step((row, plan.at(row, s)), &mut d_outputs[slot * p..][..p]);
            }
            if let Some(w) = projection {
                // SAFETY: the job runs with the kind of vectors that the weights were packed for.
                unsafe { w.multiply::<S>(&d_outputs, running, &mut d_hidden) };
            }
            for (slot, &row) in order[..running].iter().enumerate() {
                let d_hidden = match projection {
                    Some(w) => &d_hidden[slot * w.columns()..][..h],
                    None => &d_outputs[slot * p..][..h],
                };
                let d_gates = &mut d_gates[slot * 4 * h..][..4 * h];
                self.cell_step::<S>((row, s), d_hidden, d_gates, &mut scratch);
            }
            // SAFETY: as above.
            unsafe { recurrent.multiply::<S>(&d_gates, running, &mut back) };
            for (slot, row) in order[..running].iter().enumerate() {
                let d_state = &mut self.d_state[(row - self.rows.start) * p..][..p];
                let back = &back[slot * columns..][..p];
                if kernel.kept.is_some() { add(d_state, back) } else { d_state.copy_from_slice(back) }
            }
        }
    }
}

/// Room for one row.
struct Scratch<T> {
    c: Vec<T>,
    tanh: Vec<T>,
    d_c: Vec<T>,
    carry: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(h: usize) -> Self {
        let zeros = || vec![T::ZERO; h];
        Self { c: zeros(), tanh: zeros(), d_c: zeros(), carry: zeros() }
    }
}

impl<T: Real> Backward<'_, T> {
    /// One row, one step: the gradient of h' from that of h. With zoneout the rest stays in `d_state`.
    #[inline(always)]
    fn output_step(&mut self, (row, at): (usize, usize), d_output: &mut [T]) {
        let Shared { kernel, plan, grad_y, .. } = self.shared;
        let p = kernel.outputs;
        let d_state = &mut self.d_state[(row - self.rows.start) * p..][..p];
        add(d_state, &grad_y[at * p..][..p]);
        d_output.copy_from_slice(d_state);
        if let Some(kept) = &kernel.kept {
            let kept = &kept.h[at * p..][..p];
            for j in 0..p {
                d_output[j] *= T::ONE - kept[j];
            }
            for j in 0..p {
                d_state[j] *= kept[j];
            }
        }
        if kernel.projected {
            let own = at - plan.steps_of(&self.rows).start;
            self.out.outputs[own * p..][..p].copy_from_slice(d_output);
        }
    }

    /// One row, one step: from the gradients of h' before its projection, and of c, to those of the gates, of c before,
    /// and, in `d_gates`, of the state's share of the gates.
    #[inline(always)]
    fn cell_step<S: Simd<T>>(
        &mut self,
        (row, s): (usize, usize),
        d_hidden: &[T],
        d_gates: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let Shared { kernel, plan, saved, small, .. } = self.shared;
        let (h, at, own_row) = (kernel.size, plan.at(row, s), row - self.rows.start);
        let own = at - plan.steps_of(&self.rows).start;
        let gates = &saved.gates[at * 4 * h..][..4 * h];
        let before = match s {
            0 => &small.c0[row * h..][..h],
            _ => &saved.cells[plan.at(row, s - 1) * h..][..h],
        };
        let d_cell = &mut self.d_cell[own_row * h..][..h];
        let kept = kernel.kept.as_ref().map(|kept| &kept.c[at * h..][..h]);
        // c' stands among the saved where it is c.
        let apart = kept.is_some() || kernel.normed;
        if apart {
            candidate::<T, S>([&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h]], before, &mut scratch.c);
        }
        let scale = kernel.normed.then(|| normalise(&mut scratch.c, T::from_f64(LstmKernel::<T>::EPS)));
        scratch.tanh.copy_from_slice(if apart { &scratch.c } else { &saved.cells[at * h..][..h] });
        if kernel.normed {
            affine::<T, S>(&mut scratch.tanh, &small.c);
        }
        scratch.tanh.iter_mut().for_each(|x| *x = tanh::<T, S>(*x));
        output_back(&gates[3 * h..], &scratch.tanh, d_hidden, &mut d_gates[3 * h..], &mut scratch.d_c);
        if kernel.projected {
            let hidden = &mut self.out.hidden[own * h..][..h];
            let (o, tanh) = (&gates[3 * h..][..h], &scratch.tanh[..h]);
            for j in 0..h {
                hidden[j] = o[j] * tanh[j];
            }
        }
        if let Some(scale) = scale {
            let (gain, shift) = self.out.norm_c[own_row * 2 * h..][..2 * h].split_at_mut(h);
            for (gain, (&d, &c)) in gain.iter_mut().zip(scratch.d_c.iter().zip(&scratch.c)) {
                *gain = S::madd(d, c, *gain);
            }
            add(shift, &scratch.d_c);
            normalise_back(&mut scratch.d_c, small.c.gain, &scratch.c, scale);
        }
        if let Some(kept) = kept {
            for j in 0..h {
                scratch.carry[j] = kept[j] * d_cell[j];
            }
            for j in 0..h {
                d_cell[j] *= T::ONE - kept[j];
            }
        }
        add(d_cell, &scratch.d_c);
        gates_back(gates, before, d_cell, d_gates);
        if kept.is_some() {
            add(d_cell, &scratch.carry);
        }
        self.out.gates[own * 4 * h..][..4 * h].copy_from_slice(d_gates);
        if kernel.normed {
            let normalised = &saved.normalised[at * 4 * h..][..4 * h];
            normalise_back(d_gates, small.hh.gain, normalised, saved.scales[at]);
            self.out.recurrent[own * 4 * h..][..4 * h].copy_from_slice(d_gates);
        }
    }
}

/// From the gradient of o * tanh to that of o before its sigmoid, and of what the tanh was taken of.
#[inline(always)]
fn output_back<T: Real>(o: &[T], tanh: &[T], d_hidden: &[T], d_o: &mut [T], d_c: &mut [T]) {
    let h = d_c.len();
    let (o, tanh, d_hidden, d_o) = (&o[..h], &tanh[..h], &d_hidden[..h], &mut d_o[..h]);
    for j in 0..h {
        d_o[j] = d_hidden[j] * tanh[j] * (o[j] * (T::ONE - o[j]));
    }
    for j in 0..h {
        d_c[j] = d_hidden[j] * o[j] * (T::ONE - tanh[j] * tanh[j]);
    }
}

/// From the gradient of c' to those of i, f and g before their activations, and of c before the step.
#[inline(always)]
fn gates_back<T: Real>(gates: &[T], before: &[T], d_cell: &mut [T], d_gates: &mut [T]) {
    let h = d_cell.len();
    let (i, f, g) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h]);
    let before = &before[..h];
    let (d_i, rest) = d_gates.split_at_mut(h);
    let (d_f, rest) = rest.split_at_mut(h);
    let d_g = &mut rest[..h];
    for j in 0..h {
        d_i[j] = d_cell[j] * g[j] * (i[j] * (T::ONE - i[j]));
    }
    for j in 0..h {
        d_f[j] = d_cell[j] * before[j] * (f[j] * (T::ONE - f[j]));
    }
    for j in 0..h {
        d_g[j] = d_cell[j] * i[j] * (T::ONE - g[j] * g[j]);
    }
    for j in 0..h {
        d_cell[j] *= f[j];
    }
}
