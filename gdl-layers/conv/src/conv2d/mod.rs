mod columns;
pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod kernel;
mod layer;
mod pooled;
mod reference;
mod single;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod single_tests;

pub(crate) use reference::windows;

pub use layer::Conv2d;
pub(crate) use layer::parameters_like;
pub use pooled::conv2d_pooled;

use crate::geometry::{Geometry, add_bias, check_bias, dims4, kernel_span, sliding_size};
use candle_core::{Module, Result, Tensor, bail};
use gdl_kernels::{Activation, has_kernel};
use serde::{Deserialize, Serialize};

/// How a [`conv2d`] moves over its input. Pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conv2dParams {
    /// Step of the kernel; 1 by default.
    pub stride: (usize, usize),
    /// Zeros added on each side; 0 by default.
    pub padding: (usize, usize),
    /// Distance between the kernel's taps; 1 by default.
    pub dilation: (usize, usize),
    /// Groups of channels convolved apart from each other; 1 by default.
    pub groups: usize,
}

impl Default for Conv2dParams {
    fn default() -> Self {
        Self { stride: (1, 1), padding: (0, 0), dilation: (1, 1), groups: 1 }
    }
}

/// Two-dimensional convolution (cross-correlation, as everywhere in deep learning).
///
/// `y[n,o,i,j] = bias[o] + sum over c,u,v of w[o,c,u,v] * x[n,c, i*stride + u*dilation - padding, j*…]`
///
/// # Shape
///
/// `x` `(N, C, H, W)`, `w` `(O, C / groups, kh, kw)`, `bias` `(O)`, result `(N, O, H', W')` with
/// `H' = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1`. `N` may be 0.
///
/// # Accuracy
///
/// On the CPU in f32, 3x3 kernels of stride 1 over images of 24 pixels or more with 16 channels or more go by
/// Winograd's algorithm, whose rounding is some five times that of the plain sum: 8e-7 of the result's standard
/// deviation at the root mean square, for 64 channels. f64 is always summed plainly.
///
/// # Errors
///
/// Where a shape does not fit, a stride, dilation or kernel size is 0, or the kernel is larger than the padded
/// input.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_conv::{Conv2dParams, conv2d};
///
/// let x = Tensor::ones((1, 1, 4, 5), DType::F32, &Device::Cpu)?;
/// let w = Tensor::ones((2, 1, 3, 3), DType::F32, &Device::Cpu)?;
/// let y = conv2d(&x, &w, None, &Conv2dParams { padding: (1, 1), ..Default::default() })?;
/// assert_eq!(y.dims(), [1, 2, 4, 5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.functional.conv2d`.
pub fn conv2d(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, params: &Conv2dParams) -> Result<Tensor> {
    conv2d_activated(x, w, bias, params, Activation::Identity)
}

/// [`conv2d`] and an activation.
///
/// On the CPU a rectifier is applied where the convolution writes its result, which costs nothing, and the result before it
/// is not kept: half the memory of the two one after the other.
///
/// # Shape, Errors
///
/// As [`conv2d`].
pub fn conv2d_activated(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
    activation: Activation,
) -> Result<Tensor> {
    conv2d_by(has_kernel(x), x, w, bias, params, activation)
}

/// [`conv2d_activated`], by the kernels or composed.
pub(crate) fn conv2d_by(
    kernels: bool,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
    activation: Activation,
) -> Result<Tensor> {
    let geometry = geometry(x, w, params)?;
    check_bias("conv2d", bias, geometry.c_small)?;
    if !kernels {
        return activation.forward(&add_bias(reference::conv2d(x, w, &geometry)?, bias)?);
    }
    // The backward pass reads the side of the kink from the sign of the result, which needs a slope of 0 or more.
    let slope = activation.slope().filter(|slope| *slope >= 0.0);
    let y = cpu::conv2d(x, w, bias, slope, &geometry)?;
    if slope.is_some() { Ok(y) } else { activation.forward(&y) }
}

fn geometry(x: &Tensor, w: &Tensor, params: &Conv2dParams) -> Result<Geometry> {
    let (n, c, h, width) = dims4("conv2d", "input", x)?;
    let (o, c_group, kh, kw) = dims4("conv2d", "weight", w)?;
    let &Conv2dParams { stride, padding, dilation, groups } = params;
    if groups == 0 || c != c_group * groups || o % groups != 0 {
        bail!(
            "conv2d: the input has {c} channels and there are {groups} groups, which the weight of shape \
             {:?} does not fit (expected (O, C / groups, kh, kw) with O divisible by groups)",
            w.dims()
        )
    }
    let span = kernel_span("conv2d", (kh, kw), dilation)?;
    let small = sliding_size("conv2d", (h, width), span, stride, padding)?;
    Ok(Geometry {
        batch: n,
        c_big: c,
        big: (h, width),
        c_small: o,
        small,
        kernel: (kh, kw),
        stride,
        padding: (padding.0 as isize, padding.1 as isize),
        dilation,
        groups,
    })
}
