use crate::stage::{Stage, jvp};
use crate::{Discriminator, PatchGanConfig};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_conv::Conv2dConfig;

/// The PatchGAN discriminator: one score for each of many overlapping patches.
///
/// 4x4 convolutions with padding 1: `n_layers` with stride 2, then two with stride 1; leaky ReLU (slope 0.2) between
/// them, a norm before it in all stages but the first. Batch norm takes the batch's statistics in every pass: a
/// discriminator serves in training alone.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, 1, H', W'). Each stride-2 convolution halves the size (rounding down), each of the last
/// two takes one off: 256x256 becomes 30x30 with 3 layers. Images must leave a pixel: at least 24x24 with 3 layers.
///
/// # Parameters
///
/// `model.N.weight` (out, in, 4, 4) and `model.N.bias` (out), N = 0, 2, 5, 8, 11 for 3 layers: the reference
/// implementation's numbers, which count norms and activations. Without instance norm only the first and the last have a
/// `bias`; batch norm has its own [parameters](gdl_norm::BatchNorm2d) under N + 1.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_patchgan::{PatchGan, PatchGanConfig};
///
/// let config = PatchGanConfig::new(3).base_channels(2);
/// let disc = PatchGan::new(&config, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let scores = disc.forward(&Tensor::zeros((1, 3, 256, 256), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(scores.dims(), [1, 1, 30, 30]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks* (1611.07004);
/// `NLayerDiscriminator` of pytorch-CycleGAN-and-pix2pix.
#[derive(Debug, Clone)]
pub struct PatchGan {
    config: PatchGanConfig,
    stages: Vec<Stage>,
}

impl PatchGan {
    /// Builds the discriminator.
    ///
    /// # Errors
    ///
    /// Where there are no channels or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &PatchGanConfig, vb: VarBuilder) -> Result<Self> {
        let &PatchGanConfig { in_channels, base_channels, n_layers, norm, init } = config;
        if in_channels == 0 || base_channels == 0 {
            bail!("PatchGan: needs at least one input channel and one base channel, got {config:?}")
        }
        let vb = vb.pp("model");
        let conv =
            |from: usize, to: usize, stride: usize| Conv2dConfig::new(from, to, 4).stride(stride).padding(1);
        // Doubled by each layer, up to 8 times.
        let width = |layer: usize| base_channels * (1 << layer.min(3));
        let mut stages = vec![Stage::first(&conv(in_channels, base_channels, 2), init, vb.pp(0))?];
        let mut index = 2;
        for layer in 1..n_layers {
            stages.push(Stage::normed(&conv(width(layer - 1), width(layer), 2), norm, init, &vb, index)?);
            index += 3;
        }
        let last_strided = n_layers.max(1) - 1;
        stages.push(Stage::normed(&conv(width(last_strided), width(n_layers), 1), norm, init, &vb, index)?);
        index += 3;
        stages.push(Stage::last(&conv(width(n_layers), 1, 1), init, vb.pp(index))?);
        Ok(Self { config: config.clone(), stages })
    }

    /// The configuration the discriminator was built from.
    pub fn config(&self) -> &PatchGanConfig {
        &self.config
    }

    /// The size (height, width) of the scores for an image of that size; none where the image is too small.
    pub fn output_size(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        // The first convolution has stride 2 even with no layers; the last two have stride 1.
        let halvings = self.stages.len() - 2;
        let one = |size: usize| {
            (0..halvings).fold(size, |size, _| size / 2).checked_sub(2).filter(|&size| size > 0)
        };
        Some((one(height)?, one(width)?))
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let channels = self.config.in_channels;
        let [_, c, h, w] = *x.dims() else {
            bail!("PatchGan: the input must have shape (N, {channels}, H, W), got {:?}", x.dims())
        };
        if c != channels {
            bail!("PatchGan: expected {channels} channels, got an input of shape {:?}", x.dims())
        }
        if self.output_size(h, w).is_none() {
            bail!("PatchGan: with {} layers {h}x{w} pixels are too few for one score", self.config.n_layers)
        }
        Ok(())
    }
}

impl Module for PatchGan {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        self.stages.iter().try_fold(x.clone(), |x, stage| stage.forward(&x))
    }
}

impl Discriminator for PatchGan {
    fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        self.check(x)?;
        jvp(&self.stages, x, dx)
    }
}
