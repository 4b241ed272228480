//! Clipping on CUDA: the norm of all gradients in two launches, and nothing waited for.

use crate::Brake;
use crate::cuda::{STRETCH, address, stretches};
use crate::optim::elementwise::wide;
use candle_core::{Result, Shape, Tensor};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, sum_type, tensor};

pub(crate) const SOURCE: Source = Source { name: "gradient-norm", code: include_str!("norm.cu") };

/// Whether the kernels take these gradients: of one type, on one device, and not all empty.
pub(super) fn take(grads: &[&Tensor]) -> bool {
    crate::cuda::take(grads.iter().copied()) && grads.iter().any(|g| g.elem_count() > 0)
}

/// The sum of squares of each gradient, and what holds their step back.
pub(super) fn clipping(scalars: &[&Tensor], grads: &[&Tensor], max_norm: f64) -> Result<(Tensor, Brake)> {
    let grads = grads.iter().map(|g| g.contiguous()).collect::<Result<Vec<_>>>()?;
    let (device, dtype, count) = (device(&grads[0])?, grads[0].dtype(), grads.len());
    let sums_in = sum_type(dtype);
    let mut words = Vec::with_capacity(4 * count);
    let mut blocks = Vec::new();
    for (i, grad) in grads.iter().enumerate() {
        words.extend([address(grad)?, grad.elem_count() as i64, blocks.len() as i64]);
        blocks.extend(stretches(i, grad.elem_count()));
    }
    let wide = scalars.iter().map(|s| wide(s)?.to_dtype(sums_in)).collect::<Result<Vec<_>>>()?;
    let guard = wide.into_iter().map(Ok).reduce(|sum, own| sum? + own?).transpose()?;
    let parts = blocks.len();
    let mut sums = empty(&device, sums_in, &Shape::from(parts))?;
    words.extend(blocks);
    let total = words.len();
    let table = Tensor::from_vec(words, total, grads[0].device())?;
    let mut out = empty(&device, sums_in, &Shape::from(count + 2))?;
    Input::of(&table, |table| {
        let (tensors, stretch) = (Param::Int(count), Param::Int(STRETCH));
        let params = &mut [Param::In(table), Param::Out(&mut sums, 0), tensors, stretch];
        launch(&device, &SOURCE, dtype, "squares", Grid::blocks(parts, 256), params)?;
        let sums = tensor(sums, parts);
        Input::of(&sums, |sums| {
            Input::of_maybe(guard.as_ref(), |guard| {
                let params = &mut [
                    Param::In(table),
                    Param::Sums(Some(sums)),
                    Param::Sums(guard),
                    Param::Out(&mut out, 0),
                    Param::Int(count),
                    Param::Int(STRETCH),
                    Param::Real(max_norm),
                ];
                launch(&device, &SOURCE, dtype, "clipping", Grid::blocks(1, 512), params)
            })
        })
    })?;
    let out = tensor(out, count + 2);
    Ok((out.narrow(0, 0, count)?, Brake::on_device(out.narrow(0, count, 2)?)))
}
