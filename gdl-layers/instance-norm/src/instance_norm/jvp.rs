use super::check;
use super::reference::{Normalised, scale, shift};
use crate::Definition;
use candle_core::{Result, Tensor, bail};

/// Instance normalisation and its derivative in the direction `dx` (a Jacobian-vector product).
///
/// With `u = (x - mean) / d` the direction becomes
/// `du = (dx - mean(dx)) / d - r * u * mean(u * dx)`, where `r` is `1 / d` ([`Definition::Torch`]) or `1 / std`
/// ([`Definition::KerasContrib`]). Both results are differentiable in all arguments, which gives derivatives of second
/// order without a second backward pass: the gradient penalty of WGAN-GP is made of it.
///
/// # Shape
///
/// `x`, `dx` (N, C, H, W), `weight` and `bias` (C); the results (y, dy) are as `x`.
///
/// # Errors
///
/// Where a shape does not fit or there are no pixels.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_instance_norm::{Definition, instance_norm_jvp};
///
/// let x = Tensor::new(&[[[[1f64, 2., 6.]]]], &Device::Cpu)?;
/// // Growing the deviations from the mean does not change the normalised values.
/// let (y, dy) = instance_norm_jvp(&x, &x, None, None, 0.0, Definition::Torch)?;
/// assert_eq!(y.dims(), x.dims());
/// assert!(dy.abs()?.sum_all()?.to_scalar::<f64>()? < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn instance_norm_jvp(
    x: &Tensor,
    dx: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
    definition: Definition,
) -> Result<(Tensor, Tensor)> {
    check(x, weight, bias)?;
    if dx.dims() != x.dims() {
        bail!("instance_norm_jvp: the direction has shape {:?}, the input {:?}", dx.dims(), x.dims())
    }
    let Normalised { unit, inv, ratio } = Normalised::of(x, eps, definition)?;
    let dx = dx.flatten_from(2)?; // (N, C, P)
    let moved = dx.broadcast_sub(&dx.mean_keepdim(2)?)?.broadcast_mul(&inv)?;
    let spread = ((&unit * &dx)?.mean_keepdim(2)? * ratio)?; // (N, C, 1)
    let dunit = (moved - unit.broadcast_mul(&spread)?)?;
    let y = shift(scale(unit, x, weight)?, bias)?;
    let dy = scale(dunit, x, weight)?;
    Ok((y.reshape(x.shape())?, dy.reshape(x.shape())?))
}
