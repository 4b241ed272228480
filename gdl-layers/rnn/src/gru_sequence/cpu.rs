use super::GruReset;
use crate::cpu::activation::{sigmoid, tanh};
use crate::cpu::packed::Packed;
use crate::cpu::rows::{Plan, column_sums, slices, weight_gradient};
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::rows::SequenceParams;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::gemm::{Mat, Threads, gemm};
use gdl_kernels::{par, view};
use std::sync::{Mutex, PoisonError};

/// [`gru_sequence`](crate::gru_sequence) with backpropagation through time written out. Shapes are not checked.
pub(super) fn gru_sequence<T: Real>(
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: Option<&Tensor>,
    h0: &Tensor,
    reset: GruReset<'_>,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor)> {
    let plan = Plan::new(x, w_hh.dim(1)?, params)?;
    let (n, t, h) = (plan.n, plan.t, plan.size);
    // Three arguments are the most that candle carries gradients to, so that what is small travels together.
    let weights = Tensor::cat(&[w_ih, w_hh], 1)?; // (3H, I + H)
    let mut small = vec![h0.flatten_all()?];
    small.extend(bias.cloned());
    let after = match reset {
        GruReset::Before => false,
        GruReset::After(b_hn) => {
            small.extend(b_hn.cloned());
            true
        }
    };
    let b_hn = matches!(reset, GruReset::After(Some(_)));
    let small = Tensor::cat(&small, 0)?; // (N H + 3H + H)
    let track = x.track_op() || weights.track_op() || small.track_op();
    let form = Form { after, bias: bias.is_some(), b_hn };
    let op = GruSequence::<T> { plan, form, saved: track.then(|| Mutex::new(None)) };
    let packed = x.apply_op3(&weights, &small, op)?;
    Ok((
        packed.narrow(0, 0, n * t * h)?.reshape((n, t, h))?,
        packed.narrow(0, n * t * h, n * h)?.reshape((n, h))?,
    ))
}

/// Which of the two GRUs, and which of its biases there are.
#[derive(Debug, Clone, Copy)]
struct Form {
    after: bool,
    bias: bool,
    b_hn: bool,
}

impl Form {
    /// h0, the bias of all gates, and b_hn; what is missing is empty.
    fn split<'a, T>(&self, small: &'a [T], n: usize, h: usize) -> (&'a [T], &'a [T], &'a [T]) {
        let (h0, rest) = small.split_at(n * h);
        let (bias, b_hn) = rest.split_at(if self.bias { 3 * h } else { 0 });
        debug_assert_eq!(b_hn.len(), if self.b_hn { h } else { 0 });
        (h0, bias, b_hn)
    }
}

/// x (N, T, I), [w_ih | w_hh] (3H, I + H), [h0 | bias | b_hn] -> [y (N, T, H) | h_n (N, H)]
struct GruSequence<T> {
    plan: Plan,
    form: Form,
    /// What the forward pass leaves for the backward pass, if there is to be one.
    saved: Option<Mutex<Option<Saved<T>>>>,
}

struct Saved<T> {
    /// r, z, n after their activations (N, T, 3H).
    gates: Vec<T>,
    /// h W_hn^T + b_hn, which the reset gate scales, if it comes after (N, T, H).
    scaled: Vec<T>,
}

impl<T: Real> CustomOp3 for GruSequence<T> {
    fn name(&self) -> &'static str {
        "gru_sequence"
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
        let (out, saved) = forward(&self.plan, self.form, &x, &weights, &small);
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
            bail!("gru_sequence: backward without what the forward pass should have saved")
        };
        let gradients = slices([x, weights, small, out, grad], |slices| {
            Ok(backward(&self.plan, self.form, saved, slices, x.track_op()))
        })?;
        let device = x.device();
        Ok((
            gradients.x.map(|g| Tensor::from_vec(g, x.shape(), device)).transpose()?,
            Some(Tensor::from_vec(gradients.weights, weights.shape(), device)?),
            Some(Tensor::from_vec(gradients.small, small.shape(), device)?),
        ))
    }
}

fn forward<T: Real>(plan: &Plan, form: Form, x: &[T], weights: &[T], small: &[T]) -> (Vec<T>, Saved<T>) {
    let (n, t, i, h) = (plan.n, plan.t, plan.input, plan.size);
    let (h0, bias, b_hn) = form.split(small, n, h);
    let mut gates = plan.input_product(x, weights, 3 * h, i + h);
    let mut scaled = vec![T::ZERO; if form.after { n * t * h } else { 0 }];
    let mut out = vec![T::ZERO; (n * t + n) * h];
    let (y, h_n) = out.split_at_mut(n * t * h);
    h_n.copy_from_slice(h0);

    let stride = i + h;
    let w_rz = Packed::new(&weights[i..], (h, 2 * h), (1, stride), Isa::best());
    let w_n = Packed::new(&weights[2 * h * stride + i..], (h, h), (1, stride), Isa::best());
    let rows = plan.chunk();
    let mut scaled_chunks = scaled.chunks_mut(rows * t * h);
    let mut jobs: Vec<_> = gates
        .chunks_mut(rows * t * 3 * h)
        .zip(y.chunks_mut(rows * t * h).zip(h_n.chunks_mut(rows * h)))
        .enumerate()
        .map(|(k, (gates, (y, state)))| {
            let scaled = scaled_chunks.next().unwrap_or_default();
            Forward { plan, w_rz: &w_rz, w_n: &w_n, bias, b_hn, first: k * rows, gates, scaled, y, state }
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| w_rz.isa().run(&mut job[0]));
    (out, Saved { gates, scaled })
}

/// The steps of some rows. In `gates` stand their input products at first; in `state` h0.
struct Forward<'a, T> {
    plan: &'a Plan,
    w_rz: &'a Packed<T>,
    w_n: &'a Packed<T>,
    bias: &'a [T],
    b_hn: &'a [T],
    first: usize,
    gates: &'a mut [T],
    /// Empty if the reset gate comes before.
    scaled: &'a mut [T],
    y: &'a mut [T],
    state: &'a mut [T],
}

impl<T: Real> Job<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let (plan, h, t) = (self.plan, self.plan.size, self.plan.t);
        let after = !self.scaled.is_empty();
        let order = plan.order(self.first, self.state.len() / h);
        let (rz_columns, n_columns) = (self.w_rz.columns(), self.w_n.columns());
        let mut rz_product = vec![T::ZERO; order.len() * rz_columns];
        let mut n_product = vec![T::ZERO; order.len() * n_columns];
        let mut state: Vec<T> =
            order.iter().flat_map(|row| &self.state[(row - self.first) * h..][..h]).copied().collect();
        let mut reset_state = vec![T::ZERO; if after { 0 } else { state.len() }];
        for s in 0..t {
            let running = plan.running(&order, s);
            if running == 0 {
                break;
            }
            let at = |row: usize| (row - self.first) * t + plan.step(row, s);
            // SAFETY: the job runs with the kind of vectors that the weights were packed for.
            unsafe { self.w_rz.multiply::<S>(&state, running, &mut rz_product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                let gates = &mut self.gates[at(row) * 3 * h..][..3 * h];
                add(gates, self.bias);
                add(&mut gates[..2 * h], &rz_product[slot * rz_columns..]);
                gates[..2 * h].iter_mut().for_each(|x| *x = sigmoid::<T, S>(*x));
                if !after {
                    let (state, reset) = (&state[slot * h..][..h], &mut reset_state[slot * h..][..h]);
                    for j in 0..h {
                        reset[j] = gates[j] * state[j];
                    }
                }
            }
            let left = if after { &state } else { &reset_state };
            // SAFETY: as above.
            unsafe { self.w_n.multiply::<S>(left, running, &mut n_product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                let product = &mut n_product[slot * n_columns..][..h];
                let (rz, n) = self.gates[at(row) * 3 * h..][..3 * h].split_at_mut(2 * h);
                if after {
                    add(product, self.b_hn);
                    self.scaled[at(row) * h..][..h].copy_from_slice(product);
                    for j in 0..h {
                        n[j] = S::madd(rz[j], product[j], n[j]);
                    }
                } else {
                    add(n, product);
                }
                n.iter_mut().for_each(|x| *x = tanh::<T, S>(*x));
                let (state, z) = (&mut state[slot * h..][..h], &rz[h..2 * h]);
                for j in 0..h {
                    state[j] = S::madd(z[j], state[j] - n[j], n[j]);
                }
                self.y[at(row) * h..][..h].copy_from_slice(state);
            }
        }
        for (slot, row) in order.iter().enumerate() {
            self.state[(row - self.first) * h..][..h].copy_from_slice(&state[slot * h..][..h]);
        }
    }
}

/// Adds what there is of `b` to `a`.
#[inline(always)]
fn add<T: Real>(a: &mut [T], b: &[T]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

struct Gradients<T> {
    x: Option<Vec<T>>,
    weights: Vec<T>,
    small: Vec<T>,
}

fn backward<T: Real>(
    plan: &Plan,
    form: Form,
    saved: &Saved<T>,
    [x, weights, small, out, grad]: [&[T]; 5],
    wants_x: bool,
) -> Gradients<T> {
    let (n, t, i, h) = (plan.n, plan.t, plan.input, plan.size);
    let (nt, rows, stride) = (n * t, plan.chunk(), i + h);
    let (h0, _, _) = form.split(small, n, h);
    let (grad_y, grad_end) = grad.split_at(nt * h);
    let before = plan.before(&out[..nt * h], h0);
    let mut d_gates = vec![T::ZERO; nt * 3 * h];
    let mut d_scaled = vec![T::ZERO; if form.after { nt * h } else { 0 }];
    let mut d_small = grad_end.to_vec();

    let w_rz = Packed::new(&weights[i..], (2 * h, h), (stride, 1), Isa::best());
    let w_n = Packed::new(&weights[2 * h * stride + i..], (h, h), (stride, 1), Isa::best());
    let mut scaled_chunks = d_scaled.chunks_mut(rows * t * h);
    let mut jobs: Vec<_> = d_gates
        .chunks_mut(rows * t * 3 * h)
        .zip(d_small.chunks_mut(rows * h))
        .enumerate()
        .map(|(k, (d_gates, d_state))| Backward {
            plan,
            w_rz: &w_rz,
            w_n: &w_n,
            first: k * rows,
            saved,
            before: &before,
            grad_y,
            d_gates,
            d_scaled: scaled_chunks.next().unwrap_or_default(),
            d_state,
        })
        .collect();
    par::chunks_mut(&mut jobs, 1, |_, job| w_rz.isa().run(&mut job[0]));

    let d = Mat::new(&d_gates, nt, 3 * h);
    let d_rz = Mat::strided(&d_gates, nt, 2 * h, 3 * h, 1);
    let mut d_weights = vec![T::ZERO; weights.len()];
    weight_gradient(d, Mat::new(x, nt, i), &mut d_weights, stride);
    weight_gradient(d_rz, Mat::new(&before, nt, h), &mut d_weights[i..], stride);
    let d_w_n = &mut d_weights[2 * h * stride + i..];
    if form.after {
        weight_gradient(Mat::new(&d_scaled, nt, h), Mat::new(&before, nt, h), d_w_n, stride);
    } else {
        let mut reset = before;
        for (reset, gates) in reset.chunks_exact_mut(h).zip(saved.gates.chunks_exact(3 * h)) {
            reset.iter_mut().zip(gates).for_each(|(h, &r)| *h *= r);
        }
        let d_n = Mat::strided(&d_gates[2 * h..], nt, h, 3 * h, 1);
        weight_gradient(d_n, Mat::new(&reset, nt, h), d_w_n, stride);
    }
    let d_x = wants_x.then(|| {
        let mut d_x = vec![T::ZERO; nt * i];
        gemm(d, Mat::strided(weights, 3 * h, i, stride, 1), &mut d_x, i, false, Threads::All);
        d_x
    });
    if form.bias {
        d_small.extend(column_sums(&d_gates, 3 * h));
    }
    if form.b_hn {
        d_small.extend(column_sums(&d_scaled, h));
    }
    Gradients { x: d_x, weights: d_weights, small: d_small }
}

/// The steps of some rows backwards. In `d_state` stands the gradient of h_n at first, and that of h0 in the end.
struct Backward<'a, T> {
    plan: &'a Plan,
    w_rz: &'a Packed<T>,
    w_n: &'a Packed<T>,
    first: usize,
    saved: &'a Saved<T>,
    before: &'a [T],
    grad_y: &'a [T],
    d_gates: &'a mut [T],
    /// Empty if the reset gate comes before.
    d_scaled: &'a mut [T],
    d_state: &'a mut [T],
}

impl<T: Real> Job<T> for Backward<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let (plan, h, t) = (self.plan, self.plan.size, self.plan.t);
        let after = !self.d_scaled.is_empty();
        let order = plan.order(self.first, self.d_state.len() / h);
        let columns = self.w_n.columns();
        let mut product = vec![T::ZERO; order.len() * columns];
        // The gradient of what W_hn was multiplied with, and those of r and z, ordered like the rows.
        let mut d_n = vec![T::ZERO; order.len() * h];
        let mut d_rz = vec![T::ZERO; order.len() * 2 * h];
        for s in (0..t).rev() {
            let running = plan.running(&order, s);
            let at = |row: usize| row * t + plan.step(row, s);
            for (slot, &row) in order[..running].iter().enumerate() {
                let (gates, before) =
                    (&self.saved.gates[at(row) * 3 * h..], &self.before[at(row) * h..][..h]);
                let (r, z, n) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..3 * h]);
                let d_state = &mut self.d_state[(row - self.first) * h..][..h];
                add(d_state, &self.grad_y[at(row) * h..][..h]);
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
                let own = at(row) - self.first * t;
                self.d_gates[own * 3 * h + 2 * h..][..h].copy_from_slice(d_n);
                if after {
                    let scaled = &self.saved.scaled[at(row) * h..][..h];
                    for j in 0..h {
                        d_r[j] = d_n[j] * scaled[j] * (r[j] * (T::ONE - r[j]));
                    }
                    d_n.iter_mut().zip(r).for_each(|(d, &r)| *d *= r);
                    self.d_scaled[own * h..][..h].copy_from_slice(d_n);
                }
            }
            // SAFETY: the job runs with the kind of vectors that the weights were packed for.
            unsafe { self.w_n.multiply::<S>(&d_n, running, &mut product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                let product = &product[slot * columns..][..h];
                let d_state = &mut self.d_state[(row - self.first) * h..][..h];
                let d_rz = &mut d_rz[slot * 2 * h..][..2 * h];
                if after {
                    add(d_state, product);
                } else {
                    let (r, before) =
                        (&self.saved.gates[at(row) * 3 * h..][..h], &self.before[at(row) * h..][..h]);
                    for j in 0..h {
                        d_rz[j] = product[j] * before[j] * (r[j] * (T::ONE - r[j]));
                    }
                    for j in 0..h {
                        d_state[j] += product[j] * r[j];
                    }
                }
                let own = at(row) - self.first * t;
                self.d_gates[own * 3 * h..][..2 * h].copy_from_slice(d_rz);
            }
            // SAFETY: as above.
            unsafe { self.w_rz.multiply::<S>(&d_rz, running, &mut product) };
            for (slot, &row) in order[..running].iter().enumerate() {
                add(&mut self.d_state[(row - self.first) * h..][..h], &product[slot * columns..]);
            }
        }
    }
}
