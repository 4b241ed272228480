use crate::stage::{Stage, jvp};
use crate::{BookGanConfig, Discriminator};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_conv::Conv2dConfig;
use gdl_norm::NormKind;

/// The discriminator of the book *Generative Deep Learning*: four 4x4 convolutions, leaky ReLU (slope 0.2) after each, Keras-contrib's
/// instance norm before it in all but the first, and a fifth that scores.
///
/// Three or all four of them have stride 2; the borders are padded as Keras does, so that nothing else takes pixels away.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, 1, H', W'): H and W halved 4 times, or 3, rounded up. 128x128 becomes 8x8, or 16x16.
///
/// # Parameters
///
/// `conv.N.weight` (out, in, 4, 4) and `conv.N.bias` (out), N = 0, 2, 4, 6, 8: the norms count.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_patchgan::{BookGan, BookGanConfig};
///
/// let config = BookGanConfig::new(3).base_channels(2);
/// let disc = BookGan::new(&config, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let scores = disc.forward(&Tensor::zeros((1, 3, 128, 128), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(scores.dims(), [1, 1, 8, 8]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// D. Foster, *Generative Deep Learning*, chapter 5: the text describes an 8x8 map of scores; `build_discriminator` in
/// `models/cycleGAN.py` of davidADSP/GDL_code gives 16x16, by a stride of 1 in the fourth convolution.
#[derive(Debug, Clone)]
pub struct BookGan {
    config: BookGanConfig,
    stages: Vec<Stage>,
}

impl BookGan {
    /// Builds the discriminator.
    ///
    /// # Errors
    ///
    /// Where there are no channels, neither 3 nor 4 halvings, or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &BookGanConfig, vb: VarBuilder) -> Result<Self> {
        let &BookGanConfig { in_channels, base_channels, halvings, init } = config;
        if in_channels == 0 || base_channels == 0 || !(3..=4).contains(&halvings) {
            bail!(
                "BookGan: needs at least one input and one base channel and 3 or 4 halvings, got {config:?}"
            )
        }
        let vb = vb.pp("conv");
        let conv = |from, to, stride: usize| Conv2dConfig::new(from, to, 4).stride(stride);
        let mut stages = vec![Stage::first(&conv(in_channels, base_channels, 2), init, vb.pp(0))?];
        for i in 1..4 {
            let conv = conv(base_channels << (i - 1), base_channels << i, if i < halvings { 2 } else { 1 });
            stages.push(Stage::normed(&conv, NormKind::Keras, init, &vb, 2 * i)?);
        }
        stages.push(Stage::last(&conv(base_channels << 3, 1, 1), init, vb.pp(8))?);
        Ok(Self { config: config.clone(), stages: stages.into_iter().map(Stage::keras_same).collect() })
    }

    /// The configuration the discriminator was built from.
    pub fn config(&self) -> &BookGanConfig {
        &self.config
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let channels = self.config.in_channels;
        match *x.dims() {
            [_, c, h, w] if c == channels && h > 0 && w > 0 => Ok(()),
            _ => bail!("BookGan: expected an input of shape (N, {channels}, H, W), got {:?}", x.dims()),
        }
    }
}

impl Module for BookGan {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        self.stages.iter().try_fold(x.clone(), |x, stage| stage.forward(&x))
    }
}

impl Discriminator for BookGan {
    fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        self.check(x)?;
        jvp(&self.stages, x, dx)
    }
}
