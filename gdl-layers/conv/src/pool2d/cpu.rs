use super::{Kind, Pooling};
use crate::cpu::{by_dtype, for_planes, inside, with_scratch};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use gdl_kernels::gemm::Float;
use gdl_kernels::{par, view::contiguous};
use std::ops::Range;

/// Pooling by the kernels, forward and backward.
pub(crate) fn pool2d(x: &Tensor, p: &Pooling) -> Result<Tensor> {
    x.apply_op1(Forward(*p))
}

#[derive(Debug, Clone, Copy)]
struct Forward(Pooling);

#[derive(Debug, Clone, Copy)]
struct Backward(Pooling);

/// What one position in the window sees along one row of the output: output columns `cols`, and the index in the
/// input plane of the first of them.
struct Tap {
    cols: Range<usize>,
    from: usize,
}

/// The positions in the window, in reading order, for one row of the output; those outside the image are left out.
fn taps(p: &Pooling, row: usize) -> impl Iterator<Item = Tap> + '_ {
    let (_, _, h, w) = p.shape;
    let (kernel, stride, padding) = (p.params.kernel, p.params.stride, p.params.padding);
    let top = (row * stride.0).wrapping_sub(padding.0);
    let rows = (0..kernel.0).map(move |u| top.wrapping_add(u)).filter(move |y| *y < h);
    rows.flat_map(move |y| {
        (0..kernel.1).map(move |v| {
            let offset = v as isize - padding.1 as isize;
            let cols = inside(offset, stride.1, w, p.out.1);
            Tap { from: y * w + (cols.start * stride.1).wrapping_add_signed(offset), cols }
        })
    })
    .filter(|tap| !tap.cols.is_empty())
}

fn is_nan<T: Float>(x: T) -> bool {
    x.partial_cmp(&x).is_none()
}

fn root<T: Float>(x: T) -> T {
    T::from_f64(x.to_f64().sqrt())
}

fn area(p: &Pooling) -> f64 {
    (p.params.kernel.0 * p.params.kernel.1) as f64
}

fn forward<T: Float>(storage: &CpuStorage, layout: &Layout, p: &Pooling) -> Result<Vec<T>> {
    let x = contiguous::<T>(storage, layout)?;
    let (n, c, h, w) = p.shape;
    let (h_out, w_out) = p.out;
    let start = if p.kind == Kind::Max { T::from_f64(f64::NEG_INFINITY) } else { T::ZERO };
    let mut out = vec![start; n * c * h_out * w_out];
    for_planes(&mut out, h_out * w_out, |plane, out| {
        let x = &x[plane * h * w..][..h * w];
        for (row, out) in out.chunks_mut(w_out).enumerate() {
            for tap in taps(p, row) {
                let seen = x[tap.from..].iter().step_by(p.params.stride.1);
                let out = out[tap.cols].iter_mut().zip(seen);
                match p.kind {
                    // NaN wins, and stays.
                    Kind::Max => out.for_each(|(o, x)| *o = if *x > *o || is_nan(*x) { *x } else { *o }),
                    Kind::Average => out.for_each(|(o, x)| *o += *x),
                    Kind::L2 => out.for_each(|(o, x)| *o += *x * *x),
                }
            }
            match p.kind {
                Kind::Max => {}
                Kind::Average => {
                    let share = T::from_f64(1. / area(p));
                    out.iter_mut().for_each(|o| *o *= share);
                }
                Kind::L2 => out.iter_mut().for_each(|o| *o = root(*o)),
            }
        }
    });
    Ok(out)
}

fn backward<T: Float>(
    x: (&CpuStorage, &Layout),
    grad: (&CpuStorage, &Layout),
    p: &Pooling,
) -> Result<Vec<T>> {
    let x = contiguous::<T>(x.0, x.1)?;
    let grad = contiguous::<T>(grad.0, grad.1)?;
    let (n, c, h, w) = p.shape;
    let mut out = par::zeros(n * c * h * w);
    for_planes(&mut out, h * w, |plane, out| {
        let x = &x[plane * h * w..][..h * w];
        let pixels = p.out.0 * p.out.1;
        let grad = &grad[plane * pixels..][..pixels];
        for (row, grad) in grad.chunks(p.out.1).enumerate() {
            match p.kind {
                Kind::Max if is_halving(p) => max_row_of_pairs(x, grad, p, row, out),
                Kind::Max => max_row(x, grad, p, row, out),
                Kind::Average => {
                    let share = T::from_f64(1. / area(p));
                    spread(p, row, out, |col, _| grad[col] * share);
                }
                Kind::L2 => with_scratch(grad.len(), |scale| {
                    norm_row(x, grad, p, row, scale);
                    spread(p, row, out, |col, at| scale[col] * x[at]);
                }),
            }
        }
    });
    Ok(out)
}

/// Adds `f(output column, index in the input plane)` to each input pixel of each window of one row.
fn spread<T: Float>(p: &Pooling, row: usize, out: &mut [T], f: impl Fn(usize, usize) -> T) {
    for tap in taps(p, row) {
        for (i, col) in tap.cols.enumerate() {
            let at = tap.from + i * p.params.stride.1;
            out[at] += f(col, at);
        }
    }
}

/// Adds the gradient of one row to the first largest value of each window.
fn max_row<T: Float>(x: &[T], grad: &[T], p: &Pooling, row: usize, out: &mut [T]) {
    // The best value so far and where it stands, for each column. The first pixel of the window is the start.
    let mut best: Vec<Option<(T, usize)>> = vec![None; grad.len()];
    for tap in taps(p, row) {
        for (i, best) in best[tap.cols].iter_mut().enumerate() {
            let at = tap.from + i * p.params.stride.1;
            match best {
                Some((value, _)) if !(x[at] > *value || is_nan(x[at])) => {}
                _ => *best = Some((x[at], at)),
            }
        }
    }
    for (best, grad) in best.iter().zip(grad) {
        if let Some((_, at)) = best {
            out[*at] += *grad;
        }
    }
}

/// The usual pooling: windows of 2x2 that touch and stay inside the image.
fn is_halving(p: &Pooling) -> bool {
    let params = &p.params;
    params.kernel == (2, 2) && params.stride == (2, 2) && params.padding == (0, 0)
}

/// [`max_row`] where [`is_halving`]: no window meets another, and none is cut off.
fn max_row_of_pairs<T: Float>(x: &[T], grad: &[T], p: &Pooling, row: usize, out: &mut [T]) {
    let (w, from) = (p.shape.3, 2 * row * p.shape.3);
    let (upper, lower) = x[from..from + 2 * w].split_at(w);
    let (out_upper, out_lower) = out[from..from + 2 * w].split_at_mut(w);
    let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
    let outs = out_upper.as_chunks_mut::<2>().0.iter_mut().zip(out_lower.as_chunks_mut::<2>().0);
    for (((&[a, b], &[c, d]), (upper, lower)), &grad) in pairs.zip(outs).zip(grad) {
        let (mut best, mut place) = (a, 0);
        for (i, value) in [b, c, d].into_iter().enumerate() {
            if value > best || is_nan(value) {
                (best, place) = (value, i + 1);
            }
        }
        let share = |i: usize| if place == i { grad } else { T::ZERO };
        *upper = [share(0), share(1)];
        *lower = [share(2), share(3)];
    }
}

/// Gradient over norm for each window of one row; 0 where the norm is.
fn norm_row<T: Float>(x: &[T], grad: &[T], p: &Pooling, row: usize, scale: &mut [T]) {
    scale.fill(T::ZERO);
    for tap in taps(p, row) {
        let seen = x[tap.from..].iter().step_by(p.params.stride.1);
        scale[tap.cols].iter_mut().zip(seen).for_each(|(s, x)| *s += *x * *x);
    }
    for (s, grad) in scale.iter_mut().zip(grad) {
        *s = if *s > T::ZERO { *grad / root(*s) } else { T::ZERO };
    }
}

impl CustomOp1 for Forward {
    fn name(&self) -> &'static str {
        "pool2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, _, _) = self.0.shape;
        let out = by_dtype!("pool2d", storage, forward(storage, layout, &self.0));
        Ok((out, (n, c, self.0.out.0, self.0.out.1).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        super::cuda::forward(storage, layout, &self.0)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(x.apply_op2_no_bwd(grad, &Backward(self.0))?))
    }
}

impl CustomOp2 for Backward {
    fn name(&self) -> &'static str {
        "pool2d gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = by_dtype!("pool2d gradient", s1, backward((s1, l1), (s2, l2), &self.0));
        Ok((out, self.0.shape.into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        super::cuda::backward((s1, l1), (s2, l2), &self.0)
    }
}
