use crate::dropout::LateDropout;
use crate::{Grow, UnetPosition, UnetUpConfig, Upsampling};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, PadMode};
use gdl_kernels::{Activation, rng::SharedRng};
use gdl_norm::{Norm2d, NormConfig};

/// A step up in a U-Net: ReLU, doubling of the size, norm, perhaps dropout.
///
/// An outermost step ends in tanh in place of the norm.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, 2 H, 2 W).
///
/// # Parameters
///
/// `weight` and, with instance norm and in an outermost step, `bias` (out_channels), directly under the builder's prefix; batch
/// norm's [own](gdl_norm::BatchNorm2d) under the prefix of its builder. The weight is (in_channels, out_channels, 4, 4)
/// for [`Upsampling::Transposed`] and (out_channels, in_channels, 3, 3) for [`Upsampling::Resize`].
///
/// # Source
///
/// The right half of `UnetSkipConnectionBlock` of pytorch-CycleGAN-and-pix2pix; Odena, Dumoulin and Olah,
/// *Deconvolution and Checkerboard Artifacts* (2016), for the resize-convolution.
#[derive(Debug, Clone)]
pub struct UnetUp {
    config: UnetUpConfig,
    grow: Grow,
    norm: Option<Norm2d>,
    dropout: Option<LateDropout>,
}

impl UnetUp {
    /// Builds the step: its convolution from `vb`, its norm from `norm_vb`.
    ///
    /// # Errors
    ///
    /// Where there are no channels, a step that is not a middle one is to have dropout, or the store behind a builder lacks a
    /// tensor of the right shape.
    pub fn new(config: &UnetUpConfig, vb: VarBuilder, norm_vb: VarBuilder) -> Result<Self> {
        let &UnetUpConfig { position, in_channels, out_channels, upsampling, dropout, norm, init } = config;
        if dropout && position != UnetPosition::Middle {
            bail!("UnetUp: only a middle step has dropout, not {position:?}")
        }
        let biased = norm.conv_bias() || position == UnetPosition::Outermost;
        let grow = match upsampling {
            Upsampling::Transposed => {
                let (weight, bias) = init.conv([in_channels, out_channels, 4, 4]);
                let conv = ConvTranspose2dConfig::new(in_channels, out_channels, 4)
                    .stride(2)
                    .padding(1)
                    .bias(biased);
                Grow::Transposed(ConvTranspose2d::new_with_init(&conv, weight, bias, vb)?)
            }
            Upsampling::Resize => {
                let (weight, bias) = init.conv([out_channels, in_channels, 3, 3]);
                let conv = Conv2dConfig::new(in_channels, out_channels, 3)
                    .padding(1)
                    .pad_mode(PadMode::Reflect)
                    .bias(biased);
                Grow::Resize(Conv2d::new_with_init(&conv, weight, bias, vb)?)
            }
        };
        let norm = match position {
            UnetPosition::Outermost => None,
            _ => Some(Norm2d::new(&NormConfig::new(norm, out_channels).init(init), norm_vb)?),
        };
        let dropout = dropout.then(|| LateDropout::new("UnetUp"));
        Ok(Self { config: config.clone(), grow, norm, dropout })
    }

    /// Gives the step the generator that its dropout draws from; training with dropout needs one.
    pub fn with_rng(mut self, rng: SharedRng) -> Self {
        if let Some(dropout) = &mut self.dropout {
            dropout.set_rng(rng);
        }
        self
    }

    /// The configuration the step was built from.
    pub fn config(&self) -> &UnetUpConfig {
        &self.config
    }

    /// The doubling, after a ReLU.
    pub fn grow(&self) -> &Grow {
        &self.grow
    }

    /// The norm after it; none in an outermost step, where tanh follows.
    pub fn norm(&self) -> Option<&Norm2d> {
        self.norm.as_ref()
    }

    /// Applies the step as for inference: without dropout, batch norm by its running statistics.
    ///
    /// # Errors
    ///
    /// Where the shape does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_t(x, false)
    }
}

impl ModuleT for UnetUp {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.grow.forward(&Activation::Relu.forward(x)?)?;
        let Some(norm) = &self.norm else { return y.tanh() };
        let y = norm.forward_t(&y, train)?;
        match &self.dropout {
            Some(dropout) => dropout.forward_t(&y, train),
            None => Ok(y),
        }
    }
}
