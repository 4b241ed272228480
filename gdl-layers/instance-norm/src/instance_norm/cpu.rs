//! The CPU kernel: both passes work plane by plane, in parallel over groups of planes.
//!
//! A plane's sums are always formed in the same order on one thread, so results do not depend on the number of threads.

use crate::Definition;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};
use gdl_kernels::{gemm::Float, par, view};
use std::sync::OnceLock;

#[derive(Debug, Clone, Copy)]
pub(super) struct Params {
    pub(super) eps: f64,
    pub(super) definition: Definition,
    /// The slope of the fused rectifier on the negative side (0 or more); none for the identity.
    pub(super) slope: Option<f64>,
}

/// The kernel on a checked f32 or f64 tensor on the CPU.
pub(super) fn instance_norm(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    params: Params,
) -> Result<Tensor> {
    let op = InstanceNorm { params, stats: OnceLock::new() };
    if weight.is_none() && bias.is_none() {
        return x.apply_op1(op);
    }
    let (weight, bias) = super::or_neutral(x, weight, bias)?;
    x.apply_op3(&weight, &bias, op)
}

/// One application; the backward pass reuses the statistics of the forward pass.
struct InstanceNorm {
    params: Params,
    stats: OnceLock<Vec<Stats>>,
}

/// What is known of a plane, in f64.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stats {
    mean: f64,
    /// `1 / d`
    inv: f64,
    /// As `ratio` in the reference: `1 / d` or `1 / std`, finite.
    ratio: f64,
}

impl Stats {
    fn of<T: Float>(plane: &[T], params: &Params) -> Self {
        let (mean, var) = mean_and_variance(plane);
        Self::new(mean, var, params)
    }

    pub(super) fn new(mean: f64, var: f64, params: &Params) -> Self {
        match params.definition {
            Definition::Torch => {
                let inv = 1.0 / (var + params.eps).sqrt();
                Self { mean, inv, ratio: inv }
            }
            Definition::KerasContrib => {
                let std = var.sqrt();
                Self { mean, inv: 1.0 / (std + params.eps), ratio: if std == 0.0 { 0.0 } else { 1.0 / std } }
            }
        }
    }

    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// What a difference to the mean is multiplied with.
    pub(super) fn inv(&self) -> f64 {
        self.inv
    }

    /// Normalises a plane, or a part of one, into `out`, scaled and shifted by `affine`.
    pub(super) fn apply<T: Float>(
        &self,
        x: &[T],
        out: &mut [T],
        (weight, bias): (f64, f64),
        slope: Option<f64>,
    ) {
        let centre = T::from_f64(self.mean);
        let scale = weight * self.inv;
        // What rounding the mean to T left over is made up for in the shift.
        let shift = T::from_f64(bias - (self.mean - centre.to_f64()) * scale);
        let scale = T::from_f64(scale);
        match slope.map(T::from_f64) {
            None => {
                for (y, &x) in out.iter_mut().zip(x) {
                    *y = (x - centre) * scale + shift;
                }
            }
            Some(slope) => {
                for (y, &x) in out.iter_mut().zip(x) {
                    let v = (x - centre) * scale + shift;
                    *y = if v <= T::ZERO { v * slope } else { v };
                }
            }
        }
    }
}

/// Mean and biased variance of a plane of at least one pixel.
pub(super) fn mean_and_variance<T: Float>(plane: &[T]) -> (f64, f64) {
    let count = plane.len() as f64;
    // Summed as differences to one pixel: of a bright, flat plane those are exact where the sums would not be.
    let first = plane[0];
    let mean = first.to_f64() + sums(plane, plane, |x, _| (x - first, T::ZERO)).0 / count;
    let centre = T::from_f64(mean);
    let squares = sums(plane, plane, |x, _| ((x - centre) * (x - centre), T::ZERO)).0 / count;
    // Around the mean rounded to T the square is larger by what the rounding moved it. NaN must stay NaN.
    let off = mean - centre.to_f64();
    let var = if squares > off * off || squares.is_nan() { squares - off * off } else { 0.0 };
    (mean, var)
}

/// Sums both parts of `f` over two slices of one length: in 16 lanes over blocks of 1024, the blocks in f64. The lanes
/// let the compiler vectorise, the blocks keep the rounding error of large f32 planes at that of small ones.
fn sums<T: Float>(a: &[T], b: &[T], f: impl Fn(T, T) -> (T, T)) -> (f64, f64) {
    const LANES: usize = 16;
    const BLOCK: usize = 1024;
    let (mut total_p, mut total_q) = (0.0, 0.0);
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let (mut p, mut q) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                let (dp, dq) = f(a[lane], b[lane]);
                p[lane] += dp;
                q[lane] += dq;
            }
        }
        for (lane, (&a, &b)) in a_rest.iter().zip(b_rest).enumerate() {
            let (dp, dq) = f(a, b);
            p[lane] += dp;
            q[lane] += dq;
        }
        total_p += p.iter().map(|v| v.to_f64()).sum::<f64>();
        total_q += q.iter().map(|v| v.to_f64()).sum::<f64>();
    }
    (total_p, total_q)
}

/// Runs `f(plane index, plane of out)` over all planes in parallel and returns its results in order.
fn per_plane<T: Float, R: Send + Clone + Default>(
    out: &mut [T],
    pixels: usize,
    f: impl Fn(usize, &mut [T]) -> R + Send + Sync,
) -> Vec<R> {
    // Small planes go to a thread by the dozen.
    let group = (16 * 1024 / pixels).max(1);
    let mut work: Vec<(&mut [T], R)> = out.chunks_mut(pixels).map(|plane| (plane, R::default())).collect();
    par::chunks_mut(&mut work, group, |i, planes| {
        for (j, (plane, result)) in planes.iter_mut().enumerate() {
            *result = f(i * group + j, plane);
        }
    });
    work.into_iter().map(|(_, result)| result).collect()
}

/// (C, H * W) of a layout that has been checked to be (N, C, H, W).
fn planes(shape: &Shape) -> Result<(usize, usize)> {
    let (_, c, h, w) = shape.dims4()?;
    Ok((c, h * w))
}

fn forward<T: Float>(
    x: &[T],
    (channels, pixels): (usize, usize),
    affine: Option<(&[T], &[T])>,
    params: &Params,
) -> (Vec<T>, Vec<Stats>) {
    let mut out = par::zeros(x.len());
    let stats = per_plane(&mut out, pixels, |i, out| {
        let x = &x[i * pixels..(i + 1) * pixels];
        let stats = Stats::of(x, params);
        let (weight, bias) = match affine {
            Some((w, b)) => (w[i % channels].to_f64(), b[i % channels].to_f64()),
            None => (1.0, 0.0),
        };
        stats.apply(x, out, (weight, bias), params.slope);
        stats
    });
    (out, stats)
}

/// The gradient of `x`, and for each plane the gradients of its weight and bias.
///
/// With `u = (x - mean) / d`: `dx = weight * ((g - mean(g)) / d - ratio * u * mean(u * g))`, `dweight = sum(u * g)`,
/// `dbias = sum(g)`, where `g` is the gradient that passed the activation.
fn backward<T: Float>(
    (x, y, grad): (&[T], &[T], &[T]),
    (channels, pixels): (usize, usize),
    weight: Option<&[T]>,
    stats: &[Stats],
    slope: Option<f64>,
) -> (Vec<T>, Vec<(f64, f64)>) {
    let mut out = par::zeros(x.len());
    let sums = per_plane(&mut out, pixels, |i, out| {
        let range = i * pixels..(i + 1) * pixels;
        let (x, y, grad) = (&x[range.clone()], &y[range.clone()], &grad[range]);
        let (stats, weight) = (stats[i], weight.map_or(1.0, |w| w[i % channels].to_f64()));
        match slope.map(T::from_f64) {
            None => out.copy_from_slice(grad),
            Some(slope) => {
                for ((g, &y), &grad) in out.iter_mut().zip(y).zip(grad) {
                    *g = if y > T::ZERO { grad } else { grad * slope };
                }
            }
        }
        let centre = T::from_f64(stats.mean);
        let off = stats.mean - centre.to_f64();
        let (sum_g, sum_gd) = sums(out, x, |g, x| (g, g * (x - centre)));
        let sum_gu = (sum_gd - off * sum_g) * stats.inv;
        // dx = along * g - across * (x - centre) + shift
        let along = weight * stats.inv;
        let across = along * stats.ratio * sum_gu / pixels as f64;
        let shift = T::from_f64(off * across - along * sum_g / pixels as f64);
        let (along, across) = (T::from_f64(along), T::from_f64(across));
        for (g, &x) in out.iter_mut().zip(x) {
            *g = *g * along - (x - centre) * across + shift;
        }
        (sum_gu, sum_g)
    });
    (out, sums)
}

impl InstanceNorm {
    fn run(
        &self,
        (x, layout): (&CpuStorage, &Layout),
        affine: Option<[(&CpuStorage, &Layout); 2]>,
    ) -> Result<(CpuStorage, Shape)> {
        let storage = match x {
            CpuStorage::F32(_) => self.run_as::<f32>(x, layout, affine)?,
            CpuStorage::F64(_) => self.run_as::<f64>(x, layout, affine)?,
            _ => bail!("instance_norm: the CPU kernel takes f32 and f64"),
        };
        Ok((storage, layout.shape().clone()))
    }

    fn run_as<T: Float>(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        affine: Option<[(&CpuStorage, &Layout); 2]>,
    ) -> Result<CpuStorage> {
        let x = view::contiguous::<T>(x, layout)?;
        let affine = match affine {
            Some([(w, wl), (b, bl)]) => Some((view::contiguous::<T>(w, wl)?, view::contiguous::<T>(b, bl)?)),
            None => None,
        };
        let affine = affine.as_ref().map(|(w, b)| (w.as_ref(), b.as_ref()));
        let (y, stats) = forward(&x, planes(layout.shape())?, affine, &self.params);
        // candle runs the forward pass of an application once; were it run again, it would find the same.
        let _ = self.stats.set(stats);
        Ok(T::to_cpu_storage_owned(y))
    }

    fn gradients(
        &self,
        x: &Tensor,
        weight: Option<&Tensor>,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        match x.dtype() {
            DType::F32 => self.gradients_as::<f32>(x, weight, y, grad),
            DType::F64 => self.gradients_as::<f64>(x, weight, y, grad),
            other => bail!("instance_norm: the CPU kernel takes f32 and f64, not {other:?}"),
        }
    }

    fn gradients_as<T: Float>(
        &self,
        x: &Tensor,
        weight: Option<&Tensor>,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let Some(stats) = self.stats.get() else { bail!("instance_norm: backward before forward") };
        let (channels, pixels) = planes(x.shape())?;
        let weight = weight.map(Tensor::to_vec1::<T>).transpose()?;
        let (dx, sums) = with_slice::<T, _>(x, |x| {
            with_slice::<T, _>(y, |y| {
                with_slice::<T, _>(grad, |grad| {
                    let slope = self.params.slope;
                    Ok(backward((x, y, grad), (channels, pixels), weight.as_deref(), stats, slope))
                })
            })
        })?;
        let (mut dweight, mut dbias) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, (dw, db)) in sums.into_iter().enumerate() {
            dweight[i % channels] += dw;
            dbias[i % channels] += db;
        }
        let device = x.device();
        let narrow = |v: Vec<f64>| {
            Tensor::from_vec(v.into_iter().map(T::from_f64).collect::<Vec<T>>(), channels, device)
        };
        Ok((Tensor::from_vec(dx, x.shape(), device)?, narrow(dweight)?, narrow(dbias)?))
    }
}

/// Runs `f` over the elements of a tensor on the CPU in row-major order.
pub(super) fn with_slice<T: WithDType, R>(t: &Tensor, f: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let (storage, layout) = t.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("instance_norm: a gradient left the CPU") };
    f(&view::contiguous::<T>(storage, layout)?)
}

impl CustomOp1 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run((x, layout), None)
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.gradients(x, None, y, grad)?.0))
    }
}

impl CustomOp3 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm-affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, layout), Some([(weight, weight_layout), (bias, bias_layout)]))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight, dbias) = self.gradients(x, Some(weight), y, grad)?;
        Ok((Some(dx), Some(dweight), Some(dbias)))
    }
}
