//! Adam on CUDA: all parameters in one launch.

use super::adam::AdamRule;
use crate::cuda::{STRETCH, address, stretches};
use candle_core::{Result, Tensor, Var, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, launch, sum_type};

pub(crate) const SOURCE: Source = Source { name: "adam", code: include_str!("adam.cu") };

/// A parameter with its gradient, its two moments and the numbers of its step.
pub(super) struct Parameter<'a> {
    pub(super) var: &'a Var,
    pub(super) grad: Tensor,
    pub(super) moments: [&'a Var; 2],
    pub(super) rule: AdamRule,
}

/// Changes the parameters, which are of one type and lie on one device, and their moments; held back by the values of a
/// [`Brake`](super::Brake).
pub(super) fn step(parameters: &[Parameter<'_>], brake: Option<&Tensor>) -> Result<()> {
    let Some(first) = parameters.first() else { return Ok(()) };
    let dtype = first.var.dtype();
    let device = gdl_kernels::cuda::device(first.var)?;
    let mut words = Vec::with_capacity(8 * parameters.len());
    let mut blocks = Vec::new();
    for (i, Parameter { var, grad, moments, rule }) in parameters.iter().enumerate() {
        let count = var.elem_count();
        for tensor in [var.as_tensor(), grad, moments[0].as_tensor(), moments[1].as_tensor()] {
            if tensor.elem_count() != count || tensor.dtype() != dtype {
                bail!("adam: a gradient or a moment is {:?}, its parameter {:?}", tensor.shape(), var.shape())
            }
            words.push(address(tensor)?);
        }
        words.extend([count as i64, rule.step_size.to_bits() as i64, rule.correct2.to_bits() as i64]);
        blocks.extend(stretches(i, count));
    }
    let grid = Grid::blocks(blocks.len(), 256);
    words.extend(blocks);
    let count = words.len();
    let table = Tensor::from_vec(words, count, first.var.device())?;
    let rule = &first.rule;
    let brake = brake.map(|values| values.to_dtype(sum_type(dtype))).transpose()?;
    Input::of(&table, |table| {
        Input::of_maybe(brake.as_ref(), |brake| {
            let params = &mut [
                Param::In(table),
                Param::Sums(brake),
                Param::Int(parameters.len()),
                Param::Int(STRETCH),
                Param::Real(rule.keep),
                Param::Real(rule.decay),
                Param::Real(rule.new1),
                Param::Real(rule.beta2),
                Param::Real(rule.eps),
            ];
            launch(&device, &SOURCE, dtype, "adam", grid, params)
        })
    })
}
