//! Optimizers on CUDA: all parameters in one launch.

use crate::cuda::{STRETCH, address, stretches};
use candle_core::{Result, Tensor, Var, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, launch, sum_type};

pub(crate) const SOURCE: Source = Source { name: "optimizer", code: include_str!("step.cu") };

/// States of a parameter that the kernels have a place for.
const STATES: usize = 3;

/// The kernel of a rule, and what it is given beside the tensors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// Numbers that are the same for all parameters.
    pub(crate) shared: [f64; 5],
    /// Numbers of a parameter's step.
    pub(crate) own: [f64; 2],
}

/// A parameter with its gradient, its states (empty where one is not kept) and the kernel of its step.
pub(super) struct Parameter<'a, const K: usize> {
    pub(super) var: &'a Var,
    pub(super) grad: Tensor,
    pub(super) states: [&'a Var; K],
    pub(super) kernel: Kernel,
}

/// Changes the parameters, which are of one type and lie on one device, and their states; held back by the values of a
/// [`Brake`](super::Brake).
pub(super) fn step<const K: usize>(parameters: &[Parameter<'_, K>], brake: Option<&Tensor>) -> Result<()> {
    const { assert!(K <= STATES) };
    let Some(first) = parameters.first() else { return Ok(()) };
    let dtype = first.var.dtype();
    let device = gdl_kernels::cuda::device(first.var)?;
    let mut words = Vec::with_capacity(9 * parameters.len());
    let mut blocks = Vec::new();
    for (i, Parameter { var, grad, states, kernel }) in parameters.iter().enumerate() {
        let count = var.elem_count();
        let place = |tensor: &Tensor| {
            if tensor.elem_count() != count || tensor.dtype() != dtype {
                bail!(
                    "optimizer: a gradient or a state is {:?}, its parameter {:?}",
                    tensor.shape(),
                    var.shape()
                )
            }
            address(tensor)
        };
        words.extend([place(var)?, place(grad)?]);
        for k in 0..STATES {
            let state = states.get(k).filter(|state| state.elem_count() > 0);
            words.push(state.map_or(Ok(0), |state| place(state))?);
        }
        words.extend([count as i64, kernel.own[0].to_bits() as i64, kernel.own[1].to_bits() as i64]);
        blocks.extend(stretches(i, count));
    }
    let grid = Grid::blocks(blocks.len(), 256);
    words.extend(blocks);
    let count = words.len();
    let table = Tensor::from_vec(words, count, first.var.device())?;
    let brake = brake.map(|values| values.to_dtype(sum_type(dtype))).transpose()?;
    Input::of(&table, |table| {
        Input::of_maybe(brake.as_ref(), |brake| {
            let [a, b, c, d, e] = first.kernel.shared.map(Param::Real);
            let (tensors, stretch) = (Param::Int(parameters.len()), Param::Int(STRETCH));
            let params = &mut [Param::In(table), Param::Sums(brake), tensors, stretch, a, b, c, d, e];
            launch(&device, &SOURCE, dtype, first.kernel.name, grid, params)
        })
    })
}
