use super::value;
use candle_core::{Result, Tensor, Var};

/// A loss whose gradient with respect to `x` is scaled to the Euclidean norm `strength`.
///
/// Gives the loss as it is, and a scalar to differentiate in its place: its gradient with respect to `x` is
/// `strength * g / |g|` for the loss's gradient g, and goes on from there to whatever `x` was computed from. A gradient of 0 stays 0.
///
/// So each layer pulls at its features equally hard before its weight is applied, whatever its loss comes to: an
/// identity with a normalising backward pass. It is made of plain operations, on any device: g is computed at a copy
/// of `x` and held constant in `sum(x g) * strength / |g|`.
///
/// The sum of such scalars is not a loss, so nothing that compares losses (a line search) can go along with their
/// gradients.
///
/// # Shape
/// `x` of any shape; `loss` maps it to a scalar.
///
/// # Errors
/// Those of `loss`.
///
/// # Source
/// neural-style, `-normalize_gradients`, which divides by the sum of sizes instead. neural-style-pt's
/// `ScaleGradients` normalises the gradient of the scalar loss with respect to itself, which is always 1, so only its
/// factor `strength^2` has an effect there.
pub fn with_unit_gradient(
    x: &Tensor,
    strength: f64,
    loss: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let leaf = Var::from_tensor(&x.detach())?;
    let at_leaf = loss(leaf.as_tensor())?;
    let grads = at_leaf.backward()?;
    let Some(g) = grads.get(leaf.as_tensor()) else { return Ok((at_leaf.detach(), (x.sum_all()? * 0.0)?)) };
    // By the largest element first: the square of a gradient of 1e-23 is nothing in f32.
    let largest = value(&g.abs()?.flatten_all()?.max(0)?)?;
    let direction = if largest > 0.0 {
        let g = (g / largest)?;
        let norm = value(&g.sqr()?.sum_all()?)?.sqrt();
        (g * (strength / norm))?
    } else {
        g.clone()
    };
    Ok((at_leaf.detach(), (x * direction.detach())?.sum_all()?))
}
