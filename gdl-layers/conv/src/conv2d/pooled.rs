//! A convolution, a rectifier and a halving maximum in one, which keeps nothing of the image before it is halved but where
//! in each window the maximum stood.

use super::Conv2dParams;
use super::cpu::{self, Arg};
use super::kernel::Kernels;
use crate::cpu::{by_dtype, for_planes};
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::{Pool2dParams, conv2d_activated, max_pool2d};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use gdl_kernels::gemm::Float;
use gdl_kernels::{Activation, has_kernel, par, view::contiguous};
use std::sync::OnceLock;

/// [`conv2d_activated`] and the maximum of each 2x2 window, [`max_pool2d`].
///
/// On the CPU, with a bias and a rectifier, this is one operator, and between its passes lives only its result: a fifth of the
/// memory of the three one after the other.
///
/// # Shape
///
/// As [`conv2d`](crate::conv2d()), with half the height and width of its result, rounded down.
///
/// # Errors
///
/// As [`conv2d`](crate::conv2d()), and where its result is of less than 2x2 pixels.
pub fn conv2d_pooled(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
    activation: Activation,
) -> Result<Tensor> {
    let geometry = super::geometry(x, w, params)?;
    let slope = activation.slope().filter(|slope| *slope >= 0.0 && x.device().is_cpu() && has_kernel(x));
    match (slope, bias) {
        (Some(slope), Some(bias)) if geometry.small.0.min(geometry.small.1) >= 2 => {
            crate::geometry::check_bias("conv2d", Some(bias), geometry.c_small)?;
            x.apply_op3(w, bias, Pooled { g: geometry, slope, places: OnceLock::new() })
        }
        _ => max_pool2d(&conv2d_activated(x, w, bias, params, activation)?, &Pool2dParams::new(2)),
    }
}

#[derive(Debug)]
struct Pooled {
    g: Geometry,
    slope: f64,
    /// For each pixel of the result, which of its window's four it is, in reading order.
    places: OnceLock<Vec<u8>>,
}

/// The gradient of the image before it was halved, from that after and the result.
#[derive(Debug)]
struct Spread<'a> {
    pooled: &'a Pooled,
    places: &'a [u8],
}

impl Pooled {
    fn halves(&self) -> (usize, usize) {
        (self.g.small.0 / 2, self.g.small.1 / 2)
    }

    fn forward<T: Kernels>(&self, x: Arg<'_>, w: Arg<'_>, bias: Arg<'_>) -> Result<Vec<T>> {
        let bias = contiguous::<T>(bias.0, bias.1)?;
        let finish = Finish { bias: Some(&bias), slope: Some(T::from_f64(self.slope)) };
        let y = T::correlate(&contiguous(x.0, x.1)?, &contiguous(w.0, w.1)?, finish, &self.g);
        let ((h, w), (rows, columns)) = (self.g.small, self.halves());
        let pixels = rows * columns;
        let mut out = par::zeros(self.g.batch * self.g.c_small * pixels);
        let mut places = vec![0u8; out.len()];
        let mut planes: Vec<_> = out.chunks_mut(pixels).zip(places.chunks_mut(pixels)).collect();
        par::chunks_mut(&mut planes, (16_384 / pixels).max(1), |chunk, planes| {
            let first = chunk * (16_384 / pixels).max(1);
            for (i, (out, places)) in planes.iter_mut().enumerate() {
                let y = &y[(first + i) * h * w..][..h * w];
                for (row, (out, places)) in
                    out.chunks_mut(columns).zip(places.chunks_mut(columns)).enumerate()
                {
                    let (upper, lower) = y[2 * row * w..][..2 * w].split_at(w);
                    largest(upper, lower, out, places);
                }
            }
        });
        // candle runs the forward pass of an application once; were it run again, it would find the same.
        let _ = self.places.set(places);
        Ok(out)
    }
}

/// The largest of each 2x2 window of two rows, and its place. The first of equals, and NaN before all: as [`max_pool2d`].
fn largest<T: Float>(upper: &[T], lower: &[T], out: &mut [T], places: &mut [u8]) {
    let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
    for ((out, place), (&[a, b], &[c, d])) in out.iter_mut().zip(places).zip(pairs) {
        (*out, *place) = (a, 0);
        for (value, i) in [(b, 1), (c, 2), (d, 3)] {
            if value > *out || value.partial_cmp(&value).is_none() {
                (*out, *place) = (value, i);
            }
        }
    }
}

impl Spread<'_> {
    fn run<T: Float>(&self, result: Arg<'_>, grad: Arg<'_>) -> Result<Vec<T>> {
        let (result, grad) = (contiguous::<T>(result.0, result.1)?, contiguous::<T>(grad.0, grad.1)?);
        let (g, slope) = (&self.pooled.g, T::from_f64(self.pooled.slope));
        let ((h, w), (rows, columns)) = (g.small, self.pooled.halves());
        let mut out = par::zeros(g.batch * g.c_small * h * w);
        for_planes(&mut out, h * w, |plane, out| {
            for row in 0..rows {
                for column in 0..columns {
                    let at = (plane * rows + row) * columns + column;
                    let place = usize::from(self.places[at]);
                    // Not a product with 0, which would make NaN of an infinity.
                    out[(2 * row + place / 2) * w + 2 * column + place % 2] = match result[at] > T::ZERO {
                        true => grad[at],
                        false if slope == T::ZERO => T::ZERO,
                        false => grad[at] * slope,
                    };
                }
            }
        });
        Ok(out)
    }
}

impl CustomOp3 for Pooled {
    fn name(&self) -> &'static str {
        "conv2d pooled"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn forward<T: Kernels>(op: &Pooled, x: Arg<'_>, w: Arg<'_>, bias: Arg<'_>) -> Result<Vec<T>> {
            op.forward(x, w, bias)
        }
        let out = by_dtype!("conv2d pooled", s1, forward(self, (s1, l1), (s2, l2), (s3, l3)));
        let (h, w) = self.halves();
        Ok((out, (self.g.batch, self.g.c_small, h, w).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(places) = self.places.get() else {
            candle_core::bail!("conv2d pooled: backward before forward")
        };
        let grad = result.apply_op2_no_bwd(grad, &Spread { pooled: self, places })?;
        cpu::gradients(x, w, bias, &grad, &self.g)
    }
}

impl CustomOp2 for Spread<'_> {
    fn name(&self) -> &'static str {
        "conv2d pooled gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn run<T: Float>(op: &Spread<'_>, result: Arg<'_>, grad: Arg<'_>) -> Result<Vec<T>> {
            op.run(result, grad)
        }
        let out = by_dtype!("conv2d pooled gradient", s1, run(self, (s1, l1), (s2, l2)));
        Ok((out, self.pooled.g.small_shape().into()))
    }
}
