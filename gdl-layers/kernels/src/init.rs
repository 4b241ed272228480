//! PyTorch's initialisations as [`candle_nn::Init`] values.
//!
//! They only say what is to be drawn; the store behind the `VarBuilder` draws it. candle's own `VarMap` cannot be
//! seeded on the CPU, `gdl_train::ParamStore` can.

use candle_nn::Init;
use serde::{Deserialize, Serialize};

/// Uniform in `[-bound, bound]`.
pub fn uniform(bound: f64) -> Init {
    Init::Uniform { lo: -bound, up: bound }
}

/// Normal with that mean and standard deviation.
pub fn normal(mean: f64, stdev: f64) -> Init {
    Init::Randn { mean, stdev }
}

/// PyTorch's default for the weights and biases of linear and convolution layers: uniform in `±1 / sqrt(fan_in)`.
///
/// It is what `kaiming_uniform_(a = sqrt(5))` comes to. `fan_in` is the number of inputs that meet in one output;
/// 0 gives the constant 0.
pub fn fan_in_uniform(fan_in: usize) -> Init {
    if fan_in == 0 { Init::Const(0.0) } else { uniform(1.0 / (fan_in as f64).sqrt()) }
}

/// How a network of convolutions is initialised, by the names of pytorch-CycleGAN-and-pix2pix (`--init_type`).
///
/// Every scheme but [`InitScheme::PyTorch`] starts the biases at 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InitScheme {
    /// PyTorch's own: weights and biases uniform in `±1 / sqrt(fan_in)`; the default.
    #[default]
    PyTorch,
    /// Weights normal with that standard deviation; GANs take 0.02.
    Normal(f64),
    /// Weights normal with standard deviation `gain * sqrt(2 / (fan_in + fan_out))`; the field is the gain.
    Xavier(f64),
    /// Weights normal with standard deviation `sqrt(2 / fan_in)`.
    Kaiming,
}

impl InitScheme {
    /// The initial weight and bias of a convolution whose weight has those dimensions (out, in / groups, kh, kw; of a
    /// transposed convolution in, out / groups, kh, kw).
    ///
    /// As in PyTorch, `fan_in` belongs to the second axis and `fan_out` to the first, for transposed convolutions too.
    pub fn conv(self, weight: [usize; 4]) -> (Init, Init) {
        let [first, second, kh, kw] = weight;
        let (fan_in, fan_out) = (second * kh * kw, first * kh * kw);
        let zero = Init::Const(0.0);
        match self {
            Self::PyTorch => (fan_in_uniform(fan_in), fan_in_uniform(fan_in)),
            Self::Normal(stdev) => (normal(0.0, stdev), zero),
            Self::Xavier(gain) => (normal(0.0, gain * (2.0 / (fan_in + fan_out).max(1) as f64).sqrt()), zero),
            Self::Kaiming => (normal(0.0, (2.0 / fan_in.max(1) as f64).sqrt()), zero),
        }
    }

    /// The initial scale of a batch norm in the network: normal around 1 with the scheme's deviation or gain (0.02 for
    /// Kaiming, which has neither), as the reference implementation draws it; 1 with PyTorch's own.
    pub fn norm_scale(self) -> Init {
        match self {
            Self::PyTorch => Init::Const(1.0),
            Self::Normal(spread) | Self::Xavier(spread) => normal(1.0, spread),
            Self::Kaiming => normal(1.0, 0.02),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_have_pytorch_s_scale() {
        // torch.nn.init on a (6, 2, 4, 3) weight: fan_in 24, fan_out 72.
        let stdev = |scheme: InitScheme| match scheme.conv([6, 2, 4, 3]) {
            (Init::Randn { mean, stdev }, Init::Const(bias)) => {
                assert_eq!((mean, bias), (0.0, 0.0));
                stdev
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(stdev(InitScheme::Normal(0.02)), 0.02);
        assert!((stdev(InitScheme::Xavier(0.5)) - 0.5 * (2.0f64 / 96.0).sqrt()).abs() < 1e-15);
        assert!((stdev(InitScheme::Kaiming) - (1.0f64 / 12.0).sqrt()).abs() < 1e-15);
        let (weight, bias) = InitScheme::PyTorch.conv([6, 2, 4, 3]);
        assert_eq!(format!("{weight:?}"), format!("{:?}", uniform(1.0 / 24f64.sqrt())));
        assert_eq!(format!("{bias:?}"), format!("{weight:?}"));
    }
}
