use crate::ResidualBlockConfig;
use crate::dropout::LateDropout;
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_conv::{Conv2d, Conv2dConfig, PadMode};
use gdl_kernels::{Activation, rng::SharedRng};
use gdl_norm::{Norm2d, NormConfig};

/// A residual block: `x + norm(conv(dropout(relu(norm(conv(x))))))` with padded 3x3 convolutions.
///
/// # Shape
///
/// (N, channels, H, W) -> the same. Reflection needs images of at least 2x2 pixels.
///
/// # Parameters
///
/// The two convolutions, `conv_block.N.weight` (channels, channels, 3, 3) and `conv_block.N.bias` (channels), where N
/// counts the parts of the reference implementation's block, in which reflection and replication are parts of
/// their own:
///
/// | padding | dropout | first | second |
/// | --- | --- | --- | --- |
/// | reflection, replication | no | 1 | 5 |
/// | reflection, replication | yes | 1 | 6 |
/// | zeros | no | 0 | 3 |
/// | zeros | yes | 0 | 4 |
///
/// With batch norm its [parameters](gdl_norm::BatchNorm2d) under N + 1 as well, and no `bias` of the convolutions; without norm no
/// `bias` either.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_blocks::{ResidualBlock, ResidualBlockConfig};
///
/// let block = ResidualBlock::new(&ResidualBlockConfig::new(8), VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let x = Tensor::ones((1, 8, 5, 6), DType::F32, &Device::Cpu)?;
/// assert_eq!(block.forward(&x)?.dims(), x.dims());
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Johnson, Alahi and Fei-Fei, *Perceptual Losses* (1603.08155), with the norm of choice; `ResnetBlock` of
/// pytorch-CycleGAN-and-pix2pix.
#[derive(Debug, Clone)]
pub struct ResidualBlock {
    config: ResidualBlockConfig,
    first: (Conv2d, Norm2d),
    dropout: Option<LateDropout>,
    second: (Conv2d, Norm2d),
}

impl ResidualBlock {
    /// Builds the block.
    ///
    /// # Errors
    ///
    /// Where there are no channels or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &ResidualBlockConfig, vb: VarBuilder) -> Result<Self> {
        let &ResidualBlockConfig { channels, pad_mode, dropout, norm, init } = config;
        if channels == 0 {
            bail!("ResidualBlock: needs at least one channel")
        }
        let vb = vb.pp("conv_block");
        let pads = usize::from(pad_mode != PadMode::Zero);
        let first = pads;
        // After the first convolution: its norm, ReLU, perhaps dropout, perhaps padding.
        let second = first + 3 + usize::from(dropout) + pads;
        let conv =
            Conv2dConfig::new(channels, channels, 3).padding(1).pad_mode(pad_mode).bias(norm.conv_bias());
        let norm = NormConfig::new(norm, channels).init(init);
        let (weight, bias) = init.conv([channels, channels, 3, 3]);
        let part = |index: usize, activation: Activation| -> Result<(Conv2d, Norm2d)> {
            Ok((
                Conv2d::new_with_init(&conv, weight, bias, vb.pp(index))?,
                Norm2d::new(&norm.clone().activation(activation), vb.pp(index + 1))?,
            ))
        };
        Ok(Self {
            config: config.clone(),
            first: part(first, Activation::Relu)?,
            dropout: dropout.then(|| LateDropout::new("ResidualBlock")),
            second: part(second, Activation::Identity)?,
        })
    }

    /// Gives the block the generator that its dropout draws from; training with dropout needs one.
    pub fn with_rng(mut self, rng: SharedRng) -> Self {
        if let Some(dropout) = &mut self.dropout {
            dropout.set_rng(rng);
        }
        self
    }

    /// The configuration the block was built from.
    pub fn config(&self) -> &ResidualBlockConfig {
        &self.config
    }

    /// The two convolutions with their norms; the first norm has the ReLU in it. Between them stands the dropout of training.
    pub fn parts(&self) -> [(&Conv2d, &Norm2d); 2] {
        [(&self.first.0, &self.first.1), (&self.second.0, &self.second.1)]
    }

    /// Applies the block as for inference: without dropout, batch norm by its running statistics.
    ///
    /// # Errors
    ///
    /// Where the shape does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_t(x, false)
    }
}

impl ModuleT for ResidualBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = self.first.1.forward_t(&self.first.0.forward(x)?, train)?;
        if let Some(dropout) = &self.dropout {
            y = dropout.forward_t(&y, train)?;
        }
        x + self.second.1.forward_t(&self.second.0.forward(&y)?, train)?
    }
}
