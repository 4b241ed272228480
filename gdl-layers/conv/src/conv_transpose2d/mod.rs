mod layer;
mod reference;

pub use layer::ConvTranspose2d;

use crate::conv2d::cpu;
use crate::geometry::{Geometry, add_bias, check_bias, dims4, kernel_span};
use candle_core::{Result, Tensor, bail};
use gdl_kernels::has_kernel;
use serde::{Deserialize, Serialize};

/// How a [`conv_transpose2d`] spreads its input. Pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConvTranspose2dParams {
    /// Up-scaling step; 1 by default.
    pub stride: (usize, usize),
    /// Rows and columns cut from each side of the output; 0 by default.
    pub padding: (usize, usize),
    /// Rows and columns added at the bottom and right of the output; 0 by default.
    pub output_padding: (usize, usize),
    /// Distance between the kernel's taps; 1 by default.
    pub dilation: (usize, usize),
    /// Groups of channels treated apart from each other; 1 by default.
    pub groups: usize,
}

impl Default for ConvTranspose2dParams {
    fn default() -> Self {
        Self { stride: (1, 1), padding: (0, 0), output_padding: (0, 0), dilation: (1, 1), groups: 1 }
    }
}

/// Transposed convolution: the gradient of [`conv2d`](crate::conv2d) with respect to its input, as a layer
/// that makes images larger.
///
/// `y[n,o, i*stride + u*dilation - padding, j*…] += w[c,o,u,v] * x[n,c,i,j]`, on top of `bias[o]`
///
/// # Shape
///
/// `x` `(N, C, H, W)`, `w` `(C, O / groups, kh, kw)`, `bias` `(O)`, result `(N, O, H', W')` with
/// `H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1`. `N` may be 0.
///
/// # Errors
///
/// Where a shape does not fit, a stride, dilation or kernel size is 0, the output padding is not smaller than
/// the stride or the dilation, or nothing of the output is left after cutting the padding.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_conv::{ConvTranspose2dParams, conv_transpose2d};
///
/// let x = Tensor::ones((1, 2, 4, 5), DType::F32, &Device::Cpu)?;
/// let w = Tensor::ones((2, 3, 3, 3), DType::F32, &Device::Cpu)?;
/// let twice = ConvTranspose2dParams {
///     stride: (2, 2),
///     padding: (1, 1),
///     output_padding: (1, 1),
///     ..Default::default()
/// };
/// assert_eq!(conv_transpose2d(&x, &w, None, &twice)?.dims(), [1, 3, 8, 10]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.functional.conv_transpose2d`.
pub fn conv_transpose2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    params: &ConvTranspose2dParams,
) -> Result<Tensor> {
    conv_transpose2d_by(has_kernel(x), x, w, bias, params)
}

/// [`conv_transpose2d`], by the kernels or composed.
pub(crate) fn conv_transpose2d_by(
    kernels: bool,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    params: &ConvTranspose2dParams,
) -> Result<Tensor> {
    let geometry = geometry(x, w, params)?;
    check_bias("conv_transpose2d", bias, geometry.c_big)?;
    if kernels {
        return cpu::conv_transpose2d(x, w, bias, &geometry);
    }
    add_bias(reference::conv_transpose2d(x, w, &geometry)?, bias)
}

fn geometry(x: &Tensor, w: &Tensor, params: &ConvTranspose2dParams) -> Result<Geometry> {
    let (n, c, h, width) = dims4("conv_transpose2d", "input", x)?;
    let (c_weight, o_group, kh, kw) = dims4("conv_transpose2d", "weight", w)?;
    let &ConvTranspose2dParams { stride, padding, output_padding, dilation, groups } = params;
    if groups == 0 || c != c_weight || c % groups != 0 {
        bail!(
            "conv_transpose2d: the input has {c} channels and there are {groups} groups, which the weight of \
             shape {:?} does not fit (expected (C, O / groups, kh, kw) with C divisible by groups)",
            w.dims()
        )
    }
    if stride.0 == 0 || stride.1 == 0 {
        bail!("conv_transpose2d: the stride must be at least 1, got {stride:?}")
    }
    if h == 0 || width == 0 {
        bail!("conv_transpose2d: the input must be at least 1x1, got {h}x{width}")
    }
    let span = kernel_span("conv_transpose2d", (kh, kw), dilation)?;
    if output_padding.0 >= stride.0.max(dilation.0) || output_padding.1 >= stride.1.max(dilation.1) {
        bail!(
            "conv_transpose2d: the output padding {output_padding:?} must be smaller than the stride {stride:?} \
             or the dilation {dilation:?}"
        )
    }
    let full =
        ((h - 1) * stride.0 + span.0 + output_padding.0, (width - 1) * stride.1 + span.1 + output_padding.1);
    if full.0 <= 2 * padding.0 || full.1 <= 2 * padding.1 {
        bail!(
            "conv_transpose2d: nothing is left of the {}x{} output after cutting {padding:?} from each side",
            full.0,
            full.1
        )
    }
    Ok(Geometry {
        batch: n,
        c_big: o_group * groups,
        big: (full.0 - 2 * padding.0, full.1 - 2 * padding.1),
        c_small: c,
        small: (h, width),
        kernel: (kh, kw),
        stride,
        padding: (padding.0 as isize, padding.1 as isize),
        dilation,
        groups,
    })
}
