use super::{ConvTranspose2dParams, conv_transpose2d};
use crate::ConvTranspose2dConfig;
use crate::conv2d::parameters_like;
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

/// A transposed convolution layer.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, H', W'), sizes as in [`conv_transpose2d`].
///
/// # Parameters
///
/// - `weight` (in_channels, out_channels / groups, kh, kw)
/// - `bias` (out_channels), if `bias`
///
/// Both start uniform in ±1/sqrt(fan_in). PyTorch takes fan_in from the weight's second axis, here
/// out_channels / groups · kh · kw, and so does this layer.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_conv::{ConvTranspose2d, ConvTranspose2dConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let layer = ConvTranspose2d::new(&ConvTranspose2dConfig::new(8, 3, 4).stride(2).padding(1), vb)?;
/// let y = layer.forward(&Tensor::zeros((1, 8, 9, 12), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [1, 3, 18, 24]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.ConvTranspose2d`, with its initialisation.
#[derive(Debug, Clone)]
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: ConvTranspose2dConfig,
}

impl ConvTranspose2d {
    /// Builds the layer with PyTorch's initialisation.
    ///
    /// # Errors
    ///
    /// Where the configuration is impossible or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &ConvTranspose2dConfig, vb: VarBuilder) -> Result<Self> {
        let fan_in = config.out_channels / config.groups.max(1) * config.kernel.0 * config.kernel.1;
        let init = gdl_kernels::init::fan_in_uniform(fan_in);
        Self::new_with_init(config, init, init, vb)
    }

    /// Builds the layer with the given initialisation of weight and bias.
    ///
    /// # Errors
    ///
    /// As [`ConvTranspose2d::new`].
    pub fn new_with_init(
        config: &ConvTranspose2dConfig,
        weight_init: Init,
        bias_init: Init,
        vb: VarBuilder,
    ) -> Result<Self> {
        let &ConvTranspose2dConfig { in_channels, out_channels, kernel, groups, .. } = config;
        if groups == 0 || in_channels % groups != 0 || out_channels % groups != 0 {
            bail!(
                "ConvTranspose2d: {in_channels} -> {out_channels} channels cannot be split into {groups} groups"
            )
        }
        if in_channels == 0 || out_channels == 0 || kernel.0 == 0 || kernel.1 == 0 {
            bail!("ConvTranspose2d: channels and kernel must not be 0, got {config:?}")
        }
        let shape = (in_channels, out_channels / groups, kernel.0, kernel.1);
        let weight = vb.get_with_hints(shape, "weight", weight_init)?;
        let bias = if config.bias { Some(vb.get_with_hints(out_channels, "bias", bias_init)?) } else { None };
        Ok(Self { weight, bias, config: config.clone() })
    }

    /// The weight, (in_channels, out_channels / groups, kh, kw).
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, (out_channels).
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// The configuration the layer was built from.
    pub fn config(&self) -> &ConvTranspose2dConfig {
        &self.config
    }

    /// How the layer's transposed convolution spreads its input.
    pub fn params(&self) -> ConvTranspose2dParams {
        let &ConvTranspose2dConfig { stride, padding, output_padding, dilation, groups, .. } = &self.config;
        ConvTranspose2dParams { stride, padding, output_padding, dilation, groups }
    }
}

impl Module for ConvTranspose2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = parameters_like(&self.weight, self.bias.as_ref(), x)?;
        conv_transpose2d(x, &weight, bias.as_ref(), &self.params())
    }
}
