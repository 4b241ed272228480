#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::optim::elementwise::squares;
use crate::{Brake, Error, Result};
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
    let (_, norm) = Clipping::new([], vars, grads, max_norm)?.read()?;
    let factor = factor(norm, max_norm);
    if factor < 1.0 {
        scale(vars, grads, |g| g * factor)?;
    }
    Ok(norm)
}

/// `min(1, max_norm / (norm + 1e-6))`
fn factor(norm: f64, max_norm: f64) -> f64 {
    (max_norm / (norm + 1e-6)).min(1.0)
}

/// The clipping of a step's gradients to a common norm, as [`clip_grad_norm`] does it, for an optimizer that applies it
/// itself ([`Optimizer::step_braked`](crate::Optimizer::step_braked)); and some scalars of the step, its loss before all, that
/// must be finite for the step to be taken.
///
/// Nothing waits for a GPU before [`read`](Self::read), which can come when the step is on its way, or never.
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use gdl_train::{Adam, AdamConfig, Clipping, Optimizer, ParamStore};
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
/// let x = store.vb().get_with_hints(4, "x", candle_nn::init::ONE)?;
/// let mut adam = Adam::new(store.trainable(), AdamConfig::default())?;
/// let loss = x.sqr()?.sum_all()?;
/// let grads = loss.backward()?;
/// let clipping = Clipping::new([&loss], &store.trainable(), &grads, 0.5)?;
/// adam.step_braked(&grads, clipping.brake())?;
/// assert_eq!(clipping.read()?, ([4.0], 4.0)); // the gradient is (2, 2, 2, 2)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Clipping<const N: usize> {
    /// Of the variables that have gradients.
    names: Vec<String>,
    brake: Brake,
    /// The scalars, and the sum of squares of each gradient.
    sizes: Sizes<N>,
}

#[derive(Debug)]
enum Sizes<const N: usize> {
    Known([f64; N], Vec<f64>),
    #[cfg(feature = "cuda")]
    OnDevice([Tensor; N], Tensor),
}

impl<const N: usize> Clipping<N> {
    /// Of the gradients of these variables.
    ///
    /// # Errors
    /// When one of the scalars is none.
    pub fn new(
        scalars: [&Tensor; N],
        vars: &[(String, Var)],
        grads: &GradStore,
        max_norm: f64,
    ) -> Result<Self> {
        let named: Vec<_> = vars.iter().filter_map(|(name, var)| Some((name, grads.get(var)?))).collect();
        let grads: Vec<&Tensor> = named.iter().map(|(_, g)| *g).collect();
        let names = named.iter().map(|(name, _)| (*name).clone()).collect();
        #[cfg(feature = "cuda")]
        if cuda::take(&grads) {
            let (squares, brake) = cuda::clipping(&scalars, &grads, max_norm)?;
            let sizes = Sizes::OnDevice(scalars.map(Tensor::detach), squares);
            return Ok(Self { names, brake, sizes });
        }
        let (squares, read) = squares(grads.into_iter(), &scalars.map(Tensor::clone))?;
        let scalars = std::array::from_fn(|i| read[i]);
        let norm = squares.iter().sum::<f64>().sqrt();
        let finite = norm.is_finite() && read.iter().all(|value| value.is_finite());
        let brake = Brake::known(finite.then(|| factor(norm, max_norm)));
        Ok(Self { names, brake, sizes: Sizes::Known(scalars, squares) })
    }

    /// What the optimizer takes: the factor on the gradients, and no step where a scalar or the norm is not finite.
    pub fn brake(&self) -> &Brake {
        &self.brake
    }

    /// The scalars, and the norm before clipping; here a GPU is waited for, once.
    ///
    /// Scalars that are not finite are returned, with a norm of NaN, for the caller to name.
    ///
    /// # Errors
    /// [`Error::NotFinite`], naming the first variable concerned, when the scalars are finite and the norm is not.
    pub fn read(self) -> Result<([f64; N], f64)> {
        let (scalars, squares) = match self.sizes {
            Sizes::Known(scalars, squares) => (scalars, squares),
            #[cfg(feature = "cuda")]
            Sizes::OnDevice(scalars, squares) => {
                let mut all = gdl_kernels::read(&[scalars.as_slice(), &[squares]].concat())?;
                let squares = all.split_off(N);
                (std::array::from_fn(|i| all[i]), squares)
            }
        };
        if scalars.iter().any(|value| !value.is_finite()) {
            return Ok((scalars, f64::NAN));
        }
        if let Some((key, square)) = self.names.into_iter().zip(&squares).find(|(_, s)| !s.is_finite()) {
            return Err(Error::NotFinite { key, norm: square.sqrt() });
        }
        Ok((scalars, squares.iter().sum::<f64>().sqrt()))
    }
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
