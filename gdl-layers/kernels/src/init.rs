//! PyTorch's initialisations as [`candle_nn::Init`] values.
//!
//! They only say what is to be drawn; the store behind the `VarBuilder` draws it. candle's own `VarMap` cannot be
//! seeded on the CPU, `gdl_train::ParamStore` can.

use candle_nn::Init;

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
