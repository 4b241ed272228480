//! Adam on CUDA: all parameters in one launch.

use super::adam::AdamRule;
use candle_core::{Result, Storage, Tensor, Var, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, launch, pointer};

pub(crate) const SOURCE: Source = Source { name: "adam", code: include_str!("adam.cu") };

/// Elements that a block changes.
const STRETCH: usize = 1 << 14;

/// A parameter with its gradient, its two moments and the numbers of its step.
pub(super) struct Parameter<'a> {
    pub(super) var: &'a Var,
    pub(super) grad: Tensor,
    pub(super) moments: [&'a Var; 2],
    pub(super) rule: AdamRule,
}

/// Changes the parameters, which are of one type and lie on one device, and their moments.
pub(super) fn step(parameters: &[Parameter<'_>]) -> Result<()> {
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
        blocks.extend((0..count.div_ceil(STRETCH)).map(|stretch| ((i as i64) << 32) | stretch as i64));
    }
    let grid = Grid::blocks(blocks.len(), 256);
    words.extend(blocks);
    let count = words.len();
    let table = Tensor::from_vec(words, count, first.var.device())?;
    let rule = &first.rule;
    Input::of(&table, |table| {
        let params = &mut [
            Param::In(table),
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
}

/// Where the elements of a contiguous tensor lie.
fn address(tensor: &Tensor) -> Result<i64> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cuda(storage), Some((start, _))) => {
            // Only this stream works on it, in order: the address may outlive the guard.
            Ok(pointer(storage, start, &storage.device.cuda_stream())?.0 as i64)
        }
        _ => bail!("adam: a tensor is not contiguous on the device of its parameter"),
    }
}
