use crate::optim::elementwise::{squares, wide};
use crate::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

/// Scales the gradients of `vars` so that their common norm is at most `max_norm`, and returns the norm before.
///
/// `g *= min(1, max_norm / (norm + 1e-6))`
///
/// # Errors
/// [`Error::NotFinite`], naming the first variable concerned, when the norm is not finite; then nothing is scaled.
///
/// # Source
/// `torch.nn.utils.clip_grad_norm_` with `norm_type=2` and `error_if_nonfinite=True`.
pub fn clip_grad_norm(vars: &[(String, Var)], grads: &mut GradStore, max_norm: f64) -> Result<f64> {
    let (_, norm) = clip_grad_norm_of([], vars, grads, max_norm)?;
    Ok(norm)
}

/// [`clip_grad_norm`], and the values of some scalars, the loss that the gradients are of before all: on a GPU, which has to
/// be waited for, all is read at once. Where one of them is not finite nothing is scaled.
///
/// # Errors
/// As [`clip_grad_norm`]; but values that are not finite are returned, with a norm of NaN, for the caller to name.
pub fn clip_grad_norm_of<const N: usize>(
    scalars: [&Tensor; N],
    vars: &[(String, Var)],
    grads: &mut GradStore,
    max_norm: f64,
) -> Result<([f64; N], f64)> {
    let named: Vec<_> = vars.iter().filter_map(|(name, var)| Some((name, grads.get(var)?))).collect();
    let (squares, read) = squares(named.iter().map(|(_, g)| *g), &scalars.map(Tensor::clone))?;
    let values = std::array::from_fn(|i| read[i]);
    if values.iter().any(|value| !value.is_finite()) {
        return Ok((values, f64::NAN));
    }
    if let Some(((name, _), square)) = named.iter().zip(&squares).find(|(_, square)| !square.is_finite()) {
        return Err(Error::NotFinite { key: (*name).clone(), norm: square.sqrt() });
    }
    let norm = squares.iter().sum::<f64>().sqrt();
    let factor = max_norm / (norm + 1e-6);
    if factor < 1.0 {
        scale(vars, grads, |g| g * factor)?;
    }
    Ok((values, norm))
}

/// [`clip_grad_norm`] without knowing the norm: nothing is read, so that nothing waits for a GPU. Gradients that are not finite
/// all become NaN.
///
/// # Errors
/// When a tensor operation fails.
pub fn clip_grad_norm_unread(vars: &[(String, Var)], grads: &mut GradStore, max_norm: f64) -> Result<()> {
    let squares: Vec<Tensor> = vars
        .iter()
        .filter_map(|(_, var)| grads.get(var))
        .map(|g| wide(g)?.sqr()?.sum_all())
        .collect::<candle_core::Result<_>>()?;
    if squares.is_empty() {
        return Ok(());
    }
    let norm = (Tensor::stack(&squares, 0)?.sum_all()?.sqrt()? + 1e-6)?;
    let factor = (norm.recip()? * max_norm)?.minimum(&norm.ones_like()?)?;
    scale(vars, grads, |g| g.broadcast_mul(&factor.to_dtype(g.dtype())?))
}

fn scale(
    vars: &[(String, Var)],
    grads: &mut GradStore,
    by: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<()> {
    for (_, var) in vars {
        if let Some(g) = grads.get(var) {
            let g = by(g)?;
            grads.insert(var, g);
        }
    }
    Ok(())
}

/// Clamps every element of the gradients of `vars` to `[-limit, limit]`.
///
/// # Errors
/// When a tensor operation fails.
///
/// # Source
/// `torch.nn.utils.clip_grad_value_`
pub fn clip_grad_value(vars: &[(String, Var)], grads: &mut GradStore, limit: f64) -> Result<()> {
    scale(vars, grads, |g| g.clamp(-limit, limit))
}
