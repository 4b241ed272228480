use candle_core::{Result, Tensor};
use candle_nn::Module;
use serde::{Deserialize, Serialize};

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
        match *self {
            Self::Identity => Ok(x.clone()),
            Self::Relu => x.relu(),
            // x = relu(x) - relu(-x): both halves have candle's exact gradient.
            Self::LeakyRelu(slope) => x.relu()? - (x.neg()?.relu()? * slope)?,
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
}
