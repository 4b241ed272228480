//! A convolution as cuDNN sees it: a handle, four descriptors, and the calls that take them.

use super::algorithm::{Algorithm, Choice, Perf};
use super::conv::{Geometry, Options};
use super::descriptor::{Convolution, Filter, Tensor};
use super::error::{Result, check, int};
use super::handle::{Dtype, Handle, with_workspace};
use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::CudaStream;
use candle_core::cuda_backend::cudarc::driver::sys::CUdeviceptr;
use std::ffi::c_void;
use std::fmt::{self, Display};
use std::rc::Rc;
use std::sync::Arc;

/// Which of the three tensors is computed from the other two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    /// The small image.
    Forward,
    /// The big image.
    BackwardData,
    /// The weights.
    BackwardWeight,
}

impl Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::BackwardData => "data gradient",
            Self::BackwardWeight => "weight gradient",
        })
    }
}

/// Where the tensors are, each an input or the output as the pass has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffers {
    pub(super) big: CUdeviceptr,
    pub(super) weight: CUdeviceptr,
    pub(super) small: CUdeviceptr,
    /// Whether the result is added to what the output holds.
    pub(super) add: bool,
}

impl Buffers {
    fn pointers(self) -> (*mut c_void, *mut c_void, *mut c_void) {
        (self.big as *mut c_void, self.weight as *mut c_void, self.small as *mut c_void)
    }
}

/// A convolution of known shapes on one stream, for the thread that made it.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) geometry: Geometry,
    pub(super) options: Options,
    handle: Rc<Handle>,
    big: Tensor,
    weight: Filter,
    small: Tensor,
    convolution: Convolution,
}

impl Problem {
    pub(super) fn new(stream: &Arc<CudaStream>, geometry: Geometry, options: Options) -> Result<Self> {
        let dtype = options.dtype;
        Ok(Self {
            geometry,
            options,
            handle: Handle::of(stream)?,
            big: Tensor::nchw(dtype, geometry.big_shape())?,
            weight: Filter::nchw(dtype, geometry.weight_shape())?,
            small: Tensor::nchw(dtype, geometry.small_shape())?,
            convolution: convolution(&geometry, options)?,
        })
    }

    pub(super) fn stream(&self) -> &Arc<CudaStream> {
        self.handle.stream()
    }

    /// Sets how products are computed.
    pub(super) fn set_math(&self, math: sys::cudnnMathType_t) -> Result<()> {
        self.convolution.set_math(math)
    }

    /// Bytes of workspace that the algorithm takes; an error where it cannot compute this convolution.
    pub(super) fn workspace(&self, algorithm: Algorithm) -> Result<usize> {
        let (h, c, mut bytes) = (self.handle.raw(), self.convolution.raw(), 0);
        let (big, weight, small) = (self.big.raw(), self.weight.raw(), self.small.raw());
        let into = &mut bytes;
        // SAFETY: handle and descriptors are alive, and `into` is a place for the size.
        let (call, status) = unsafe {
            match algorithm {
                Algorithm::Forward(a) => (
                    "cudnnGetConvolutionForwardWorkspaceSize",
                    sys::cudnnGetConvolutionForwardWorkspaceSize(h, big, weight, c, small, a, into),
                ),
                Algorithm::BackwardData(a) => (
                    "cudnnGetConvolutionBackwardDataWorkspaceSize",
                    sys::cudnnGetConvolutionBackwardDataWorkspaceSize(h, weight, small, c, big, a, into),
                ),
                Algorithm::BackwardWeight(a) => (
                    "cudnnGetConvolutionBackwardFilterWorkspaceSize",
                    sys::cudnnGetConvolutionBackwardFilterWorkspaceSize(h, big, small, c, weight, a, into),
                ),
            }
        };
        check(call, status)?;
        Ok(bytes)
    }

    /// cuDNN's guess which algorithms are fast, the best first.
    pub(super) fn suggest(&self, pass: Pass) -> Result<Vec<Perf>> {
        let (h, c) = (self.handle.raw(), self.convolution.raw());
        let (big, weight, small) = (self.big.raw(), self.weight.raw(), self.small.raw());
        // SAFETY: handle and descriptors are alive, and `collect` hands out as much room as it announces, laid out
        // as cuDNN's three structures are.
        Perf::collect(|room, count, perfs| unsafe {
            match pass {
                Pass::Forward => (
                    "cudnnGetConvolutionForwardAlgorithm_v7",
                    sys::cudnnGetConvolutionForwardAlgorithm_v7(
                        h,
                        big,
                        weight,
                        c,
                        small,
                        room,
                        count,
                        perfs.cast(),
                    ),
                ),
                Pass::BackwardData => (
                    "cudnnGetConvolutionBackwardDataAlgorithm_v7",
                    sys::cudnnGetConvolutionBackwardDataAlgorithm_v7(
                        h,
                        weight,
                        small,
                        c,
                        big,
                        room,
                        count,
                        perfs.cast(),
                    ),
                ),
                Pass::BackwardWeight => (
                    "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
                    sys::cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                        h,
                        big,
                        small,
                        c,
                        weight,
                        room,
                        count,
                        perfs.cast(),
                    ),
                ),
            }
        })
    }

    /// Runs all algorithms that do with so much workspace, the fastest first. The output is overwritten.
    pub(super) fn measure(
        &self,
        pass: Pass,
        buffers: Buffers,
        workspace: CUdeviceptr,
        bytes: usize,
    ) -> Result<Vec<Perf>> {
        let (h, c, space) = (self.handle.raw(), self.convolution.raw(), workspace as *mut c_void);
        let (big, weight, small) = (self.big.raw(), self.weight.raw(), self.small.raw());
        let (b, w, s) = buffers.pointers();
        // SAFETY: as in `suggest`; the caller answers for the buffers, and the workspace has these bytes.
        Perf::collect(|room, count, perfs| unsafe {
            match pass {
                Pass::Forward => (
                    "cudnnFindConvolutionForwardAlgorithmEx",
                    sys::cudnnFindConvolutionForwardAlgorithmEx(
                        h,
                        big,
                        b,
                        weight,
                        w,
                        c,
                        small,
                        s,
                        room,
                        count,
                        perfs.cast(),
                        space,
                        bytes,
                    ),
                ),
                Pass::BackwardData => (
                    "cudnnFindConvolutionBackwardDataAlgorithmEx",
                    sys::cudnnFindConvolutionBackwardDataAlgorithmEx(
                        h,
                        weight,
                        w,
                        small,
                        s,
                        c,
                        big,
                        b,
                        room,
                        count,
                        perfs.cast(),
                        space,
                        bytes,
                    ),
                ),
                Pass::BackwardWeight => (
                    "cudnnFindConvolutionBackwardFilterAlgorithmEx",
                    sys::cudnnFindConvolutionBackwardFilterAlgorithmEx(
                        h,
                        big,
                        b,
                        small,
                        s,
                        c,
                        weight,
                        w,
                        room,
                        count,
                        perfs.cast(),
                        space,
                        bytes,
                    ),
                ),
            }
        })
    }

    /// Enqueues the convolution.
    pub(super) fn launch(&self, choice: &Choice, buffers: Buffers) -> Result<()> {
        self.set_math(choice.math)?;
        let (h, c, bytes) = (self.handle.raw(), self.convolution.raw(), choice.workspace);
        let (big, weight, small) = (self.big.raw(), self.weight.raw(), self.small.raw());
        let (b, w, s) = buffers.pointers();
        let (one, old) = (Factor::new(1.), Factor::new(if buffers.add { 1. } else { 0. }));
        let (one, old) = (one.address(self.options.dtype), old.address(self.options.dtype));
        with_workspace(self.stream(), bytes, |space| {
            // SAFETY: handle and descriptors are alive, both factors outlive the call and have the type that the
            // tensors' type asks for, the workspace has these bytes, and the caller answers for the buffers.
            let (call, status) = unsafe {
                match choice.algorithm {
                    Algorithm::Forward(a) => (
                        "cudnnConvolutionForward",
                        sys::cudnnConvolutionForward(
                            h, one, big, b, weight, w, c, a, space, bytes, old, small, s,
                        ),
                    ),
                    Algorithm::BackwardData(a) => (
                        "cudnnConvolutionBackwardData",
                        sys::cudnnConvolutionBackwardData(
                            h, one, weight, w, small, s, c, a, space, bytes, old, big, b,
                        ),
                    ),
                    Algorithm::BackwardWeight(a) => (
                        "cudnnConvolutionBackwardFilter",
                        sys::cudnnConvolutionBackwardFilter(
                            h, one, big, b, small, s, c, a, space, bytes, old, weight, w,
                        ),
                    ),
                }
            };
            check(call, status)
        })
    }
}

/// A scaling factor: cuDNN reads an `f64` with tensors of that type, and an `f32` with all others.
struct Factor {
    single: f32,
    double: f64,
}

impl Factor {
    fn new(value: f32) -> Self {
        Self { single: value, double: f64::from(value) }
    }

    fn address(&self, dtype: Dtype) -> *const c_void {
        if dtype == Dtype::F64 { (&raw const self.double).cast() } else { (&raw const self.single).cast() }
    }
}

fn convolution(geometry: &Geometry, options: Options) -> Result<Convolution> {
    let convolution = Convolution::empty()?;
    let Geometry { stride, padding, dilation, .. } = geometry;
    let (pad_h, pad_w) = (int(padding.0)?, int(padding.1)?);
    let (stride_h, stride_w) = (int(stride.0)?, int(stride.1)?);
    let (dilation_h, dilation_w) = (int(dilation.0)?, int(dilation.1)?);
    // SAFETY: the descriptor is alive. Cross-correlation is what networks call convolution.
    let status = unsafe {
        sys::cudnnSetConvolution2dDescriptor(
            convolution.raw(),
            pad_h,
            pad_w,
            stride_h,
            stride_w,
            dilation_h,
            dilation_w,
            sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
            options.dtype.compute(),
        )
    };
    check("cudnnSetConvolution2dDescriptor", status)?;
    // SAFETY: the descriptor is alive.
    let status = unsafe { sys::cudnnSetConvolutionGroupCount(convolution.raw(), int(geometry.groups)?) };
    check("cudnnSetConvolutionGroupCount", status)?;
    convolution.set_math(options.dtype.math(options.tf32))?;
    Ok(convolution)
}

#[cfg(test)]
mod tests {
    use super::super::conv::tests::GEOMETRY;
    use super::*;

    /// cuDNN agrees about the small image: kernel, stride, padding, dilation and groups each stand in their place.
    #[test]
    fn cudnn_computes_the_same_shape() {
        let options = Options { dtype: Dtype::F32, tf32: false, deterministic: false };
        let convolution = convolution(&GEOMETRY, options).unwrap();
        let big = Tensor::nchw(Dtype::F32, GEOMETRY.big_shape()).unwrap();
        let weight = Filter::nchw(Dtype::F32, GEOMETRY.weight_shape()).unwrap();
        let [mut n, mut c, mut h, mut w] = [0; 4];
        let (conv, x, f) = (convolution.raw(), big.raw(), weight.raw());
        // SAFETY: the descriptors are alive, and the four places take the sizes.
        let status =
            unsafe { sys::cudnnGetConvolution2dForwardOutputDim(conv, x, f, &mut n, &mut c, &mut h, &mut w) };
        check("cudnnGetConvolution2dForwardOutputDim", status).unwrap();
        assert_eq!([n, c, h, w].map(|size| size as usize), GEOMETRY.small_shape());
    }

    #[test]
    fn factors_have_the_type_of_sums() {
        let factor = Factor::new(0.5);
        // SAFETY: `address` points to the field of this type.
        unsafe {
            assert_eq!(*factor.address(Dtype::BF16).cast::<f32>(), 0.5);
            assert_eq!(*factor.address(Dtype::F64).cast::<f64>(), 0.5);
        }
    }
}
