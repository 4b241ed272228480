use crate::BatchNormConfig;
use candle_core::{Module, Result, Tensor, Var, bail};
use candle_nn::{Init, ModuleT, VarBuilder};
use gdl_instance_norm::{Definition, instance_norm, instance_norm_jvp};
use gdl_kernels::cast_like;

/// Batch normalisation of images: each channel to mean 0 and variance 1, then scaled and shifted by learnt numbers.
///
/// In training mean and variance are those of the batch (the variance over n values, without correction), and the running
/// statistics move: `running = (1 - momentum) * running + momentum * batch`, where the variance is corrected (n - 1).
/// Else the running ones serve, and what is made of an image does not depend on the others.
///
/// # Shape
///
/// (N, channels, H, W) -> the same. Training needs two values per channel or more.
///
/// # Parameters
///
/// `weight` (channels), starts at 1 or as [`InitScheme::norm_scale`](gdl_kernels::init::InitScheme::norm_scale) says; `bias`
/// (channels), starts at 0. No parameters, but kept beside them: `running_mean` (channels), starts at 0, and `running_var`
/// (channels), starts at 1. PyTorch's `num_batches_tracked` serves nothing with a momentum and is not kept.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::ModuleT;
/// use gdl_norm::{BatchNorm2d, BatchNormConfig};
/// # let weights = [("weight", 1f32), ("bias", 0.), ("running_mean", 0.), ("running_var", 1.)];
/// # let tensor = |v| Tensor::full(v, 1, &Device::Cpu).unwrap();
/// # let tensors = weights.into_iter().map(|(name, v)| (name.to_string(), tensor(v))).collect();
/// # let vb = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
///
/// let norm = BatchNorm2d::new(&BatchNormConfig::new(1).momentum(0.5), vb)?;
/// let x = Tensor::new(&[[[[1f32, 3.]]]], &Device::Cpu)?;
/// norm.forward_t(&x, true)?; // mean 2, corrected variance 2
/// let y = norm.forward_t(&x, false)?; // (x - 1) / sqrt(1.5)
/// assert!((y.flatten_all()?.to_vec1::<f32>()?[1] - 2. / 1.5f32.sqrt()).abs() < 1e-4);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Ioffe and Szegedy, *Batch Normalization* (1502.03167); `torch.nn.BatchNorm2d`.
#[derive(Debug, Clone)]
pub struct BatchNorm2d {
    config: BatchNormConfig,
    weight: Tensor,
    bias: Tensor,
    /// Variables, so that clones and networks over the same store share them.
    running_mean: Var,
    running_var: Var,
}

impl BatchNorm2d {
    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// Where there are no channels, a setting is out of its range, or the store behind `vb` lacks a tensor of the right
    /// shape.
    pub fn new(config: &BatchNormConfig, vb: VarBuilder) -> Result<Self> {
        let &BatchNormConfig { channels, eps, momentum, init, .. } = config;
        if channels == 0 || eps.is_nan() || eps < 0.0 || !(0.0..=1.0).contains(&momentum) {
            bail!(
                "BatchNorm2d: needs at least one channel, an eps of 0 or more and a momentum from 0 to 1, got \
                 {config:?}"
            )
        }
        let get = |name: &str, init: Init| vb.get_with_hints(channels, name, init);
        Ok(Self {
            config: config.clone(),
            weight: get("weight", init.norm_scale())?,
            bias: get("bias", Init::Const(0.0))?,
            running_mean: Var::from_tensor(&get("running_mean", Init::Const(0.0))?)?,
            running_var: Var::from_tensor(&get("running_var", Init::Const(1.0))?)?,
        })
    }

    /// The configuration the layer was built from.
    pub fn config(&self) -> &BatchNormConfig {
        &self.config
    }

    /// The scale, (channels).
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The shift, (channels).
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// The running mean, (channels), as it stands.
    pub fn running_mean(&self) -> Tensor {
        self.running_mean.as_detached_tensor()
    }

    /// The running variance, (channels), as it stands.
    pub fn running_var(&self) -> Tensor {
        self.running_var.as_detached_tensor()
    }

    /// The layer's value at `x` in training and its derivative in the direction `dx`, by the batch's statistics; the running
    /// ones stay as they are.
    ///
    /// # Errors
    ///
    /// Where the shapes do not fit.
    pub fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        self.check(x, true)?;
        let BatchNormConfig { eps, activation, .. } = self.config;
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let (y, dy) = instance_norm_jvp(&as_one(x)?, &as_one(dx)?, weight, bias, eps, Definition::Torch)?;
        let (y, dy) = (as_many(&y, x)?, as_many(&dy, x)?);
        let dy = (dy * activation.derivative(&y)?)?;
        Ok((activation.forward(&y)?, dy))
    }

    fn check(&self, x: &Tensor, train: bool) -> Result<()> {
        let channels = self.config.channels;
        match *x.dims() {
            [n, c, h, w] if c == channels && train && n * h * w < 2 => {
                bail!("BatchNorm2d: training needs two values per channel or more, got {:?}", x.dims())
            }
            [_, c, _, _] if c == channels => Ok(()),
            _ => bail!("BatchNorm2d: expected an input of shape (N, {channels}, H, W), got {:?}", x.dims()),
        }
    }

    /// Moves the running statistics towards the batch's.
    fn track(&self, x: &Tensor) -> Result<()> {
        let (n, _, h, w) = x.dims4()?;
        let share = self.config.momentum;
        let values = as_one(&x.detach())?.flatten_from(2)?.squeeze(0)?.to_dtype(self.running_mean.dtype())?;
        let mean = values.mean_keepdim(1)?; // (C, 1)
        let corrected = 1.0 / (n * h * w - 1) as f64;
        let var = (values.broadcast_sub(&mean)?.sqr()?.sum(1)? * corrected)?;
        for (running, batch) in [(&self.running_mean, mean.squeeze(1)?), (&self.running_var, var)] {
            let old = (running.as_detached_tensor() * (1.0 - share))?;
            running.set(&(old + (batch * share)?)?)?;
        }
        Ok(())
    }

    fn by_running_statistics(&self, x: &Tensor) -> Result<Tensor> {
        let per_channel = (1, self.config.channels, 1, 1);
        let deviation = (self.running_var.as_detached_tensor() + self.config.eps)?.sqrt()?;
        let scale = (&self.weight / deviation)?;
        let shift = (&self.bias - (self.running_mean.as_detached_tensor() * &scale)?)?;
        let (scale, shift) = (cast_like(&scale, x)?, cast_like(&shift, x)?);
        let y = x.broadcast_mul(&scale.reshape(per_channel)?)?.broadcast_add(&shift.reshape(per_channel)?)?;
        self.config.activation.forward(&y)
    }
}

/// A batch as one image, whose planes hold all the values of their channel: batch norm is that image's instance norm.
fn as_one(x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if n == 1 { Ok(x.clone()) } else { x.transpose(0, 1)?.reshape((1, c, n * h, w)) }
}

/// Back to the batch that `like` is.
fn as_many(y: &Tensor, like: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = like.dims4()?;
    if n == 1 { Ok(y.clone()) } else { y.reshape((c, n, h, w))?.transpose(0, 1)?.contiguous() }
}

impl ModuleT for BatchNorm2d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.check(x, train)?;
        if !train {
            return self.by_running_statistics(x);
        }
        // A block computed again for its gradients has shown its batch already.
        if !gdl_kernels::is_recomputing() {
            self.track(x)?;
        }
        let BatchNormConfig { eps, activation, .. } = self.config;
        let (weight, bias) = (cast_like(&self.weight, x)?, cast_like(&self.bias, x)?);
        let y = instance_norm(&as_one(x)?, Some(&weight), Some(&bias), eps, Definition::Torch, activation)?;
        as_many(&y, x)
    }
}
