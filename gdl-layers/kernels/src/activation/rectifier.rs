//! The rectifiers: one pass forward, one backward, nothing kept between them but what the graph keeps.

use crate::gemm::Float;
use crate::{par, view};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};

/// Elements of a task. A fixed size: results do not depend on the number of threads.
const CHUNK: usize = 1 << 15;

/// `x` where it is positive or no number, `slope * x` elsewhere.
pub(super) fn rectify(x: &Tensor, slope: f64) -> Result<Tensor> {
    x.apply_op1(Rectifier { slope })
}

/// The gradient of a rectifier: `grad` where `reference` is positive, `slope * grad` elsewhere. No graph is kept.
///
/// `reference` may be the rectifier's input, or for a `slope` of 0 or more its result, whose sign is the same.
///
/// # Shape
/// Two tensors of one shape and type, on a device that has the kernel ([`has_kernel`](crate::has_kernel())); the result has it too.
///
/// # Errors
/// When they differ or live elsewhere.
pub fn rectifier_gradient(reference: &Tensor, grad: &Tensor, slope: f64) -> Result<Tensor> {
    if reference.dims() != grad.dims() || reference.dtype() != grad.dtype() {
        bail!(
            "rectifier gradient: the value is {:?} {:?}, the gradient {:?} {:?}",
            reference.dims(),
            reference.dtype(),
            grad.dims(),
            grad.dtype()
        )
    }
    reference.apply_op2_no_bwd(grad, &Gradient { slope })
}

#[derive(Debug, Clone, Copy)]
struct Rectifier {
    slope: f64,
}

#[derive(Debug, Clone, Copy)]
struct Gradient {
    slope: f64,
}

fn forward<T: Float + WithDType>(x: (&CpuStorage, &Layout), slope: f64) -> Result<CpuStorage> {
    let (x, slope) = (view::contiguous::<T>(x.0, x.1)?, T::from_f64(slope));
    // Not a product with 0, which would make NaN of an infinity.
    let below = |v: T| if slope == T::ZERO { T::ZERO } else { v * slope };
    let out = par::build(x.len(), CHUNK, |i, out| {
        for (out, &x) in out.iter_mut().zip(&x[i * CHUNK..]) {
            // Asked this way round, NaN stays NaN.
            *out = if x <= T::ZERO { below(x) } else { x };
        }
    });
    Ok(T::to_cpu_storage_owned(out))
}

fn backward<T: Float + WithDType>(
    x: (&CpuStorage, &Layout),
    grad: (&CpuStorage, &Layout),
    slope: f64,
) -> Result<CpuStorage> {
    let (x, grad) = (view::contiguous::<T>(x.0, x.1)?, view::contiguous::<T>(grad.0, grad.1)?);
    let slope = T::from_f64(slope);
    let below = |v: T| if slope == T::ZERO { T::ZERO } else { v * slope };
    let out = par::build(x.len(), CHUNK, |i, out| {
        for ((out, &x), &g) in out.iter_mut().zip(&x[i * CHUNK..]).zip(&grad[i * CHUNK..]) {
            *out = if x > T::ZERO { g } else { below(g) };
        }
    });
    Ok(T::to_cpu_storage_owned(out))
}

impl CustomOp1 for Rectifier {
    fn name(&self) -> &'static str {
        "rectifier"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = match x {
            CpuStorage::F64(_) => forward::<f64>((x, layout), self.slope)?,
            _ => forward::<f32>((x, layout), self.slope)?,
        };
        Ok((out, layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        super::cuda::forward(x, layout, self.slope)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        rectifier_gradient(x, grad, self.slope).map(Some)
    }
}

impl CustomOp2 for Gradient {
    fn name(&self) -> &'static str {
        "rectifier gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, grad) = ((x, x_layout), (grad, grad_layout));
        let out = match x.0 {
            CpuStorage::F64(_) => backward::<f64>(x, grad, self.slope)?,
            _ => backward::<f32>(x, grad, self.slope)?,
        };
        Ok((out, x_layout.shape().clone()))
    }
    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        grad: &CudaStorage,
        grad_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        super::cuda::backward((x, x_layout), (grad, grad_layout), self.slope)
    }
}
