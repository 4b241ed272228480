use crate::optim::elementwise::squares;
use crate::{Error, Result};
use candle_core::Var;
use candle_core::backprop::GradStore;

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
    let named: Vec<_> = vars.iter().filter_map(|(name, var)| Some((name, grads.get(var)?))).collect();
    let squares = squares(named.iter().map(|(_, g)| *g))?;
    if let Some(((name, _), square)) = named.iter().zip(&squares).find(|(_, square)| !square.is_finite()) {
        return Err(Error::NotFinite { key: (*name).clone(), norm: square.sqrt() });
    }
    let norm = squares.iter().sum::<f64>().sqrt();
    let factor = max_norm / (norm + 1e-6);
    if factor < 1.0 {
        for (_, var) in vars {
            if let Some(g) = grads.get(var) {
                let g = (g * factor)?;
                grads.insert(var, g);
            }
        }
    }
    Ok(norm)
}

/// Clamps every element of the gradients of `vars` to `[-limit, limit]`.
///
/// # Errors
/// When a tensor operation fails.
///
/// # Source
/// `torch.nn.utils.clip_grad_value_`
pub fn clip_grad_value(vars: &[(String, Var)], grads: &mut GradStore, limit: f64) -> Result<()> {
    for (_, var) in vars {
        if let Some(g) = grads.get(var) {
            let g = g.clamp(-limit, limit)?;
            grads.insert(var, g);
        }
    }
    Ok(())
}
