use crate::{InstanceNormConfig, Moments, instance_norm, instance_norm_by, instance_norm_jvp};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use gdl_kernels::cast_like;

/// Instance normalisation of images: each channel of each image to mean 0 and variance 1.
///
/// There are no running statistics: as in PyTorch without `track_running_stats`, training and inference are the same.
///
/// # Shape
///
/// (N, channels, H, W) -> the same.
///
/// # Parameters
///
/// With `affine`: `weight` (channels), starts at 1; `bias` (channels), starts at 0.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_instance_norm::{InstanceNorm2d, InstanceNormConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let norm = InstanceNorm2d::new(&InstanceNormConfig::new(1), vb)?;
/// let y = norm.forward(&Tensor::new(&[[[[1f32, 3.]]]], &Device::Cpu)?)?;
/// assert!((y.flatten_all()?.to_vec1::<f32>()?[1] - 1.0).abs() < 1e-4);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Ulyanov, Vedaldi and Lempitsky, *Instance Normalization* (1607.08022); `torch.nn.InstanceNorm2d`, which has the
/// same parameters.
#[derive(Debug, Clone)]
pub struct InstanceNorm2d {
    config: InstanceNormConfig,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
}

impl InstanceNorm2d {
    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// Where there are no channels, `eps` is negative or no number, or the store behind `vb` lacks a tensor of the
    /// right shape.
    pub fn new(config: &InstanceNormConfig, vb: VarBuilder) -> Result<Self> {
        let &InstanceNormConfig { channels, affine, eps, .. } = config;
        if channels == 0 || eps.is_nan() || eps < 0.0 {
            bail!("InstanceNorm2d: needs at least one channel and an eps of 0 or more, got {config:?}")
        }
        let (mut weight, mut bias) = (None, None);
        if affine {
            weight = Some(vb.get_with_hints(channels, "weight", Init::Const(1.0))?);
            bias = Some(vb.get_with_hints(channels, "bias", Init::Const(0.0))?);
        }
        Ok(Self { config: config.clone(), weight, bias })
    }

    /// The configuration the layer was built from.
    pub fn config(&self) -> &InstanceNormConfig {
        &self.config
    }

    /// The layer's value at `x` and its derivative in the direction `dx`; see [`instance_norm_jvp`].
    ///
    /// # Errors
    ///
    /// Where the shapes do not fit.
    pub fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        let InstanceNormConfig { eps, definition, activation, .. } = self.config;
        self.check(x)?;
        let (y, dy) = instance_norm_jvp(x, dx, self.weight.as_ref(), self.bias.as_ref(), eps, definition)?;
        let dy = (dy * activation.derivative(&y)?)?;
        Ok((activation.forward(&y)?, dy))
    }

    /// The scale, (channels), with `affine`.
    pub fn weight(&self) -> Option<&Tensor> {
        self.weight.as_ref()
    }

    /// The shift, (channels), with `affine`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Applies the layer to a part of an image of which mean and variance are known; see [`instance_norm_by`].
    ///
    /// # Errors
    ///
    /// As [`instance_norm_by`].
    pub fn forward_by(&self, x: &Tensor, moments: &Moments) -> Result<Tensor> {
        let InstanceNormConfig { eps, definition, activation, .. } = self.config;
        self.check(x)?;
        instance_norm_by(x, moments, self.weight.as_ref(), self.bias.as_ref(), eps, definition, activation)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        match *x.dims() {
            [_, c, _, _] if c == self.config.channels => Ok(()),
            _ => bail!(
                "InstanceNorm2d: expected an input of shape (N, {}, H, W), got {:?}",
                self.config.channels,
                x.dims()
            ),
        }
    }
}

impl Module for InstanceNorm2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let InstanceNormConfig { eps, definition, activation, .. } = self.config;
        self.check(x)?;
        let like = |t: Option<&Tensor>| t.map(|t| cast_like(t, x)).transpose();
        let (weight, bias) = (like(self.weight.as_ref())?, like(self.bias.as_ref())?);
        instance_norm(x, weight.as_ref(), bias.as_ref(), eps, definition, activation)
    }
}
