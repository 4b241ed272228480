use crate::Discriminator;
use candle_core::{Result, Tensor, Var, bail};

/// The gradient penalty of WGAN-GP: how far the discriminator's slope is from `constant`.
///
/// `lambda * mean over n of (|g_n| - constant)^2`, where `g_n` is the gradient of the sum of the scores by the n-th of the
/// images `alpha_n * real_n + (1 - alpha_n) * fake_n`. The images count as constants; what the result can be
/// differentiated by are the discriminator's parameters.
///
/// candle has no second derivatives. They are not needed: the penalty depends on the parameters only through `g`, and
/// with `v = d penalty / d g` held fixed, its gradient is that of `v · g`, the derivative of the scores in the direction
/// `v` ([`Discriminator::forward_jvp`]), which one ordinary backward pass differentiates. The result carries the value of
/// the first and the gradient of the second; both are exact.
///
/// # Shape
///
/// `real`, `fake` (N, C, H, W), `alpha` (N): uniform in [0, 1) for the penalty of the paper, drawn for example by
/// `SharedRng::rand`; ones put the penalty on the real images, zeros on the fake ones. The result is a scalar.
///
/// # Errors
///
/// Where the shapes do not fit or there are no images.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::{VarBuilder, VarMap};
/// use gdl_kernels::rng::SharedRng;
/// use gdl_patchgan::{PixelGan, PixelGanConfig, gradient_penalty};
///
/// let (vars, rng, device) = (VarMap::new(), SharedRng::seed(1), Device::Cpu);
/// let disc = PixelGan::new(
///     &PixelGanConfig::new(3).base_channels(4),
///     VarBuilder::from_varmap(&vars, DType::F32, &device),
/// )?;
/// let real = rng.randn((2, 3, 4, 4), DType::F32, &device)?;
/// let fake = rng.randn((2, 3, 4, 4), DType::F32, &device)?;
/// let alpha = rng.rand(2, 0.0, 1.0, DType::F32, &device)?;
/// let penalty = gradient_penalty(&disc, &real, &fake, &alpha, 10.0, 1.0)?;
/// let grads = penalty.backward()?;
/// let weight = vars.data().lock().expect("not poisoned")["net.0.weight"].clone();
/// assert!(grads.get(&weight).is_some());
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Gulrajani et al., *Improved Training of Wasserstein GANs* (1704.00028), equation 3; `cal_gradient_penalty` of
/// pytorch-CycleGAN-and-pix2pix, with its 1e-16 added to the gradient.
pub fn gradient_penalty(
    disc: &(impl Discriminator + ?Sized),
    real: &Tensor,
    fake: &Tensor,
    alpha: &Tensor,
    lambda: f64,
    constant: f64,
) -> Result<Tensor> {
    let n = real.dims().first().copied().unwrap_or(0);
    if n == 0 || real.dims() != fake.dims() {
        bail!(
            "gradient_penalty: needs as many real as fake images of one shape, at least one, got {:?} and {:?}",
            real.dims(),
            fake.dims()
        )
    }
    if alpha.dims() != [n] {
        bail!("gradient_penalty: alpha must have shape [{n}], one number per image, got {:?}", alpha.dims())
    }
    let mut per_image = vec![1; real.rank()];
    per_image[0] = n;
    let alpha = alpha.to_dtype(real.dtype())?.reshape(per_image.as_slice())?;
    // fake + alpha (real - fake)
    let mixed = (fake + (real - fake)?.broadcast_mul(&alpha)?)?;
    let mixed = Var::from_tensor(&mixed.detach())?;

    let grads = disc.forward(&mixed)?.sum_all()?.backward()?;
    let Some(g) = grads.get(&mixed) else {
        bail!("gradient_penalty: the scores do not depend on the images")
    };
    let g = (g.detach() + 1e-16)?;
    let norm = g.flatten_from(1)?.sqr()?.sum(1)?.sqrt()?; // (N)
    let excess = (&norm - constant)?;
    let value = (excess.sqr()?.mean_all()? * lambda)?;

    // d value / d g_n = 2 lambda / N * (|g_n| - constant) * g_n / |g_n|, and 0 where the gradient is 0.
    let flat = norm.eq(0.0)?.to_dtype(norm.dtype())?;
    let scale = ((excess * flat.affine(-1.0, 1.0)?)? / (norm + flat)?)?;
    let scale = (scale * (2.0 * lambda / n as f64))?;
    let direction = g.broadcast_mul(&scale.reshape(per_image.as_slice())?)?.detach();

    let (_, slope) = disc.forward_jvp(&mixed.as_detached_tensor(), &direction)?;
    let carrier = slope.sum_all()?;
    &value.detach() + (&carrier - carrier.detach())?
}
