//! Convolution, transposed convolution and their gradients as candle operators: the kernels' own on the CPU, and on CUDA
//! those of [`super::cuda`].
//!
//! The gradients of each are the others with the same [`Geometry`]. Gradients are taken of detached tensors:
//! there is no second-order derivative.

#[cfg(feature = "cuda")]
use super::cuda;
use super::kernel::{self, Kernels};
use crate::cpu::by_dtype;
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::mask::Mask;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, InplaceOp3, Layout, Result, Shape, Tensor, bail,
};
use gdl_kernels::gemm::Float;
use gdl_kernels::{par, rectifier_gradient, view::contiguous};

/// Convolution of the big image, and perhaps a rectifier whose slope is 0 or more.
pub(crate) fn conv2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    slope: Option<f64>,
    g: &Geometry,
) -> Result<Tensor> {
    let op = Correlate { g: *g, slope };
    match bias {
        None => x.apply_op2(w, op),
        Some(bias) => x.apply_op3(w, bias, op),
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
pub(super) type Arg<'a> = (&'a CpuStorage, &'a Layout);

#[derive(Debug, Clone, Copy)]
struct Correlate {
    g: Geometry,
    slope: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Scatter(Geometry);

/// [`Scatter`] of a gradient that passes a rectifier first.
#[derive(Debug, Clone, Copy)]
struct MaskedScatter {
    g: Geometry,
    slope: f64,
}

/// Of one image or any number: the geometry's own count does not matter.
#[derive(Debug, Clone, Copy, PartialEq)]
struct WeightGradient(Geometry);

#[derive(Debug, Clone, Copy)]
struct ChannelSums;

impl Correlate {
    /// The gradient before the rectifier, whose sign its result has too.
    fn before_rectifier(&self, y: &Tensor, grad: &Tensor) -> Result<Tensor> {
        match self.slope {
            Some(slope) => rectifier_gradient(y, grad, slope),
            None => Ok(grad.clone()),
        }
    }

    /// The input's gradient where nobody asks for another one: the rectifier's is taken on the way.
    fn frozen(&self, x: &Tensor, w: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let g = self.g;
        let dx = x.track_op().then(|| match self.slope {
            Some(slope) => grad.apply_op3_no_bwd(w, y, &MaskedScatter { g, slope }),
            None => grad.apply_op2_no_bwd(w, &Scatter(g)),
        });
        dx.transpose()
    }

    /// Only what somebody asks for: a frozen weight or an input without gradient costs nothing.
    fn gradients(&self, x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = self.g;
        let dx = x.track_op().then(|| grad.apply_op2_no_bwd(w, &Scatter(g))).transpose()?;
        let dw = w.track_op().then(|| WeightGradient::of(w, x, grad, g)).transpose()?;
        Ok((dx, dw.flatten()))
    }
}

impl Scatter {
    fn gradients(&self, x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = self.0;
        let dx = x.track_op().then(|| grad.apply_op2_no_bwd(w, &Correlate { g, slope: None })).transpose()?;
        let dw = w.track_op().then(|| WeightGradient::of(w, grad, x, g)).transpose()?;
        Ok((dx, dw.flatten()))
    }
}

/// The gradients of a convolution's input, weight and bias from that of its result; only those that somebody asks for.
pub(super) fn gradients(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    grad: &Tensor,
    g: &Geometry,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let (dx, dw) = Correlate { g: *g, slope: None }.gradients(x, w, grad)?;
    Ok((dx, dw, bias_gradient(bias, grad)?))
}

fn bias_gradient(bias: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
    bias.track_op().then(|| grad.apply_op1_no_bwd(&ChannelSums)).transpose()
}

fn correlate<T: Kernels>(
    x: Arg<'_>,
    w: Arg<'_>,
    bias: Option<Arg<'_>>,
    slope: Option<f64>,
    g: &Geometry,
) -> Result<Vec<T>> {
    let bias = bias.map(|b| contiguous::<T>(b.0, b.1)).transpose()?;
    let finish = Finish { bias: bias.as_deref(), slope: slope.map(T::from_f64) };
    Ok(T::correlate(&contiguous(x.0, x.1)?, &contiguous(w.0, w.1)?, finish, g))
}

fn scatter<T: Kernels>(x: Arg<'_>, w: Arg<'_>, bias: Option<Arg<'_>>, g: &Geometry) -> Result<Vec<T>> {
    let bias = bias.map(|b| contiguous::<T>(b.0, b.1)).transpose()?;
    let finish = Finish { bias: bias.as_deref(), slope: None };
    Ok(T::scatter(&contiguous(x.0, x.1)?, &contiguous(w.0, w.1)?, finish, g))
}

fn scatter_masked<T: Kernels>(
    x: Arg<'_>,
    w: Arg<'_>,
    y: Arg<'_>,
    slope: f64,
    g: &Geometry,
) -> Result<Vec<T>> {
    let mask = Mask { result: &contiguous(y.0, y.1)?, slope: T::from_f64(slope) };
    Ok(T::scatter_masked(&contiguous(x.0, x.1)?, mask, &contiguous(w.0, w.1)?, g))
}

fn weight_gradient<T: Kernels>(big: Arg<'_>, small: Arg<'_>, g: &Geometry) -> Result<Vec<T>> {
    let mut out = par::zeros(g.weight_count());
    T::weight_gradient(&contiguous(big.0, big.1)?, &contiguous(small.0, small.1)?, g, &mut out, false);
    Ok(out)
}

fn add_weight_gradient<T: Kernels>(
    sum: (&mut CpuStorage, &Layout),
    big: Arg<'_>,
    small: Arg<'_>,
    g: &Geometry,
) -> Result<()> {
    let range = sum.1.contiguous_offsets().filter(|(start, end)| end - start == g.weight_count());
    let out = T::slice_mut(sum.0).zip(range).and_then(|(out, (start, end))| out.get_mut(start..end));
    let Some(out) = out else { bail!("conv2d weight gradient: the sum has another shape or type") };
    T::weight_gradient(&contiguous(big.0, big.1)?, &contiguous(small.0, small.1)?, g, out, true);
    Ok(())
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
        let Self { g, slope } = self;
        let out = by_dtype!("conv2d", s1, correlate((s1, l1), (s2, l2), None, *slope, g));
        Ok((out, g.small_shape().into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::correlate((s1, l1), (s2, l2), None, self.slope, &self.g)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if !w.track_op() {
            return Ok((self.frozen(x, w, y, grad)?, None));
        }
        self.gradients(x, w, &self.before_rectifier(y, grad)?)
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
        let Self { g, slope } = self;
        let out = by_dtype!("conv2d", s1, correlate((s1, l1), (s2, l2), Some((s3, l3)), *slope, g));
        Ok((out, g.small_shape().into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::correlate((s1, l1), (s2, l2), Some((s3, l3)), self.slope, &self.g)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        if !w.track_op() && !bias.track_op() {
            return Ok((self.frozen(x, w, y, grad)?, None, None));
        }
        let grad = self.before_rectifier(y, grad)?;
        gradients(x, w, bias, &grad, &self.g)
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

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::scatter((s1, l1), (s2, l2), None, &self.0)
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

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::scatter((s1, l1), (s2, l2), Some((s3, l3)), &self.0)
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

impl CustomOp3 for MaskedScatter {
    fn name(&self) -> &'static str {
        "conv2d gradient through a rectifier"
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
        let Self { g, slope } = self;
        let out = by_dtype!("conv2d", s1, scatter_masked((s1, l1), (s2, l2), (s3, l3), *slope, g));
        Ok((out, g.big_shape().into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::scatter_masked((s1, l1), (s2, l2), (s3, l3), self.slope, &self.g)
    }
}

impl WeightGradient {
    /// The gradient of `w` from the big and the small image; none where somebody else adds it up.
    fn of(w: &Tensor, big: &Tensor, small: &Tensor, g: Geometry) -> Result<Option<Tensor>> {
        gdl_kernels::weight_gradient(w, big, small, Self(Geometry { batch: 0, ..g }))
    }

    fn geometry(&self, big: &Layout) -> Result<Geometry> {
        Ok(Geometry { batch: big.shape().dims4()?.0, ..self.0 })
    }
}

impl gdl_kernels::WeightGradient for WeightGradient {
    fn compute(&self, big: &Tensor, small: &Tensor) -> Result<Tensor> {
        big.apply_op2_no_bwd(small, self)
    }

    fn add(&self, big: &Tensor, small: &Tensor, sum: &Tensor) -> Result<()> {
        sum.inplace_op3(big, small, self)
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
        let g = &self.geometry(l1)?;
        let out = by_dtype!("conv2d weight gradient", s1, weight_gradient((s1, l1), (s2, l2), g));
        Ok((out, g.weight_shape().into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::weight_gradient((s1, l1), (s2, l2), &self.geometry(l1)?)
    }
}

impl InplaceOp3 for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d weight gradient"
    }

    fn cpu_fwd(
        &self,
        sum: &mut CpuStorage,
        layout: &Layout,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<()> {
        let g = &self.geometry(l1)?;
        match sum {
            CpuStorage::F64(_) => add_weight_gradient::<f64>((sum, layout), (s1, l1), (s2, l2), g),
            _ => add_weight_gradient::<f32>((sum, layout), (s1, l1), (s2, l2), g),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        sum: &mut CudaStorage,
        layout: &Layout,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<()> {
        let g = &self.geometry(l1)?;
        let start = layout.contiguous_offsets().filter(|(start, end)| end - start == g.weight_count());
        let Some((start, _)) = start else { bail!("conv2d weight gradient: the sum has another shape") };
        cuda::add_weight_gradient((sum, start), (s1, l1), (s2, l2), g)
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

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda::channel_sums(storage, layout)
    }
}
