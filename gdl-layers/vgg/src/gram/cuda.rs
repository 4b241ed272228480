//! The Gram matrix on CUDA: one product, which takes the scale along.

use candle_core::{CudaStorage, Layout, Result, Shape};
use gdl_kernels::cuda::gemm::{Mat, Put, gemm};
use gdl_kernels::cuda::{Input, empty, pointer_mut};

/// `scale * f f^T` for each image.
pub(super) fn forward(f: &CudaStorage, layout: &Layout, scale: f64) -> Result<(CudaStorage, Shape)> {
    let (n, c, h, w) = layout.shape().dims4()?;
    let (f, p, shape) = (Input::new(f, layout)?, h * w, Shape::from((n, c, c)));
    let (device, dtype) = (f.device(), f.dtype());
    let mut out = empty(device, dtype, &shape)?;
    let stream = device.cuda_stream();
    {
        let (from, _reads) = f.pointer(&stream)?;
        let (to, _writes) = pointer_mut(&mut out, 0, &stream)?;
        for image in 0..n {
            let own = Mat::new(from + (image * c * p * dtype.size_in_bytes()) as u64, p);
            let gram = Mat::new(to + (image * c * c * dtype.size_in_bytes()) as u64, c);
            // SAFETY: the features of an image are (c, p), its matrix (c, c), both whole in live storages of their own.
            unsafe { gemm(device, dtype, (c, c, p), own, own.t(), gram, Put::Scaled(scale))? };
        }
    }
    Ok((out, shape))
}
