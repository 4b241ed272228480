use serde::{Deserialize, Serialize};

/// A number estimated from a sample of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Where it lies with a confidence of 95%, as far as the choice of pictures goes; none when there are too few pictures to tell.
    pub interval: Option<[f64; 2]>,
}

impl Estimate {
    /// A value with the interval that its standard error gives.
    pub(crate) fn normal(value: f64, error: Option<f64>) -> Self {
        // The 97.5th percentile of the standard normal distribution.
        const Z: f64 = 1.959_963_984_540_054;
        Self { value, interval: error.map(|error| [value - Z * error, value + Z * error]) }
    }
}

/// Mean and (with n - 1) standard deviation; of at least two numbers.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}
