//! PyTorch's initialisations as [`candle_nn::Init`] values.
//!
//! They only say what is to be drawn; the store behind the `VarBuilder` draws it. candle's own `VarMap` cannot be
//! seeded on the CPU, `gdl_train::ParamStore` can.

use crate::orthogonal::orthogonal;
use crate::rng::Rng;
use candle_core::{Result, bail};
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

/// Orthogonal weights: the first axis against all the others together, the shorter of the two orthonormal, times `gain`.
///
/// candle's [`Init`] has no such variant, so it travels as one that draws nothing: [`Orthogonal::init`] is a normal
/// distribution whose deviation is no number. A store that knows it (`gdl_train::ParamStore`) finds it again with
/// [`Orthogonal::of`] and takes its numbers from [`Orthogonal::draw`]; candle's own `VarMap` refuses it on the CPU, and
/// nothing takes it for another initialisation.
///
/// # Source
/// `torch.nn.init.orthogonal_`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orthogonal {
    /// What the orthonormal matrix is multiplied by.
    pub gain: f64,
}

impl Orthogonal {
    /// As a layer asks a `VarBuilder` for it.
    pub fn init(self) -> Init {
        Init::Randn { mean: self.gain, stdev: f64::NAN }
    }

    /// Whether it is that which was asked for.
    pub fn of(init: &Init) -> Option<Self> {
        match init {
            Init::Randn { mean, stdev } if stdev.is_nan() => Some(Self { gain: *mean }),
            _ => None,
        }
    }

    /// Draws a tensor of that shape, in the order of its elements.
    ///
    /// # Errors
    /// When it has fewer than two axes.
    pub fn draw(self, dims: &[usize], rng: &mut Rng) -> Result<Vec<f64>> {
        let (rows, cols) = match dims {
            [rows, rest @ ..] if !rest.is_empty() => (*rows, rest.iter().product()),
            _ => bail!("an orthogonal weight has two axes or more, not the shape {dims:?}"),
        };
        let mut values = orthogonal(rows, cols, rng);
        values.iter_mut().for_each(|v| *v *= self.gain);
        Ok(values)
    }
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
    /// [`Orthogonal`] weights; the field is the gain. (Of a transposed convolution the first axis are its inputs, as in PyTorch.)
    Orthogonal(f64),
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
            Self::Orthogonal(gain) => (Orthogonal { gain }.init(), zero),
        }
    }

    /// The initial scale of a batch norm in the network: normal around 1 with the scheme's deviation or gain (0.02 for
    /// Kaiming, which has neither), as the reference implementation draws it; 1 with PyTorch's own.
    pub fn norm_scale(self) -> Init {
        match self {
            Self::PyTorch => Init::Const(1.0),
            Self::Normal(spread) | Self::Xavier(spread) | Self::Orthogonal(spread) => normal(1.0, spread),
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

    #[test]
    fn orthogonal_travels_through_candle_s_init_and_is_taken_for_nothing_else() {
        let (weight, bias) = InitScheme::Orthogonal(0.5).conv([6, 2, 4, 3]);
        assert_eq!(Orthogonal::of(&weight), Some(Orthogonal { gain: 0.5 }));
        for other in [bias, normal(0.5, 0.0), uniform(0.5), InitScheme::Kaiming.conv([6, 2, 4, 3]).0] {
            assert_eq!(Orthogonal::of(&other), None);
        }
        let vars = candle_nn::VarMap::new();
        let vb =
            candle_nn::VarBuilder::from_varmap(&vars, candle_core::DType::F32, &candle_core::Device::Cpu);
        assert!(vb.get_with_hints((6, 2), "weight", weight).is_err());
        let values = Orthogonal { gain: 0.5 }.draw(&[2, 3, 1, 2], &mut Rng::seed(1)).unwrap();
        for row in values.chunks(6) {
            assert!((row.iter().map(|v| v * v).sum::<f64>() - 0.25).abs() < 1e-12);
        }
        for dims in [&[][..], &[4]] {
            let error = Orthogonal { gain: 1.0 }.draw(dims, &mut Rng::seed(1)).unwrap_err().to_string();
            assert!(error.contains("two axes"), "{error}");
        }
    }
}
