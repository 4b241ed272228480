//! Convolution, transposed convolution and their gradients as candle operators on the CPU.
//!
//! The gradients of each are the others with the same [`Geometry`]. Gradients are taken of detached tensors:
//! there is no second-order derivative.

use super::kernel::{self, Kernels};
use crate::cpu::by_dtype;
use crate::geometry::Geometry;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use gdl_kernels::gemm::Float;
use gdl_kernels::view::contiguous;

/// Convolution of the big image.
pub(crate) fn conv2d(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, g: &Geometry) -> Result<Tensor> {
    match bias {
        None => x.apply_op2(w, Correlate(*g)),
        Some(bias) => x.apply_op3(w, bias, Correlate(*g)),
    }
}

/// Transposed convolution of the small image.
pub(crate) fn conv_transpose2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    g: &Geometry,
) -> Result<Tensor> {
    match bias {
        None => x.apply_op2(w, Scatter(*g)),
        Some(bias) => x.apply_op3(w, bias, Scatter(*g)),
    }
}

/// A tensor's storage and layout, as custom operators get them.
type Arg<'a> = (&'a CpuStorage, &'a Layout);

#[derive(Debug, Clone, Copy)]
struct Correlate(Geometry);

#[derive(Debug, Clone, Copy)]
struct Scatter(Geometry);

#[derive(Debug, Clone, Copy)]
struct WeightGradient(Geometry);

#[derive(Debug, Clone, Copy)]
struct ChannelSums;

impl Correlate {
    /// Only what somebody asks for: a frozen weight or an input without gradient costs nothing.
    fn gradients(&self, x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = self.0;
        let dx = x.track_op().then(|| grad.apply_op2_no_bwd(w, &Scatter(g))).transpose()?;
        let dw = w.track_op().then(|| x.apply_op2_no_bwd(grad, &WeightGradient(g))).transpose()?;
        Ok((dx, dw))
    }
}

impl Scatter {
    fn gradients(&self, x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = self.0;
        let dx = x.track_op().then(|| grad.apply_op2_no_bwd(w, &Correlate(g))).transpose()?;
        let dw = w.track_op().then(|| grad.apply_op2_no_bwd(x, &WeightGradient(g))).transpose()?;
        Ok((dx, dw))
    }
}

fn bias_gradient(bias: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
    bias.track_op().then(|| grad.apply_op1_no_bwd(&ChannelSums)).transpose()
}

fn correlate<T: Kernels>(x: Arg<'_>, w: Arg<'_>, bias: Option<Arg<'_>>, g: &Geometry) -> Result<Vec<T>> {
    let bias = bias.map(|b| contiguous::<T>(b.0, b.1)).transpose()?;
    Ok(T::correlate(&contiguous(x.0, x.1)?, &contiguous(w.0, w.1)?, bias.as_deref(), g))
}

fn scatter<T: Kernels>(x: Arg<'_>, w: Arg<'_>, bias: Option<Arg<'_>>, g: &Geometry) -> Result<Vec<T>> {
    let bias = bias.map(|b| contiguous::<T>(b.0, b.1)).transpose()?;
    Ok(T::scatter(&contiguous(x.0, x.1)?, &contiguous(w.0, w.1)?, bias.as_deref(), g))
}

fn weight_gradient<T: Kernels>(big: Arg<'_>, small: Arg<'_>, g: &Geometry) -> Result<Vec<T>> {
    Ok(T::weight_gradient(&contiguous(big.0, big.1)?, &contiguous(small.0, small.1)?, g))
}

fn channel_sums<T: Float>(x: Arg<'_>) -> Result<Vec<T>> {
    let (n, c, _, _) = x.1.shape().dims4()?;
    Ok(kernel::channel_sums(&contiguous::<T>(x.0, x.1)?, n, c))
}

impl CustomOp2 for Correlate {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = &self.0;
        let out = by_dtype!("conv2d", s1, correlate((s1, l1), (s2, l2), None, g));
        Ok((out, g.small_shape().into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, w, grad)
    }
}

impl CustomOp3 for Correlate {
    fn name(&self) -> &'static str {
        "conv2d"
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
        let g = &self.0;
        let out = by_dtype!("conv2d", s1, correlate((s1, l1), (s2, l2), Some((s3, l3)), g));
        Ok((out, g.small_shape().into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = self.gradients(x, w, grad)?;
        Ok((dx, dw, bias_gradient(bias, grad)?))
    }
}

impl CustomOp2 for Scatter {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = &self.0;
        let out = by_dtype!("conv_transpose2d", s1, scatter((s1, l1), (s2, l2), None, g));
        Ok((out, g.big_shape().into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, w, grad)
    }
}

impl CustomOp3 for Scatter {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
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
        let g = &self.0;
        let out = by_dtype!("conv_transpose2d", s1, scatter((s1, l1), (s2, l2), Some((s3, l3)), g));
        Ok((out, g.big_shape().into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = self.gradients(x, w, grad)?;
        Ok((dx, dw, bias_gradient(bias, grad)?))
    }
}

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d weight gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = &self.0;
        let out = by_dtype!("conv2d weight gradient", s1, weight_gradient((s1, l1), (s2, l2), g));
        Ok((out, g.weight_shape().into()))
    }
}

impl CustomOp1 for ChannelSums {
    fn name(&self) -> &'static str {
        "conv2d bias gradient"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let channels = layout.shape().dims4()?.1;
        Ok((by_dtype!("conv2d bias gradient", storage, channel_sums((storage, layout))), channels.into()))
    }
}
