use candle_core::{Module, Result, Tensor};

/// A network that scores images, and whose derivative in a direction can be carried forward.
///
/// With batch norm an image's scores depend on the other images of its batch; [`gradient_penalty`](crate::gradient_penalty) then
/// takes the gradient of the sum of all scores, as the reference implementation does.
pub trait Discriminator: Module {
    /// The scores of `x` and their derivative in the direction `dx` (a Jacobian-vector product), both differentiable in
    /// the parameters by an ordinary backward pass.
    ///
    /// # Errors
    ///
    /// Where the shapes do not fit.
    fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)>;
}
