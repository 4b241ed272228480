use crate::{UnetDownConfig, UnetPosition};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_conv::{Conv2d, Conv2dConfig};
use gdl_instance_norm::{InstanceNorm2d, InstanceNormConfig};
use gdl_kernels::Activation;

/// A step down in a U-Net: leaky ReLU (slope 0.2), 4x4 convolution with stride 2, instance norm.
///
/// An outermost step is the convolution alone; an innermost step has no norm.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, H / 2, W / 2), rounded down; H and W at least 2.
///
/// # Parameters
///
/// `weight` (out_channels, in_channels, 4, 4) and `bias` (out_channels), directly under the builder's prefix.
///
/// # Source
///
/// The left half of `UnetSkipConnectionBlock` of pytorch-CycleGAN-and-pix2pix.
#[derive(Debug, Clone)]
pub struct UnetDown {
    config: UnetDownConfig,
    activation: Activation,
    conv: Conv2d,
    norm: Option<InstanceNorm2d>,
}

impl UnetDown {
    /// Builds the step.
    ///
    /// # Errors
    ///
    /// Where there are no channels or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &UnetDownConfig, vb: VarBuilder) -> Result<Self> {
        let &UnetDownConfig { position, in_channels, out_channels, init } = config;
        let (weight, bias) = init.conv([out_channels, in_channels, 4, 4]);
        let conv = Conv2dConfig::new(in_channels, out_channels, 4).stride(2).padding(1);
        let conv = Conv2d::new_with_init(&conv, weight, bias, vb.clone())?;
        let activation = match position {
            UnetPosition::Outermost => Activation::Identity,
            UnetPosition::Middle | UnetPosition::Innermost => Activation::LeakyRelu(0.2),
        };
        let norm = match position {
            UnetPosition::Middle => Some(InstanceNorm2d::new(&InstanceNormConfig::new(out_channels), vb)?),
            UnetPosition::Outermost | UnetPosition::Innermost => None,
        };
        Ok(Self { config: config.clone(), activation, conv, norm })
    }

    /// The configuration the step was built from.
    pub fn config(&self) -> &UnetDownConfig {
        &self.config
    }
}

impl Module for UnetDown {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.conv.forward(&self.activation.forward(x)?)?;
        match &self.norm {
            Some(norm) => norm.forward(&y),
            None => Ok(y),
        }
    }
}
