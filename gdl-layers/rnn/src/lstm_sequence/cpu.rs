use crate::cpu::activation::{sigmoid, tanh};
use crate::cpu::packed::Packed;
use crate::cpu::rows::{Plan, column_sums, slices, weight_gradient};
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::rows::SequenceParams;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::gemm::{Mat, Threads, gemm};
use gdl_kernels::{par, view};
use std::sync::{Mutex, PoisonError};

/// [`lstm_sequence`](crate::lstm_sequence) with backpropagation through time written out. Shapes are not checked.
pub(super) fn lstm_sequence<T: Real>(
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: Option<&Tensor>,
    h0: &Tensor,
    c0: &Tensor,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let plan = Plan::new(x, w_hh.dim(1)?, params)?;
    let (n, t, h) = (plan.n, plan.t, plan.size);
    // Three arguments are the most that candle carries gradients to, so that what is small travels together.
    let weights = Tensor::cat(&[w_ih, w_hh], 1)?; // (4H, I + H)
    let mut small = vec![h0.flatten_all()?, c0.flatten_all()?];
    small.extend(bias.cloned());
    let small = Tensor::cat(&small, 0)?; // (N H + N H + 4H)
    let track = x.track_op() || weights.track_op() || small.track_op();
    let op = LstmSequence::<T> { plan, saved: track.then(|| Mutex::new(None)) };
    let packed = x.apply_op3(&weights, &small, op)?;
    Ok((
        packed.narrow(0, 0, n * t * h)?.reshape((n, t, h))?,
        packed.narrow(0, n * t * h, n * h)?.reshape((n, h))?,
        packed.narrow(0, (n * t + n) * h, n * h)?.reshape((n, h))?,
    ))
}

/// x (N, T, I), [w_ih | w_hh] (4H, I + H), [h0 | c0 | bias] -> [y (N, T, H) | h_n (N, H) | c_n (N, H)]
struct LstmSequence<T> {
    plan: Plan,
    /// What the forward pass leaves for the backward pass, if there is to be one.
    saved: Option<Mutex<Option<Saved<T>>>>,
}

struct Saved<T> {
    /// i, f, g, o after their activations (N, T, 4H).
    gates: Vec<T>,
    /// c after every step (N, T, H).
    cells: Vec<T>,
}

impl<T: Real> CustomOp3 for LstmSequence<T> {
    fn name(&self) -> &'static str {
        "lstm_sequence"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        small: &CpuStorage,
        small_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = view::contiguous::<T>(x, x_layout)?;
        let weights = view::contiguous::<T>(weights, weights_layout)?;
        let small = view::contiguous::<T>(small, small_layout)?;
        let (out, saved) = forward(&self.plan, &x, &weights, &small);
        if let Some(slot) = &self.saved {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        }
        let len = out.len();
        Ok((T::to_cpu_storage_owned(out), Shape::from(len)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        small: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let saved = self.saved.as_ref().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(Some(saved)) = saved.as_deref() else {
            bail!("lstm_sequence: backward without what the forward pass should have saved")
        };
        let gradients = slices([x, weights, small, out, grad], |slices| {
            Ok(backward(&self.plan, saved, slices, x.track_op()))
        })?;
        let device = x.device();
        Ok((
            gradients.x.map(|g| Tensor::from_vec(g, x.shape(), device)).transpose()?,
            Some(Tensor::from_vec(gradients.weights, weights.shape(), device)?),
            Some(Tensor::from_vec(gradients.small, small.shape(), device)?),
        ))
    }
}

fn forward<T: Real>(plan: &Plan, x: &[T], weights: &[T], small: &[T]) -> (Vec<T>, Saved<T>) {
    let (n, t, i, h) = (plan.n, plan.t, plan.input, plan.size);
    let mut gates = plan.input_product(x, weights, 4 * h, i + h);
    let mut cells = vec![T::ZERO; n * t * h];
    let mut out = vec![T::ZERO; (n * t + 2 * n) * h];
    let (y, ends) = out.split_at_mut(n * t * h);
    let (h_n, c_n) = ends.split_at_mut(n * h);
    let (initial, bias) = small.split_at(2 * n * h);
    h_n.copy_from_slice(&initial[..n * h]);
    c_n.copy_from_slice(&initial[n * h..]);

    let recurrent = Packed::new(&weights[i..], (h, 4 * h), (1, i + h), Isa::best());
    let rows = plan.chunk();
    let mut jobs: Vec<_> = gates
        .chunks_mut(rows * t * 4 * h)
        .zip(cells.chunks_mut(rows * t * h))
        .zip(y.chunks_mut(rows * t * h))
        .zip(h_n.chunks_mut(rows * h).zip(c_n.chunks_mut(rows * h)))
        .enumerate()
        .map(|(k, (((gates, cells), y), (state, cell)))| Forward {
            plan,
            recurrent: &recurrent,
            bias,
            first: k * rows,
            gates,
            cells,
            y,
            state,
            cell,
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| recurrent.isa().run(&mut job[0]));
    (out, Saved { gates, cells })
}

/// The steps of some rows. In `gates` stand their input products at first; in `state` and `cell` h0 and c0.
struct Forward<'a, T> {
    plan: &'a Plan,
    recurrent: &'a Packed<T>,
    bias: &'a [T],
    first: usize,
    gates: &'a mut [T],
    cells: &'a mut [T],
    y: &'a mut [T],
    state: &'a mut [T],
    cell: &'a mut [T],
}

impl<T: Real> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let (plan, h, t) = (self.plan, self.plan.size, self.plan.t);
        let order = plan.order(self.first, self.state.len() / h);
        let columns = self.recurrent.columns();
        let mut product = vec![T::ZERO; order.len() * columns];
        let mut state: Vec<T> =
            order.iter().flat_map(|row| &self.state[(row - self.first) * h..][..h]).copied().collect();
        for s in 0..t {
            let running = plan.running(&order, s);
            if running == 0 {
                break;
            }
            // SAFETY: the job runs with the kind of vectors that the weights were packed for.
            unsafe { self.recurrent.multiply::<S>(&state, running, &mut product) };
            for (slot, row) in order[..running].iter().enumerate() {
                let at = (row - self.first) * t + plan.step(*row, s);
                let gates = &mut self.gates[at * 4 * h..][..4 * h];
                let cell = &mut self.cell[(row - self.first) * h..][..h];
                let state = &mut state[slot * h..][..h];
                step::<T, S>(gates, &product[slot * columns..], self.bias, cell, state);
                self.cells[at * h..][..h].copy_from_slice(cell);
                self.y[at * h..][..h].copy_from_slice(state);
            }
        }
        for (slot, row) in order.iter().enumerate() {
            self.state[(row - self.first) * h..][..h].copy_from_slice(&state[slot * h..][..h]);
        }
    }
}

/// One row, one step. Several short loops, each over few slices, are what the compiler turns into vector code.
#[inline(always)]
fn step<T: Real, S: Simd<T>>(gates: &mut [T], product: &[T], bias: &[T], cell: &mut [T], state: &mut [T]) {
    let h = state.len();
    for (gate, &p) in gates.iter_mut().zip(product) {
        *gate += p;
    }
    for (gate, &b) in gates.iter_mut().zip(bias) {
        *gate += b;
    }
    gates[..2 * h].iter_mut().for_each(|x| *x = sigmoid::<T, S>(*x));
    gates[2 * h..3 * h].iter_mut().for_each(|x| *x = tanh::<T, S>(*x));
    gates[3 * h..].iter_mut().for_each(|x| *x = sigmoid::<T, S>(*x));
    let (i, f, g, o) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h], &gates[3 * h..4 * h]);
    let cell = &mut cell[..h];
    for j in 0..h {
        cell[j] = S::madd(f[j], cell[j], i[j] * g[j]);
    }
    for j in 0..h {
        state[j] = o[j] * tanh::<T, S>(cell[j]);
    }
}

struct Gradients<T> {
    x: Option<Vec<T>>,
    weights: Vec<T>,
    small: Vec<T>,
}

fn backward<T: Real>(
    plan: &Plan,
    saved: &Saved<T>,
    [x, weights, small, out, grad]: [&[T]; 5],
    wants_x: bool,
) -> Gradients<T> {
    let (n, t, i, h) = (plan.n, plan.t, plan.input, plan.size);
    let (nt, rows) = (n * t, plan.chunk());
    let (initial, bias) = small.split_at(2 * n * h);
    let (grad_y, grad_ends) = grad.split_at(nt * h);
    let mut d_gates = vec![T::ZERO; nt * 4 * h];
    let mut d_initial = grad_ends.to_vec();

    let recurrent = Packed::new(&weights[i..], (4 * h, h), (i + h, 1), Isa::best());
    let (d_state, d_cell) = d_initial.split_at_mut(n * h);
    let mut jobs: Vec<_> = d_gates
        .chunks_mut(rows * t * 4 * h)
        .zip(d_state.chunks_mut(rows * h).zip(d_cell.chunks_mut(rows * h)))
        .enumerate()
        .map(|(k, (d_gates, (d_state, d_cell)))| Backward {
            plan,
            recurrent: &recurrent,
            first: k * rows,
            saved,
            c0: &initial[n * h..],
            grad_y,
            d_gates,
            d_state,
            d_cell,
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| recurrent.isa().run(&mut job[0]));

    let before = plan.before(&out[..nt * h], &initial[..n * h]);
    let d = Mat::new(&d_gates, nt, 4 * h);
    let mut d_weights = vec![T::ZERO; weights.len()];
    weight_gradient(d, Mat::new(x, nt, i), &mut d_weights, i + h);
    weight_gradient(d, Mat::new(&before, nt, h), &mut d_weights[i..], i + h);
    let d_x = wants_x.then(|| {
        let mut d_x = vec![T::ZERO; nt * i];
        gemm(d, Mat::strided(weights, 4 * h, i, i + h, 1), &mut d_x, i, false, Threads::All);
        d_x
    });
    if !bias.is_empty() {
        d_initial.extend(column_sums(&d_gates, 4 * h));
    }
    Gradients { x: d_x, weights: d_weights, small: d_initial }
}

/// The steps of some rows backwards. In `d_state` and `d_cell` stand the gradients of h_n and c_n at first, and those
/// of h0 and c0 in the end.
struct Backward<'a, T> {
    plan: &'a Plan,
    recurrent: &'a Packed<T>,
    first: usize,
    saved: &'a Saved<T>,
    c0: &'a [T],
    grad_y: &'a [T],
    d_gates: &'a mut [T],
    d_state: &'a mut [T],
    d_cell: &'a mut [T],
}

impl<T: Real> Job<T> for Backward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let (plan, h, t) = (self.plan, self.plan.size, self.plan.t);
        let order = plan.order(self.first, self.d_state.len() / h);
        let columns = self.recurrent.columns();
        let mut product = vec![T::ZERO; order.len() * columns];
        let mut d_gates = vec![T::ZERO; order.len() * 4 * h];
        let mut tanh_c = vec![T::ZERO; h];
        for s in (0..t).rev() {
            let running = plan.running(&order, s);
            for (slot, &row) in order[..running].iter().enumerate() {
                let at = row * t + plan.step(row, s);
                let own = row - self.first;
                let c_before = match s {
                    0 => &self.c0[row * h..][..h],
                    _ => &self.saved.cells[(row * t + plan.step(row, s - 1)) * h..][..h],
                };
                let d_state = &mut self.d_state[own * h..][..h];
                for (d, &g) in d_state.iter_mut().zip(&self.grad_y[at * h..][..h]) {
                    *d += g;
                }
                for (out, &c) in tanh_c.iter_mut().zip(&self.saved.cells[at * h..][..h]) {
                    *out = tanh::<T, S>(c);
                }
                let out = &mut d_gates[slot * 4 * h..][..4 * h];
                let gates = &self.saved.gates[at * 4 * h..][..4 * h];
                let d_cell = &mut self.d_cell[own * h..][..h];
                step_back(gates, &tanh_c, c_before, d_state, d_cell, out);
                self.d_gates[(at - self.first * t) * 4 * h..][..4 * h].copy_from_slice(out);
            }
            // SAFETY: the job runs with the kind of vectors that the weights were packed for.
            unsafe { self.recurrent.multiply::<S>(&d_gates, running, &mut product) };
            for (slot, row) in order[..running].iter().enumerate() {
                self.d_state[(row - self.first) * h..][..h].copy_from_slice(&product[slot * columns..][..h]);
            }
        }
    }
}

/// One row, one step: from the gradients of h and c after it to those of the gates and of c before it.
#[inline(always)]
fn step_back<T: Real>(
    gates: &[T],
    tanh_c: &[T],
    c_before: &[T],
    d_state: &[T],
    d_cell: &mut [T],
    out: &mut [T],
) {
    let h = d_state.len();
    let (i, f, g, o) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h], &gates[3 * h..4 * h]);
    let (tanh_c, c_before, d_cell) = (&tanh_c[..h], &c_before[..h], &mut d_cell[..h]);
    let (d_i, rest) = out.split_at_mut(h);
    let (d_f, rest) = rest.split_at_mut(h);
    let (d_g, rest) = rest.split_at_mut(h);
    let d_o = &mut rest[..h];
    for j in 0..h {
        d_o[j] = d_state[j] * tanh_c[j] * (o[j] * (T::ONE - o[j]));
    }
    for j in 0..h {
        d_cell[j] += d_state[j] * o[j] * (T::ONE - tanh_c[j] * tanh_c[j]);
    }
    for j in 0..h {
        d_i[j] = d_cell[j] * g[j] * (i[j] * (T::ONE - i[j]));
    }
    for j in 0..h {
        d_f[j] = d_cell[j] * c_before[j] * (f[j] * (T::ONE - f[j]));
    }
    for j in 0..h {
        d_g[j] = d_cell[j] * i[j] * (T::ONE - g[j] * g[j]);
    }
    for j in 0..h {
        d_cell[j] *= f[j];
    }
}
