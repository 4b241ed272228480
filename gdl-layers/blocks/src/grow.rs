use candle_core::{Module, Result, Tensor};
use gdl_conv::{Conv2d, ConvTranspose2d, upsample_nearest2d};

/// How a map is doubled; see [`Upsampling`](crate::Upsampling).
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, 2 H, 2 W), with convolutions that are configured so.
#[derive(Debug, Clone)]
pub enum Grow {
    /// By a transposed convolution of stride 2.
    Transposed(ConvTranspose2d),
    /// By repeating every pixel, and a convolution over that.
    Resize(Conv2d),
}

impl Module for Grow {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Transposed(conv) => conv.forward(x),
            Self::Resize(conv) => conv.forward(&upsample_nearest2d(x, 2)?),
        }
    }
}
