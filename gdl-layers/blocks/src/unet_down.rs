use crate::{UnetDownConfig, UnetPosition};
use candle_core::{Module, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use gdl_conv::{Conv2d, Conv2dConfig};
use gdl_kernels::Activation;
use gdl_norm::{Norm2d, NormConfig};

/// A step down in a U-Net: leaky ReLU (slope 0.2), 4x4 convolution with stride 2, norm.
///
/// An outermost step is the convolution alone; an innermost step has no norm.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, H / 2, W / 2), rounded down; H and W at least 2.
///
/// # Parameters
///
/// `weight` (out_channels, in_channels, 4, 4) and, with instance norm, `bias` (out_channels), directly under the builder's prefix;
/// batch norm's [own](gdl_norm::BatchNorm2d) under the prefix of its builder.
///
/// # Source
///
/// The left half of `UnetSkipConnectionBlock` of pytorch-CycleGAN-and-pix2pix.
#[derive(Debug, Clone)]
pub struct UnetDown {
    config: UnetDownConfig,
    activation: Activation,
    conv: Conv2d,
    norm: Option<Norm2d>,
}

impl UnetDown {
    /// Builds the step: its convolution from `vb`, its norm from `norm_vb`.
    ///
    /// # Errors
    ///
    /// Where there are no channels or the store behind a builder lacks a tensor of the right shape.
    pub fn new(config: &UnetDownConfig, vb: VarBuilder, norm_vb: VarBuilder) -> Result<Self> {
        let &UnetDownConfig { position, in_channels, out_channels, norm, init } = config;
        let (weight, bias) = init.conv([out_channels, in_channels, 4, 4]);
        let conv =
            Conv2dConfig::new(in_channels, out_channels, 4).stride(2).padding(1).bias(norm.conv_bias());
        let conv = Conv2d::new_with_init(&conv, weight, bias, vb)?;
        let activation = match position {
            UnetPosition::Outermost => Activation::Identity,
            UnetPosition::Middle | UnetPosition::Innermost => Activation::LeakyRelu(0.2),
        };
        let norm = match position {
            UnetPosition::Middle => {
                Some(Norm2d::new(&NormConfig::new(norm, out_channels).init(init), norm_vb)?)
            }
            UnetPosition::Outermost | UnetPosition::Innermost => None,
        };
        Ok(Self { config: config.clone(), activation, conv, norm })
    }

    /// The configuration the step was built from.
    pub fn config(&self) -> &UnetDownConfig {
        &self.config
    }

    /// What is applied before the convolution.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The convolution.
    pub fn conv(&self) -> &Conv2d {
        &self.conv
    }

    /// The norm after it, of a middle step.
    pub fn norm(&self) -> Option<&Norm2d> {
        self.norm.as_ref()
    }

    /// Applies the step as for inference: batch norm by its running statistics.
    ///
    /// # Errors
    ///
    /// Where the shape does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_t(x, false)
    }
}

impl ModuleT for UnetDown {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.conv.forward(&self.activation.forward(x)?)?;
        match &self.norm {
            Some(norm) => norm.forward_t(&y, train),
            None => Ok(y),
        }
    }
}
