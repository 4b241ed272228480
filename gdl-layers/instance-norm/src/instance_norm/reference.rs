use crate::Definition;
use candle_core::{Module, Result, Tensor};
use gdl_kernels::Activation;

/// [`instance_norm`](crate::instance_norm) composed of plain candle operations, for the same shapes.
///
/// # Errors
///
/// Those of the operations.
pub fn instance_norm(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
    definition: Definition,
    activation: Activation,
) -> Result<Tensor> {
    let Normalised { unit, .. } = Normalised::of(x, eps, definition)?;
    let y = shift(scale(unit, x, weight)?, bias)?.reshape(x.shape())?;
    match activation {
        // The product with a constant mask has PyTorch's gradient at 0, where candle's relu lets it through.
        Activation::Identity | Activation::Relu | Activation::LeakyRelu(_) => {
            &y * activation.derivative(&y)?.detach()
        }
        _ => activation.forward(&y),
    }
}

/// The planes of `x` (N, C, H * W) and what both the value and the derivative of the normalisation need.
pub(super) struct Normalised {
    /// `(x - mean) / d`.
    pub(super) unit: Tensor,
    /// `1 / d`, (N, C, 1).
    pub(super) inv: Tensor,
    /// The derivative of `d` by `x` is `unit / (ratio * P)` for planes of P pixels, times `d`; `1 / d` in PyTorch's
    /// definition, `1 / std` in Keras-contrib's and 0 where `std` is 0. (N, C, 1).
    pub(super) ratio: Tensor,
}

impl Normalised {
    pub(super) fn of(x: &Tensor, eps: f64, definition: Definition) -> Result<Self> {
        let x = x.flatten_from(2)?; // (N, C, P)
        let centred = x.broadcast_sub(&x.mean_keepdim(2)?)?;
        let var = centred.sqr()?.mean_keepdim(2)?; // (N, C, 1)
        let (inv, ratio) = match definition {
            Definition::Torch => {
                let inv = (var + eps)?.sqrt()?.recip()?;
                (inv.clone(), inv)
            }
            Definition::KerasContrib => {
                // sqrt of 1 in place of 0, masked afterwards: the gradient is then 0 and not 0 * infinity.
                let flat = var.eq(0.0)?.to_dtype(var.dtype())?;
                let lively = flat.affine(-1.0, 1.0)?;
                let std = (var + flat)?.sqrt()?;
                ((((&std * &lively)? + eps)?.recip()?), (std.recip()? * lively)?)
            }
        };
        Ok(Self { unit: centred.broadcast_mul(&inv)?, inv, ratio })
    }
}

/// `t` (N, C, P) times the weight of its channel.
pub(super) fn scale(t: Tensor, x: &Tensor, weight: Option<&Tensor>) -> Result<Tensor> {
    match weight {
        Some(weight) => t.broadcast_mul(&weight.reshape((1, x.dim(1)?, 1))?),
        None => Ok(t),
    }
}

/// `t` (N, C, P) plus the bias of its channel.
pub(super) fn shift(t: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => t.broadcast_add(&bias.reshape((1, bias.elem_count(), 1))?),
        None => Ok(t),
    }
}
