//! Convolutions through cuDNN.

use crate::geometry::Geometry;
use candle_core::cuda_backend::gemm_reduced_precision_f32;
use candle_core::{CudaStorage, DType, Error, Result, bail};
use gdl_kernels::cuda::cudnn::{Dtype, conv};
use gdl_kernels::cuda::{Input, pointer, pointer_mut};

fn geometry(g: &Geometry) -> conv::Geometry {
    conv::Geometry {
        batch: g.batch,
        c_big: g.c_big,
        big: g.big,
        c_small: g.c_small,
        small: g.small,
        kernel: g.kernel,
        stride: g.stride,
        padding: g.zero_padding(),
        dilation: g.dilation,
        groups: g.groups,
    }
}

/// TF32 where candle's `set_gemm_reduced_precision_f32` allows it for products.
fn options(dtype: DType) -> Result<conv::Options> {
    let Some(dtype) = Dtype::of(dtype) else {
        bail!("conv2d: cuDNN takes f32, f64, f16 and bf16, not {}", dtype.as_str())
    };
    Ok(conv::Options { dtype, tf32: gemm_reduced_precision_f32(), deterministic: false })
}

pub(super) fn correlate(x: &Input<'_>, w: &Input<'_>, y: &mut CudaStorage, g: &Geometry) -> Result<()> {
    let (stream, options) = (x.device().cuda_stream(), options(x.dtype())?);
    let ((x, x_start), (w, w_start)) = (x.parts(), w.parts());
    let (x, _read_x) = pointer(x, x_start, &stream)?;
    let (w, _read_w) = pointer(w, w_start, &stream)?;
    let (y, _written) = pointer_mut(y, 0, &stream)?;
    // SAFETY: the three lie on the stream's device, with the shapes of the geometry.
    unsafe { conv::forward(&stream, &geometry(g), options, x, w, y) }.map_err(Error::wrap)
}

pub(super) fn scatter(x: &Input<'_>, w: &Input<'_>, y: &mut CudaStorage, g: &Geometry) -> Result<()> {
    let (stream, options) = (x.device().cuda_stream(), options(x.dtype())?);
    let ((x, x_start), (w, w_start)) = (x.parts(), w.parts());
    let (x, _read_x) = pointer(x, x_start, &stream)?;
    let (w, _read_w) = pointer(w, w_start, &stream)?;
    let (y, _written) = pointer_mut(y, 0, &stream)?;
    // SAFETY: as in `correlate`.
    unsafe { conv::backward_data(&stream, &geometry(g), options, x, w, y) }.map_err(Error::wrap)
}

pub(super) fn add_weight_gradient(
    big: &Input<'_>,
    small: &Input<'_>,
    (sum, start): (&mut CudaStorage, usize),
    g: &Geometry,
) -> Result<()> {
    let (stream, options) = (big.device().cuda_stream(), options(big.dtype())?);
    let ((big, big_start), (small, small_start)) = (big.parts(), small.parts());
    let (big, _read_big) = pointer(big, big_start, &stream)?;
    let (small, _read_small) = pointer(small, small_start, &stream)?;
    let (sum, _written) = pointer_mut(sum, start, &stream)?;
    // SAFETY: as in `correlate`.
    unsafe { conv::backward_weight(&stream, &geometry(g), options, big, small, sum, true) }
        .map_err(Error::wrap)
}
