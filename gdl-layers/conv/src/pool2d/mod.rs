mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod reference;

use crate::config::IntoPair;
use crate::geometry::{dims4, sliding_size};
use candle_core::{Result, Tensor, bail};
use gdl_kernels::has_kernel;
use serde::{Deserialize, Serialize};

/// The window of a pooling operator. Pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool2dParams {
    /// Size of the window.
    pub kernel: (usize, usize),
    /// Step of the window.
    pub stride: (usize, usize),
    /// Rows and columns added on each side, at most half the window: zeros for the average and the L2 norm,
    /// minus infinity for the maximum.
    pub padding: (usize, usize),
}

impl Pool2dParams {
    /// Windows that touch and do not overlap: the stride is the size of the window, and there is no padding.
    pub fn new(kernel: impl IntoPair) -> Self {
        let kernel = kernel.into_pair();
        Self { kernel, stride: kernel, padding: (0, 0) }
    }

    /// Sets the step.
    pub fn stride(mut self, stride: impl IntoPair) -> Self {
        self.stride = stride.into_pair();
        self
    }

    /// Sets the padding.
    pub fn padding(mut self, padding: impl IntoPair) -> Self {
        self.padding = padding.into_pair();
        self
    }
}

/// Which number stands for a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Max,
    Average,
    L2,
}

/// A pooling operator with the sizes it was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pooling {
    kind: Kind,
    shape: (usize, usize, usize, usize),
    out: (usize, usize),
    params: Pool2dParams,
}

/// The largest value of each window. Its gradient goes to the first of the largest values, in reading order.
///
/// # Shape
///
/// (N, C, H, W) -> (N, C, H', W'), `H' = floor((H + 2 padding - kernel) / stride) + 1`. `N` may be 0.
///
/// # Errors
///
/// Where the input is not four-dimensional, the window is empty or larger than the padded input, the stride
/// is 0, or the padding is more than half the window.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_conv::{Pool2dParams, max_pool2d};
///
/// let x = Tensor::new(&[[[[1f32, 2., 3.], [4., 5., 6.]]]], &Device::Cpu)?;
/// let y = max_pool2d(&x, &Pool2dParams::new(2).stride(1))?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [5., 6.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.functional.max_pool2d`, without dilation and ceiling mode.
pub fn max_pool2d(x: &Tensor, params: &Pool2dParams) -> Result<Tensor> {
    pool2d_by(has_kernel(x), x, Kind::Max, params)
}

/// The average of each window; zeros of the padding count (`count_include_pad=True`, as PyTorch has it).
///
/// # Shape
///
/// As [`max_pool2d`].
///
/// # Errors
///
/// As [`max_pool2d`].
///
/// # Source
///
/// `torch.nn.functional.avg_pool2d`, without ceiling mode.
pub fn avg_pool2d(x: &Tensor, params: &Pool2dParams) -> Result<Tensor> {
    pool2d_by(has_kernel(x), x, Kind::Average, params)
}

/// The average of the pixels each window really holds; the padding does not count
/// (`count_include_pad=False`).
///
/// # Shape
///
/// As [`max_pool2d`].
///
/// # Errors
///
/// As [`max_pool2d`].
///
/// # Source
///
/// `torch.nn.functional.avg_pool2d`, without ceiling mode.
pub fn avg_pool2d_exclude_pad(x: &Tensor, params: &Pool2dParams) -> Result<Tensor> {
    let average = avg_pool2d(x, params)?;
    if params.padding == (0, 0) {
        return Ok(average);
    }
    let (_, _, h, w) = dims4("avg_pool2d_exclude_pad", "input", x)?;
    let share = avg_pool2d(&Tensor::ones((1, 1, h, w), x.dtype(), x.device())?, params)?;
    average.broadcast_div(&share)
}

/// The Euclidean norm of each window, `sqrt(sum of squares)`.
///
/// Where a whole window is zero the gradient is 0 (PyTorch's is NaN there).
///
/// # Shape
///
/// As [`max_pool2d`].
///
/// # Errors
///
/// As [`max_pool2d`].
///
/// # Source
///
/// `torch.nn.LPPool2d(norm_type=2)`, which knows no padding.
pub fn l2_pool2d(x: &Tensor, params: &Pool2dParams) -> Result<Tensor> {
    pool2d_by(has_kernel(x), x, Kind::L2, params)
}

/// Any of the poolings, by the kernels or composed.
pub(crate) fn pool2d_by(kernels: bool, x: &Tensor, kind: Kind, params: &Pool2dParams) -> Result<Tensor> {
    let op = match kind {
        Kind::Max => "max_pool2d",
        Kind::Average => "avg_pool2d",
        Kind::L2 => "l2_pool2d",
    };
    let shape = dims4(op, "input", x)?;
    let &Pool2dParams { kernel, stride, padding } = params;
    if kernel.0 == 0 || kernel.1 == 0 {
        bail!("{op}: the window must be at least 1x1, got {}x{}", kernel.0, kernel.1)
    }
    if padding.0 > kernel.0 / 2 || padding.1 > kernel.1 / 2 {
        bail!("{op}: the padding {padding:?} must be at most half the window {kernel:?}")
    }
    let out = sliding_size(op, (shape.2, shape.3), kernel, stride, padding)?;
    let pooling = Pooling { kind, shape, out, params: *params };
    if kernels { cpu::pool2d(x, &pooling) } else { reference::pool2d(x, &pooling) }
}
