mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod reference;

use crate::geometry::dims4;
use candle_core::{Result, Tensor, bail};
use gdl_kernels::has_kernel;
use serde::{Deserialize, Serialize};

/// How many rows and columns [`pad2d`] adds on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pad {
    /// Columns on the left.
    pub left: usize,
    /// Columns on the right.
    pub right: usize,
    /// Rows at the top.
    pub top: usize,
    /// Rows at the bottom.
    pub bottom: usize,
}

impl Pad {
    /// The same on all four sides.
    pub fn same(n: usize) -> Self {
        Self { left: n, right: n, top: n, bottom: n }
    }

    /// What Keras adds with `padding="same"` for a square kernel: the output is as large as the input divided by the stride,
    /// rounded up, and where the sum is odd the right and the bottom get one more than the left and the top.
    ///
    /// ```
    /// use gdl_conv::Pad;
    ///
    /// assert_eq!(Pad::keras_same((8, 8), 4, 2), Pad::same(1));
    /// assert_eq!(Pad::keras_same((8, 8), 4, 1), Pad { left: 1, right: 2, top: 1, bottom: 2 });
    /// ```
    pub fn keras_same((height, width): (usize, usize), kernel: usize, stride: usize) -> Self {
        let total = |n: usize| {
            let out = n.div_ceil(stride.max(1));
            ((out.saturating_sub(1)) * stride + kernel).saturating_sub(n)
        };
        let (rows, columns) = (total(height), total(width));
        Self { left: columns / 2, right: columns.div_ceil(2), top: rows / 2, bottom: rows.div_ceil(2) }
    }

    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What stands in the padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    /// Zeros; the default.
    #[default]
    Zero,
    /// The image mirrored at its border, which is not itself repeated: `c b | a b c | b a`.
    Reflect,
    /// The border repeated: `a a | a b c | c c`.
    Replicate,
}

/// Pads the two last axes.
///
/// # Shape
///
/// (N, C, H, W) -> (N, C, top + H + bottom, left + W + right). `N` may be 0.
///
/// # Errors
///
/// Where the input is not four-dimensional or has no pixels, and where a reflection would reach beyond the
/// image (the padding must be smaller than the size of its axis).
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_conv::{Pad, PadMode, pad2d};
///
/// let row = Tensor::new(&[[[[1f32, 2., 3.]]]], &Device::Cpu)?;
/// let sides = Pad { left: 2, right: 1, ..Pad::default() };
/// let padded = pad2d(&row, sides, PadMode::Reflect)?;
/// assert_eq!(padded.flatten_all()?.to_vec1::<f32>()?, [3., 2., 1., 2., 3., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.functional.pad` with the modes `constant`, `reflect` and `replicate`.
pub fn pad2d(x: &Tensor, pad: Pad, mode: PadMode) -> Result<Tensor> {
    pad2d_by(has_kernel(x), x, pad, mode)
}

/// [`pad2d`], by the kernels or composed.
pub(crate) fn pad2d_by(kernels: bool, x: &Tensor, pad: Pad, mode: PadMode) -> Result<Tensor> {
    let (_, _, h, w) = dims4("pad2d", "input", x)?;
    if h == 0 || w == 0 {
        bail!("pad2d: the input must be at least 1x1, got {h}x{w}")
    }
    if mode == PadMode::Reflect && (pad.top.max(pad.bottom) >= h || pad.left.max(pad.right) >= w) {
        bail!("pad2d: reflection needs padding smaller than the image, got {pad:?} for {h}x{w}")
    }
    if pad.is_empty() {
        return Ok(x.clone());
    }
    if kernels { cpu::pad2d(x, pad, mode) } else { reference::pad2d(x, pad, mode) }
}

/// Which entry of an axis of `size` stands at position `i` of the padded axis; none where a zero stands.
fn source(mode: PadMode, i: usize, before: usize, size: usize) -> Option<usize> {
    let last = size - 1;
    let inside = (before..before + size).contains(&i);
    match mode {
        _ if inside => Some(i - before),
        PadMode::Zero => None,
        PadMode::Replicate => Some(i.saturating_sub(before).min(last)),
        PadMode::Reflect if i < before => Some(before - i),
        PadMode::Reflect => Some(last - (i - before - last)),
    }
}
