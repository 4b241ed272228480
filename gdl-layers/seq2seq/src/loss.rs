use candle_core::{D, Result, Tensor};
use gdl_kernels::numbers;
use serde::{Deserialize, Serialize};

/// What training minimises beside the likelihood of the targets.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Probability, in [0, 1], that is taken from the right token and spread evenly over the vocabulary (Szegedy et al. 2015); where words
    /// can be copied, only in what is said of the vocabulary. Default 0.
    pub label_smoothing: f64,
    /// Weight of the loss for looking again where attention has been before, `sum_s min(a_ts, c_ts)` with c the sum of the attention of
    /// the steps before (See et al. 2017, equation 12). Default 0.
    pub coverage: f64,
}

/// The sum over all steps that count of `sum_s min(a_ts, c_ts)`: attention (N, T, S), and 1 or 0 (N, T) for each step.
pub(crate) fn coverage(attention: &Tensor, counts: &Tensor) -> Result<Tensor> {
    let (_, t, _) = attention.dims3()?;
    // The steps before each: strictly lower triangular.
    let before = (0..t).flat_map(|row| (0..t).map(move |column| f64::from(u8::from(column < row))));
    let before = numbers(before.collect(), (1, t, t), attention.dtype(), attention.device())?;
    let covered = before.broadcast_matmul(attention)?; // (N, T, S)
    (attention.minimum(&covered)?.sum(D::Minus1)? * counts)?.sum_all()
}
