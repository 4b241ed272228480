use crate::cpu::simd::Real;
use crate::cpu::slices::{gather, ids as read, scatter_add, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use gdl_kernels::view;

/// [`lookup`](super::lookup) whose backward pass adds the gradients of one token up in one go.
pub(super) fn lookup<T: Real>(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let mut shape = ids.dims().to_vec();
    shape.push(table.dim(1)?);
    let ids = read("Embedding", ids, table.dim(0)?)?;
    table.apply_op1(Lookup { ids, shape, element: std::marker::PhantomData::<T> })
}

struct Lookup<T> {
    ids: Vec<u32>,
    shape: Vec<usize>,
    element: std::marker::PhantomData<T>,
}

impl<T: Real> CustomOp1 for Lookup<T> {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, columns) = layout.shape().dims2()?;
        let out = gather(&self.ids, &view::contiguous::<T>(table, layout)?, columns);
        Ok((T::to_cpu_storage_owned(out), Shape::from(self.shape.clone())))
    }

    fn bwd(&self, table: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (vocab, columns) = table.dims2()?;
        let sums = with_slice::<T, _>(grad, |grad| Ok(scatter_add(&self.ids, grad, columns, vocab)))?;
        Tensor::from_vec(sums, (vocab, columns), table.device()).map(Some)
    }
}
