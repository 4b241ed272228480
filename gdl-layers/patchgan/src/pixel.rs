use crate::stage::{Stage, jvp};
use crate::{Discriminator, PixelGanConfig};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_conv::Conv2dConfig;

/// The pixel discriminator: one score per pixel, from its colour alone (but for the statistics of the norm).
///
/// Three 1x1 convolutions, leaky ReLU (slope 0.2) between them, a norm after the second.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, 1, H, W)
///
/// # Parameters
///
/// `net.N.weight` (out, in, 1, 1) and `net.N.bias` (out), N = 0, 2, 5, as in the reference implementation. Without instance
/// norm only the first has a `bias`; batch norm has its own [parameters](gdl_norm::BatchNorm2d) under `net.3`.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_patchgan::{PixelGan, PixelGanConfig};
///
/// let disc = PixelGan::new(&PixelGanConfig::new(3), VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let scores = disc.forward(&Tensor::zeros((1, 3, 7, 9), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(scores.dims(), [1, 1, 7, 9]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks* (1611.07004), "PixelGAN";
/// `PixelDiscriminator` of pytorch-CycleGAN-and-pix2pix.
#[derive(Debug, Clone)]
pub struct PixelGan {
    config: PixelGanConfig,
    stages: Vec<Stage>,
}

impl PixelGan {
    /// Builds the discriminator.
    ///
    /// # Errors
    ///
    /// Where there are no channels or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &PixelGanConfig, vb: VarBuilder) -> Result<Self> {
        let &PixelGanConfig { in_channels, base_channels, norm, init } = config;
        if in_channels == 0 || base_channels == 0 {
            bail!("PixelGan: needs at least one input channel and one base channel, got {config:?}")
        }
        let vb = vb.pp("net");
        let conv = |from: usize, to: usize| Conv2dConfig::new(from, to, 1);
        let stages = vec![
            Stage::first(&conv(in_channels, base_channels), init, vb.pp(0))?,
            Stage::normed(&conv(base_channels, 2 * base_channels), norm, init, &vb, 2)?,
            Stage::last(&conv(2 * base_channels, 1).bias(norm.conv_bias()), init, vb.pp(5))?,
        ];
        Ok(Self { config: config.clone(), stages })
    }

    /// The configuration the discriminator was built from.
    pub fn config(&self) -> &PixelGanConfig {
        &self.config
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let channels = self.config.in_channels;
        match *x.dims() {
            [_, c, _, _] if c == channels => Ok(()),
            _ => bail!("PixelGan: expected an input of shape (N, {channels}, H, W), got {:?}", x.dims()),
        }
    }
}

impl Module for PixelGan {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        self.stages.iter().try_fold(x.clone(), |x, stage| stage.forward(&x))
    }
}

impl Discriminator for PixelGan {
    fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        self.check(x)?;
        jvp(&self.stages, x, dx)
    }
}
