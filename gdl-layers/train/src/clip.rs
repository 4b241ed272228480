use crate::optim::elementwise::dot;
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
    let mut squares = 0.0;
    for (name, var) in vars {
        let Some(g) = grads.get(var) else { continue };
        let square = dot(g, g)?;
        if !square.is_finite() {
            return Err(Error::NotFinite { key: name.clone(), norm: square.sqrt() });
        }
        squares += square;
    }
    let norm = squares.sqrt();
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
