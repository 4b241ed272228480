use super::{Pad, PadMode, source};
use crate::cpu::{by_dtype, for_planes};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use gdl_kernels::gemm::Float;
use gdl_kernels::{par, view::contiguous};

/// Padding by the kernels, forward and backward.
pub(crate) fn pad2d(x: &Tensor, pad: Pad, mode: PadMode) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    x.apply_op1(Forward(Padding { planes: (n, c), size: (h, w), pad, mode }))
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Padding {
    pub(super) planes: (usize, usize),
    /// Of the image without padding.
    pub(super) size: (usize, usize),
    pub(super) pad: Pad,
    pub(super) mode: PadMode,
}

impl Padding {
    pub(super) fn padded(&self) -> (usize, usize) {
        let Pad { left, right, top, bottom } = self.pad;
        (self.size.0 + top + bottom, self.size.1 + left + right)
    }

    /// For each row and each column of the padded image, the one of the image that stands there.
    fn sources(&self) -> [Vec<Option<usize>>; 2] {
        let (h, w) = self.padded();
        [
            (0..h).map(|i| source(self.mode, i, self.pad.top, self.size.0)).collect(),
            (0..w).map(|i| source(self.mode, i, self.pad.left, self.size.1)).collect(),
        ]
    }

    /// The columns of the padded image that lie outside the image.
    fn margins(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.pad.left).chain(self.pad.left + self.size.1..self.padded().1)
    }

    fn inner(&self) -> std::ops::Range<usize> {
        self.pad.left..self.pad.left + self.size.1
    }
}

#[derive(Debug, Clone, Copy)]
struct Forward(Padding);

#[derive(Debug, Clone, Copy)]
struct Backward(Padding);

fn forward<T: Float>(storage: &CpuStorage, layout: &Layout, p: &Padding) -> Result<Vec<T>> {
    let x = contiguous::<T>(storage, layout)?;
    let ((h, w), (h_out, w_out)) = (p.size, p.padded());
    let [rows, cols] = p.sources();
    let mut out = par::zeros(p.planes.0 * p.planes.1 * h_out * w_out);
    for_planes(&mut out, h_out * w_out, |plane, out| {
        let x = &x[plane * h * w..][..h * w];
        for (out, row) in out.chunks_mut(w_out).zip(&rows) {
            let Some(row) = row else { continue };
            let x = &x[row * w..][..w];
            out[p.inner()].copy_from_slice(x);
            for at in p.margins() {
                if let Some(col) = cols[at] {
                    out[at] = x[col];
                }
            }
        }
    });
    Ok(out)
}

fn backward<T: Float>(storage: &CpuStorage, layout: &Layout, p: &Padding) -> Result<Vec<T>> {
    let grad = contiguous::<T>(storage, layout)?;
    let ((h, w), (h_out, w_out)) = (p.size, p.padded());
    let [rows, cols] = p.sources();
    let mut out = par::zeros(p.planes.0 * p.planes.1 * h * w);
    for_planes(&mut out, h * w, |plane, out| {
        let grad = &grad[plane * h_out * w_out..][..h_out * w_out];
        for (grad, row) in grad.chunks(w_out).zip(&rows) {
            let Some(row) = row else { continue };
            let out = &mut out[row * w..][..w];
            out.iter_mut().zip(&grad[p.inner()]).for_each(|(o, g)| *o += *g);
            for at in p.margins() {
                if let Some(col) = cols[at] {
                    out[col] += grad[at];
                }
            }
        }
    });
    Ok(out)
}

impl CustomOp1 for Forward {
    fn name(&self) -> &'static str {
        "pad2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((n, c), (h, w)) = (self.0.planes, self.0.padded());
        Ok((by_dtype!("pad2d", storage, forward(storage, layout, &self.0)), (n, c, h, w).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        super::cuda::run("pad2d", (storage, layout), &self.0, self.0.padded())
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.apply_op1_no_bwd(&Backward(self.0))?))
    }
}

impl CustomOp1 for Backward {
    fn name(&self) -> &'static str {
        "pad2d gradient"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((n, c), (h, w)) = (self.0.planes, self.0.size);
        Ok((by_dtype!("pad2d gradient", storage, backward(storage, layout, &self.0)), (n, c, h, w).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        super::cuda::run("pad2d_gradient", (storage, layout), &self.0, self.0.size)
    }
}
