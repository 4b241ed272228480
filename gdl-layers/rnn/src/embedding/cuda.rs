use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, only_cuda, tensor};

pub(crate) const SOURCE: Source = Source { name: "embedding", code: include_str!("embedding.cu") };

/// [`lookup`](super::lookup) on CUDA. The ids do not leave the device.
pub(super) fn lookup(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let mut shape = ids.dims().to_vec();
    shape.push(table.dim(1)?);
    let ids = ids.flatten_all()?.to_dtype(DType::U32)?.contiguous()?;
    table.apply_op1(Lookup { ids, shape })
}

struct Lookup {
    ids: Tensor,
    shape: Vec<usize>,
}

impl CustomOp1 for Lookup {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_cuda("embedding")
    }

    fn cuda_fwd(&self, table: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (vocab, size) = layout.shape().dims2()?;
        let table = Input::new(table, layout)?;
        let shape = Shape::from(self.shape.clone());
        let (mut out, count) = (empty(table.device(), table.dtype(), &shape)?, shape.elem_count());
        Input::of(&self.ids, |ids| {
            let params = &mut [
                Param::In(&table),
                Param::In(ids),
                Param::Out(&mut out, 0),
                Param::Int(count),
                Param::Int(vocab),
                Param::Int(size),
            ];
            launch(table.device(), &SOURCE, table.dtype(), "lookup", Grid::elements(count), params)
        })?;
        Ok((out, shape))
    }

    fn bwd(&self, table: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (vocab, size) = table.dims2()?;
        let (device, dtype) = (device(table)?, table.dtype());
        let mut out = empty(&device, dtype, table.shape())?;
        Input::of_all([grad, &self.ids], |[grad, ids]| {
            let params = &mut [
                Param::In(grad),
                Param::In(ids),
                Param::Out(&mut out, 0),
                Param::Int(self.ids.elem_count()),
                Param::Int(size),
            ];
            launch(&device, &SOURCE, dtype, "lookup_gradient", Grid::blocks(vocab, size), params)
        })?;
        Ok(Some(tensor(out, table.shape())))
    }
}
