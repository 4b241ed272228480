//! The operators of this crate composed of plain candle operators: right on every backend, and slow.
//!
//! Devices without a kernel run them, and the kernels are tested against them. Shapes and errors are those of the
//! functions of the same names at the root of the crate.

use crate::conv_transpose2d::conv_transpose2d_by;
use crate::conv2d::conv2d_by;
use crate::pad2d::pad2d_by;
use crate::pool2d::{Kind, pool2d_by};
use crate::upsample_nearest2d::upsample_nearest2d_by;
use crate::{Conv2dParams, ConvTranspose2dParams, Pad, PadMode, Pool2dParams};
use candle_core::{Result, Tensor};
use gdl_kernels::Activation;

/// [`conv2d`](crate::conv2d()), composed.
pub fn conv2d(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, params: &Conv2dParams) -> Result<Tensor> {
    conv2d_by(false, x, w, bias, params, Activation::Identity)
}

/// [`conv_transpose2d`](crate::conv_transpose2d()), composed.
pub fn conv_transpose2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    params: &ConvTranspose2dParams,
) -> Result<Tensor> {
    conv_transpose2d_by(false, x, w, bias, params)
}

/// [`pad2d`](crate::pad2d()), composed.
pub fn pad2d(x: &Tensor, pad: Pad, mode: PadMode) -> Result<Tensor> {
    pad2d_by(false, x, pad, mode)
}

/// [`max_pool2d`](crate::max_pool2d), composed.
pub fn max_pool2d(x: &Tensor, params: &Pool2dParams) -> Result<Tensor> {
    pool2d_by(false, x, Kind::Max, params)
}

/// [`avg_pool2d`](crate::avg_pool2d), composed.
pub fn avg_pool2d(x: &Tensor, params: &Pool2dParams) -> Result<Tensor> {
    pool2d_by(false, x, Kind::Average, params)
}

/// [`l2_pool2d`](crate::l2_pool2d), composed.
pub fn l2_pool2d(x: &Tensor, params: &Pool2dParams) -> Result<Tensor> {
    pool2d_by(false, x, Kind::L2, params)
}

/// [`upsample_nearest2d`](crate::upsample_nearest2d()), composed.
pub fn upsample_nearest2d(x: &Tensor, scale: usize) -> Result<Tensor> {
    upsample_nearest2d_by(false, x, scale)
}
