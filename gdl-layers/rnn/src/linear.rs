use candle_core::{Result, bail};
use candle_nn::{Linear, VarBuilder};
use gdl_kernels::init;

/// candle's linear layer with PyTorch's initial values, which are not candle's.
///
/// # Shape
///
/// Input (..., `inputs`); output (..., `outputs`).
///
/// # Parameters
///
/// | key | shape | initial |
/// | --- | --- | --- |
/// | `weight` | (`outputs`, `inputs`) | U(-1/sqrt(`inputs`), 1/sqrt(`inputs`)) |
/// | `bias` | (`outputs`) | the same |
///
/// # Errors
///
/// When a size is 0 or a weight is missing or wrongly shaped.
///
/// # Source
///
/// `torch.nn.Linear`.
pub fn linear(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    if inputs == 0 || outputs == 0 {
        bail!("linear: sizes must be at least 1, got {inputs} inputs and {outputs} outputs")
    }
    let init = init::uniform(1. / (inputs as f64).sqrt());
    let weight = vb.get_with_hints((outputs, inputs), "weight", init)?;
    Ok(Linear::new(weight, Some(vb.get_with_hints(outputs, "bias", init)?)))
}
