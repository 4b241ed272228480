#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod rectifier;

#[cfg(feature = "cuda")]
pub use cuda::backward as cuda_rectifier_gradient;
pub use rectifier::rectifier_gradient;

use candle_core::{Result, Tensor};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

/// `ln(1 + exp(x))` without overflow, with the gradient `sigmoid(x)` everywhere.
///
/// # Errors
/// Those of the underlying tensor operations.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    // ln(exp(0) + exp(x)) with the larger exponent taken out as a constant: no kink at 0, unlike max(x, 0) + ….
    let top = x.relu()?.detach();
    let sum = (top.neg()?.exp()? + (x - &top)?.exp()?)?;
    top + sum.log()?
}

/// An element-wise activation function.
///
/// As a candle [`Module`] it applies itself to a tensor of any shape.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`
    #[default]
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `x` where it is positive, `slope * x` elsewhere; the slope is the field (GAN discriminators use 0.2).
    LeakyRelu(f64),
    /// Hyperbolic tangent, into (-1, 1).
    Tanh,
    /// `1 / (1 + exp(-x))`, into (0, 1).
    Sigmoid,
}

impl Activation {
    /// What the rectifiers multiply negative numbers with; none for the other functions.
    pub fn slope(&self) -> Option<f64> {
        match *self {
            Self::Relu => Some(0.0),
            Self::LeakyRelu(slope) => Some(slope),
            Self::Identity | Self::Tanh | Self::Sigmoid => None,
        }
    }

    /// The derivative at `x`, as a tensor of the same shape; at the kinks of the rectifiers the derivative of the
    /// negative side, as PyTorch takes it.
    ///
    /// Used where a directional derivative is carried forward through a network.
    ///
    /// # Errors
    /// Those of the underlying tensor operations.
    pub fn derivative(&self, x: &Tensor) -> Result<Tensor> {
        match *self {
            Self::Identity => x.ones_like(),
            Self::Relu => x.gt(0f64)?.to_dtype(x.dtype()),
            Self::LeakyRelu(slope) => x.gt(0f64)?.to_dtype(x.dtype())?.affine(1.0 - slope, slope),
            Self::Tanh => x.tanh()?.sqr()?.affine(-1.0, 1.0),
            Self::Sigmoid => {
                let s = self.forward(x)?;
                (&s - s.sqr()?)?.contiguous()
            }
        }
    }
}

impl Module for Activation {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if let Some(slope) = self.slope().filter(|_| crate::has_kernel(x)) {
            return rectifier::rectify(x, slope);
        }
        match *self {
            Self::Identity => Ok(x.clone()),
            // Not `x.relu()`, which turns NaN into 0 and lets the whole gradient through at 0; PyTorch does neither.
            Self::Relu => x.le(0f64)?.where_cond(&x.zeros_like()?, x),
            Self::LeakyRelu(slope) => x.le(0f64)?.where_cond(&(x * slope)?, x),
            Self::Tanh => x.tanh(),
            // Through tanh, which cannot overflow: exp(-x) would for large negative x.
            Self::Sigmoid => (x * 0.5)?.tanh()?.affine(0.5, 0.5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn values_and_derivatives() {
        let x = Tensor::new(&[-800.0f64, -1.0, -0.5, 0.25, 2.0, 800.0], &Device::Cpu).unwrap();
        let h = 1e-6;
        for act in [
            Activation::Identity,
            Activation::Relu,
            Activation::LeakyRelu(0.2),
            Activation::Tanh,
            Activation::Sigmoid,
        ] {
            let hi: Vec<f64> = act.forward(&(&x + h).unwrap()).unwrap().to_vec1().unwrap();
            let lo: Vec<f64> = act.forward(&(&x - h).unwrap()).unwrap().to_vec1().unwrap();
            let d: Vec<f64> = act.derivative(&x).unwrap().to_vec1().unwrap();
            for i in 0..d.len() {
                let slope = (hi[i] - lo[i]) / (2.0 * h);
                // Central differences in f64 are good to 1e-7 here (800 / 1e-6 * 1e-16).
                assert!((slope - d[i]).abs() < 1e-6, "{act:?} at {i}: {} and {slope}", d[i]);
            }
        }
    }

    #[test]
    fn gradients_are_the_derivatives_at_the_kink_too() {
        for act in [
            Activation::Identity,
            Activation::Relu,
            Activation::LeakyRelu(0.2),
            Activation::Tanh,
            Activation::Sigmoid,
        ] {
            let x = candle_core::Var::new(&[-1.5f64, -0.0, 0.0, 0.5], &Device::Cpu).unwrap();
            let grads = act.forward(&x).unwrap().sum_all().unwrap().backward().unwrap();
            let got: Vec<f64> = grads.get(&x).unwrap().to_vec1().unwrap();
            let want: Vec<f64> = act.derivative(&x).unwrap().to_vec1().unwrap();
            for (g, w) in got.iter().zip(&want) {
                // The two formulas of tanh and sigmoid round differently.
                assert!((g - w).abs() < 1e-15, "{act:?}: {got:?} and {want:?}");
            }
        }
    }

    #[test]
    fn nan_stays_nan() {
        let x = Tensor::new(&[f64::NAN], &Device::Cpu).unwrap();
        for act in [Activation::Relu, Activation::LeakyRelu(0.2), Activation::Tanh, Activation::Sigmoid] {
            assert!(act.forward(&x).unwrap().to_vec1::<f64>().unwrap()[0].is_nan(), "{act:?}");
        }
    }
}
