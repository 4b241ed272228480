use crate::cpu::{by_dtype, for_planes};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use gdl_kernels::gemm::Float;
use gdl_kernels::{par, view::contiguous};

/// Up-sampling by the kernels, forward and backward.
pub(crate) fn upsample_nearest2d(x: &Tensor, scale: usize) -> Result<Tensor> {
    x.apply_op1(Forward { scale })
}

#[derive(Debug, Clone, Copy)]
struct Forward {
    scale: usize,
}

#[derive(Debug, Clone, Copy)]
struct Backward {
    scale: usize,
}

fn forward<T: Float>(storage: &CpuStorage, layout: &Layout, scale: usize) -> Result<Vec<T>> {
    let (n, c, h, w) = layout.shape().dims4()?;
    let x = contiguous::<T>(storage, layout)?;
    let (plane, width) = (h * w * scale * scale, w * scale);
    let mut out = par::zeros(n * c * plane);
    for_planes(&mut out, plane, |at, out| {
        let x = &x[at * h * w..][..h * w];
        for (out, x) in out.chunks_mut(width * scale).zip(x.chunks(w)) {
            let (first, rest) = out.split_at_mut(width);
            first.chunks_mut(scale).zip(x).for_each(|(out, x)| out.fill(*x));
            rest.chunks_mut(width).for_each(|row| row.copy_from_slice(first));
        }
    });
    Ok(out)
}

fn backward<T: Float>(storage: &CpuStorage, layout: &Layout, scale: usize) -> Result<Vec<T>> {
    let (n, c, h, w) = layout.shape().dims4()?;
    let grad = contiguous::<T>(storage, layout)?;
    let (h, w, width) = (h / scale, w / scale, w);
    let mut out = par::zeros(n * c * h * w);
    for_planes(&mut out, h * w, |at, out| {
        let grad = &grad[at * h * w * scale * scale..][..h * w * scale * scale];
        for (row, grad) in grad.chunks(width).enumerate() {
            let out = &mut out[row / scale * w..][..w];
            for (out, grad) in out.iter_mut().zip(grad.chunks(scale)) {
                *out += grad.iter().copied().reduce(|a, b| a + b).unwrap_or(T::ZERO);
            }
        }
    });
    Ok(out)
}

impl CustomOp1 for Forward {
    fn name(&self) -> &'static str {
        "upsample_nearest2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        let out = by_dtype!("upsample_nearest2d", storage, forward(storage, layout, self.scale));
        Ok((out, (n, c, h * self.scale, w * self.scale).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        super::cuda::forward(storage, layout, self.scale)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.apply_op1_no_bwd(&Backward { scale: self.scale })?))
    }
}

impl CustomOp1 for Backward {
    fn name(&self) -> &'static str {
        "upsample_nearest2d gradient"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        let out = by_dtype!("upsample_nearest2d gradient", storage, backward(storage, layout, self.scale));
        Ok((out, (n, c, h / self.scale, w / self.scale).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        super::cuda::backward(storage, layout, self.scale)
    }
}
