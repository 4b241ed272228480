use crate::{BatchNorm2d, BatchNormConfig, NormConfig, NormKind};
use candle_core::{Module, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use gdl_instance_norm::{InstanceNorm2d, InstanceNormConfig};
use gdl_kernels::Activation;

/// The norm that a configuration names, with its activation.
///
/// # Shape
///
/// (N, channels, H, W) -> the same.
///
/// # Parameters
///
/// Those of [`BatchNorm2d`] with [`NormKind::Batch`], its `weight` and `bias` with [`NormKind::InstanceAffine`], else none.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{ModuleT, VarBuilder};
/// use gdl_norm::{Norm2d, NormConfig, NormKind};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let norm = Norm2d::new(&NormConfig::new(NormKind::Instance, 2), vb)?;
/// let x = Tensor::ones((1, 2, 3, 3), DType::F32, &Device::Cpu)?;
/// assert_eq!(norm.forward_t(&x, true)?.sum_all()?.to_scalar::<f32>()?, 0.0);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `get_norm_layer` of pytorch-CycleGAN-and-pix2pix; `InstanceNormalization` of Keras-contrib, as the book uses it.
#[derive(Debug, Clone)]
pub struct Norm2d {
    norm: Norm,
}

/// What a [`Norm2d`] is.
#[derive(Debug, Clone)]
pub enum Norm {
    /// Instance norm, of either definition.
    Instance(InstanceNorm2d),
    /// Batch norm.
    Batch(BatchNorm2d),
    /// No norm: the activation alone.
    Nothing(Activation),
}

impl Norm2d {
    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// Where there are no channels, or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &NormConfig, vb: VarBuilder) -> Result<Self> {
        let &NormConfig { kind, channels, activation, init } = config;
        let norm = match kind {
            NormKind::Instance | NormKind::InstanceAffine | NormKind::Keras => {
                let config = match kind {
                    NormKind::Keras => InstanceNormConfig::keras_contrib(channels, false),
                    _ => InstanceNormConfig::new(channels).affine(kind == NormKind::InstanceAffine),
                };
                let config = config.activation(activation);
                Norm::Instance(InstanceNorm2d::new(&config, vb)?)
            }
            NormKind::Batch => {
                let config = BatchNormConfig::new(channels).activation(activation).init(init);
                Norm::Batch(BatchNorm2d::new(&config, vb)?)
            }
            NormKind::None => Norm::Nothing(activation),
        };
        Ok(Self { norm })
    }

    /// The layer itself.
    pub fn norm(&self) -> &Norm {
        &self.norm
    }

    /// The layer's value at `x` in training and its derivative in the direction `dx`; no running statistics move.
    ///
    /// # Errors
    ///
    /// Where the shapes do not fit.
    pub fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        match &self.norm {
            Norm::Instance(norm) => norm.forward_jvp(x, dx),
            Norm::Batch(norm) => norm.forward_jvp(x, dx),
            Norm::Nothing(activation) => Ok((activation.forward(x)?, (dx * activation.derivative(x)?)?)),
        }
    }
}

impl ModuleT for Norm2d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match &self.norm {
            Norm::Instance(norm) => norm.forward(x),
            Norm::Batch(norm) => norm.forward_t(x, train),
            Norm::Nothing(activation) => activation.forward(x),
        }
    }
}
