//! Convolutions through cuDNN.

use crate::geometry::Geometry;
use candle_core::cuda_backend::cudarc::driver::CudaStream;
use candle_core::cuda_backend::gemm_reduced_precision_f32;
use candle_core::{CudaStorage, DType, Error, Result, bail};
use gdl_kernels::cuda::cudnn::{Dtype, conv};
use gdl_kernels::cuda::{Input, pointer_mut};
use std::sync::Arc;

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

/// One of cuDNN's convolutions that read an image and the weights and write the other image.
type Convolution = unsafe fn(
    &Arc<CudaStream>,
    &conv::Geometry,
    conv::Options,
    u64,
    u64,
    u64,
) -> gdl_kernels::cuda::cudnn::Result<()>;

pub(super) fn correlate(x: &Input<'_>, w: &Input<'_>, y: &mut CudaStorage, g: &Geometry) -> Result<()> {
    convolve(conv::forward, x, w, y, g)
}

pub(super) fn scatter(x: &Input<'_>, w: &Input<'_>, y: &mut CudaStorage, g: &Geometry) -> Result<()> {
    convolve(conv::backward_data, x, w, y, g)
}

fn convolve(
    convolution: Convolution,
    x: &Input<'_>,
    w: &Input<'_>,
    y: &mut CudaStorage,
    g: &Geometry,
) -> Result<()> {
    let (stream, options) = (x.device().cuda_stream(), options(x.dtype())?);
    let ((x, _read_x), (w, _read_w)) = (x.pointer(&stream)?, w.pointer(&stream)?);
    let (y, _written) = pointer_mut(y, 0, &stream)?;
    // SAFETY: the three lie on the stream's device, with the shapes of the geometry.
    unsafe { convolution(&stream, &geometry(g), options, x, w, y) }.map_err(Error::wrap)
}

pub(super) fn add_weight_gradient(
    big: &Input<'_>,
    small: &Input<'_>,
    (sum, start): (&mut CudaStorage, usize),
    g: &Geometry,
) -> Result<()> {
    let (stream, options) = (big.device().cuda_stream(), options(big.dtype())?);
    let ((big, _read_big), (small, _read_small)) = (big.pointer(&stream)?, small.pointer(&stream)?);
    let (sum, _written) = pointer_mut(sum, start, &stream)?;
    // SAFETY: as in `convolve`.
    unsafe { conv::backward_weight(&stream, &geometry(g), options, big, small, sum, true) }
        .map_err(Error::wrap)
}
