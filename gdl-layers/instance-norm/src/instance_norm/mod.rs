mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod jvp;
mod moments;
pub(crate) mod reference;

pub use jvp::instance_norm_jvp;
pub use moments::{Moments, instance_norm_by};

use crate::Definition;
#[cfg(feature = "cuda")]
use candle_core::Device;
use candle_core::{DType, Module, Result, Tensor, bail};
use gdl_kernels::{Activation, numbers};

/// Instance normalisation with its activation.
///
/// `y[n,c,·] = activation(weight[c] * (x[n,c,·] - mean) / d + bias[c])`, where `mean` and the biased variance `var` are
/// those of the plane `x[n,c,·]`, and `d` is `sqrt(var + eps)` ([`Definition::Torch`]) or `sqrt(var) + eps`
/// ([`Definition::KerasContrib`]).
///
/// A plane of one pixel is its own mean: the result there is `activation(bias)` and the gradient of `x` is 0.
/// PyTorch refuses such an input in training.
///
/// # Shape
///
/// `x` (N, C, H, W), `weight` and `bias` (C); the result is as `x`. `N` may be 0.
///
/// # Errors
///
/// Where a shape does not fit or there are no pixels.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_instance_norm::{Definition, instance_norm};
/// use gdl_kernels::Activation;
///
/// let x = Tensor::new(&[[[[1f32, 2., 3.]]]], &Device::Cpu)?;
/// let y = instance_norm(&x, None, None, 0.0, Definition::Torch, Activation::Relu)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [0., 0., 1.5f32.sqrt()]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Ulyanov, Vedaldi and Lempitsky, *Instance Normalization* (1607.08022); `torch.nn.functional.instance_norm`;
/// `keras_contrib.layers.InstanceNormalization`.
pub fn instance_norm(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
    definition: Definition,
    activation: Activation,
) -> Result<Tensor> {
    check(x, weight, bias)?;
    let kernels = gdl_kernels::has_kernel(x);
    match x.dtype() {
        DType::F32 | DType::F64 => {}
        // The kernel widens where it sums.
        DType::F16 | DType::BF16 if kernels => {}
        // Sums over a plane overflow half precision, or lose it.
        half @ (DType::F16 | DType::BF16) => {
            let wide = |t: Option<&Tensor>| t.map(|t| t.to_dtype(DType::F32)).transpose();
            let (weight, bias) = (wide(weight)?, wide(bias)?);
            let x = x.to_dtype(DType::F32)?;
            return instance_norm(&x, weight.as_ref(), bias.as_ref(), eps, definition, activation)?
                .to_dtype(half);
        }
        other => bail!("instance_norm: the input must be of a floating-point type, not {other:?}"),
    }
    if !kernels {
        return reference::instance_norm(x, weight, bias, eps, definition, activation);
    }
    // The kernel's backward reads the side of the kink from the sign of the result, which needs a slope of 0 or more.
    let slope = activation.slope().filter(|slope| *slope >= 0.0);
    let params = cpu::Params { eps, definition, slope };
    let y = match x.device() {
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => cuda::instance_norm(x, weight, bias, params)?,
        _ => cpu::instance_norm(x, weight, bias, params)?,
    };
    if slope.is_some() { Ok(y) } else { activation.forward(&y) }
}

/// The weight and the bias, ones and zeros in the place of a missing one.
fn or_neutral(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
    let or = |t: Option<&Tensor>, value: f64| match t {
        Some(t) => Ok(t.clone()),
        None => numbers(vec![value; x.dim(1)?], x.dim(1)?, x.dtype(), x.device()),
    };
    Ok((or(weight, 1.0)?, or(bias, 0.0)?))
}

fn check(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Result<()> {
    let [_, c, h, w] = *x.dims() else {
        bail!("instance_norm: the input must have shape (N, C, H, W), got {:?}", x.dims())
    };
    if h == 0 || w == 0 {
        bail!("instance_norm: the input must be at least 1x1, got {h}x{w}")
    }
    for (name, t) in [("weight", weight), ("bias", bias)] {
        let Some(t) = t else { continue };
        if t.dims() != [c] || t.dtype() != x.dtype() {
            bail!(
                "instance_norm: the {name} must be of shape [{c}] and type {:?}, got {:?} of type {:?}",
                x.dtype(),
                t.dims(),
                t.dtype()
            )
        }
    }
    Ok(())
}
