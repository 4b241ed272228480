use super::{Conv2dParams, conv2d_activated, conv2d_pooled};
use crate::{Conv2dConfig, Pad, PadMode, pad2d};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use gdl_kernels::{Activation, cast_like};

/// A convolution layer.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, H', W'), sizes as in [`conv2d`](crate::conv2d).
///
/// # Parameters
///
/// - `weight` (out_channels, in_channels / groups, kh, kw)
/// - `bias` (out_channels), if `bias`
///
/// Both start uniform in ±1/sqrt(fan_in), fan_in = in_channels / groups · kh · kw, as in PyTorch.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_conv::{Conv2d, Conv2dConfig, PadMode};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let config = Conv2dConfig::new(3, 8, 7).padding(3).pad_mode(PadMode::Reflect);
/// let layer = Conv2d::new(&config, vb)?;
/// let y = layer.forward(&Tensor::zeros((1, 3, 9, 12), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [1, 8, 9, 12]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.Conv2d`, with its initialisation and, for `pad_mode`, its `padding_mode`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: Conv2dConfig,
}

impl Conv2d {
    /// Builds the layer with PyTorch's initialisation.
    ///
    /// # Errors
    ///
    /// Where the configuration is impossible or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &Conv2dConfig, vb: VarBuilder) -> Result<Self> {
        let fan_in = config.in_channels / config.groups.max(1) * config.kernel.0 * config.kernel.1;
        let init = gdl_kernels::init::fan_in_uniform(fan_in);
        Self::new_with_init(config, init, init, vb)
    }

    /// Builds the layer with the given initialisation of weight and bias.
    ///
    /// # Errors
    ///
    /// As [`Conv2d::new`].
    pub fn new_with_init(
        config: &Conv2dConfig,
        weight_init: Init,
        bias_init: Init,
        vb: VarBuilder,
    ) -> Result<Self> {
        let &Conv2dConfig { in_channels, out_channels, kernel, groups, .. } = config;
        if groups == 0 || in_channels % groups != 0 || out_channels % groups != 0 {
            bail!("Conv2d: {in_channels} -> {out_channels} channels cannot be split into {groups} groups")
        }
        if in_channels == 0 || out_channels == 0 || kernel.0 == 0 || kernel.1 == 0 {
            bail!("Conv2d: channels and kernel must not be 0, got {config:?}")
        }
        let shape = (out_channels, in_channels / groups, kernel.0, kernel.1);
        let weight = vb.get_with_hints(shape, "weight", weight_init)?;
        let bias = if config.bias { Some(vb.get_with_hints(out_channels, "bias", bias_init)?) } else { None };
        Ok(Self { weight, bias, config: config.clone() })
    }

    /// The weight, (out_channels, in_channels / groups, kh, kw).
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, (out_channels).
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// The configuration the layer was built from.
    pub fn config(&self) -> &Conv2dConfig {
        &self.config
    }

    /// The layer and an activation after it, in one pass where that is possible; see [`conv2d_activated`].
    ///
    /// # Errors
    ///
    /// As [`conv2d_activated`].
    pub fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let (weight, bias) = parameters_like(&self.weight, self.bias.as_ref(), x)?;
        conv2d_activated(&self.padded(x)?, &weight, bias.as_ref(), &self.params(), activation)
    }

    /// The layer, an activation and the maximum of each 2x2 window, in one pass where that is possible; see
    /// [`conv2d_pooled`].
    ///
    /// # Errors
    ///
    /// As [`conv2d_pooled`].
    pub fn forward_pooled(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let (weight, bias) = parameters_like(&self.weight, self.bias.as_ref(), x)?;
        conv2d_pooled(&self.padded(x)?, &weight, bias.as_ref(), &self.params(), activation)
    }

    /// The input with whatever padding the convolution cannot do itself.
    fn padded(&self, x: &Tensor) -> Result<Tensor> {
        let (top, left) = self.config.padding;
        if self.config.pad_mode == PadMode::Zero || (top, left) == (0, 0) {
            return Ok(x.clone());
        }
        pad2d(x, Pad { left, right: left, top, bottom: top }, self.config.pad_mode)
    }

    /// How the layer's convolution moves over its (already padded, unless with zeros) input.
    pub fn params(&self) -> Conv2dParams {
        let &Conv2dConfig { stride, padding, dilation, groups, pad_mode, .. } = &self.config;
        let padding = if pad_mode == PadMode::Zero { padding } else { (0, 0) };
        Conv2dParams { stride, padding, dilation, groups }
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_activated(x, Activation::Identity)
    }
}

/// A layer's parameters in the type of its input.
pub(crate) fn parameters_like(
    weight: &Tensor,
    bias: Option<&Tensor>,
    x: &Tensor,
) -> Result<(Tensor, Option<Tensor>)> {
    Ok((cast_like(weight, x)?, bias.map(|bias| cast_like(bias, x)).transpose()?))
}
