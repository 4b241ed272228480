//! The Gram matrix on the CPU. Its gradient is one product: composed, it would be two, and their sum, each as large as the
//! features.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use gdl_kernels::gemm::{Float, Mat, Threads, gemm};
use gdl_kernels::{par, view};

/// Positions of a partial sum: the products of a shallow layer are far longer than they are wide. A fixed number, so that
/// the sums do not depend on the number of threads.
const STRETCH: usize = 1 << 15;

/// `scale * f f^T` for each image.
pub(super) fn gram_matrix(f: &Tensor, scale: f64) -> Result<Tensor> {
    f.apply_op1(Gram { scale })
}

#[derive(Debug, Clone, Copy)]
struct Gram {
    scale: f64,
}

/// `scale * (g + g^T) f` for each image.
#[derive(Debug, Clone, Copy)]
struct Gradient {
    scale: f64,
}

type Arg<'a> = (&'a CpuStorage, &'a Layout);

fn forward<T: Float>(f: Arg<'_>, scale: f64) -> Result<CpuStorage> {
    let (n, c, h, w) = f.1.shape().dims4()?;
    let (f, p, scale) = (view::contiguous::<T>(f.0, f.1)?, h * w, T::from_f64(scale));
    let mut out = vec![T::ZERO; n * c * c];
    for (out, f) in out.chunks_mut(c * c).zip(f.chunks(c * p)) {
        let parts = par::map(p.div_ceil(STRETCH), |i| {
            let part = Mat::strided(&f[i * STRETCH..], c, STRETCH.min(p - i * STRETCH), p, 1);
            let mut sum = vec![T::ZERO; c * c];
            gemm(part, part.t(), &mut sum, c, false, Threads::All);
            sum
        });
        for part in parts {
            out.iter_mut().zip(part).for_each(|(out, part)| *out += part);
        }
        out.iter_mut().for_each(|out| *out *= scale);
    }
    Ok(T::to_cpu_storage_owned(out))
}

fn backward<T: Float>(f: Arg<'_>, grad: Arg<'_>, scale: f64) -> Result<CpuStorage> {
    let (_, c, h, w) = f.1.shape().dims4()?;
    let (f, p, scale) = (view::contiguous::<T>(f.0, f.1)?, h * w, T::from_f64(scale));
    let grad = view::contiguous::<T>(grad.0, grad.1)?;
    let mut out = par::zeros(f.len());
    for ((out, f), g) in out.chunks_mut(c * p).zip(f.chunks(c * p)).zip(grad.chunks(c * c)) {
        let both: Vec<T> = (0..c * c).map(|i| (g[i] + g[i % c * c + i / c]) * scale).collect();
        gemm(Mat::new(&both, c, c), Mat::new(f, c, p), out, p, false, Threads::All);
    }
    Ok(T::to_cpu_storage_owned(out))
}

impl CustomOp1 for Gram {
    fn name(&self) -> &'static str {
        "gram matrix"
    }

    fn cpu_fwd(&self, f: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, _, _) = layout.shape().dims4()?;
        let out = match f {
            CpuStorage::F64(_) => forward::<f64>((f, layout), self.scale)?,
            _ => forward::<f32>((f, layout), self.scale)?,
        };
        Ok((out, (n, c, c).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, f: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        super::cuda::forward(f, layout, self.scale)
    }

    fn bwd(&self, f: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        if f.device().is_cpu() {
            return f.apply_op2_no_bwd(grad, &Gradient { scale: self.scale }).map(Some);
        }
        let both = ((grad + grad.t()?)? * self.scale)?;
        both.matmul(&f.detach().flatten_from(2)?)?.reshape(f.shape()).map(Some)
    }
}

impl CustomOp2 for Gradient {
    fn name(&self) -> &'static str {
        "gram matrix gradient"
    }

    fn cpu_fwd(
        &self,
        f: &CpuStorage,
        f_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (f, grad) = ((f, f_layout), (grad, grad_layout));
        let out = match f.0 {
            CpuStorage::F64(_) => backward::<f64>(f, grad, self.scale)?,
            _ => backward::<f32>(f, grad, self.scale)?,
        };
        Ok((out, f_layout.shape().clone()))
    }
}
