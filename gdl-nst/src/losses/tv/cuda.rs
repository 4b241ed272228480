//! Total variation on CUDA: one pass each way.

use super::Power;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, only_cuda, sum_type, tensor};

pub(crate) const SOURCE: Source = Source { name: "total-variation", code: include_str!("tv.cu") };

/// Blocks that share the pixels.
const BLOCKS: usize = 512;

/// The mean, over all elements, of the differences to the neighbours below and to the right.
pub(super) fn of_differences(image: &Tensor, power: Power) -> Result<Tensor> {
    image.apply_op1(Variation { power })
}

#[derive(Debug, Clone, Copy)]
struct Variation {
    power: Power,
}

impl Variation {
    fn power(self) -> Param<'static> {
        Param::Int(match self.power {
            Power::One => 1,
            Power::Two => 2,
        })
    }
}

impl CustomOp1 for Variation {
    fn name(&self) -> &'static str {
        "total variation"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_cuda("total variation")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (_, _, h, w) = layout.shape().dims4()?;
        let count = layout.shape().elem_count();
        let x = Input::new(x, layout)?;
        let mut parts = empty(x.device(), sum_type(x.dtype()), &Shape::from(BLOCKS))?;
        let params = &mut [
            Param::In(&x),
            Param::Out(&mut parts, 0),
            Param::Int(count),
            Param::Int(h),
            Param::Int(w),
            self.power(),
        ];
        launch(x.device(), &SOURCE, x.dtype(), "tv", Grid::blocks(BLOCKS, 256), params)?;
        let mean = (tensor(parts, BLOCKS).sum_all()? / count as f64)?.to_dtype(x.dtype())?;
        gdl_kernels::cuda::copy(&mean)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, h, w) = x.dims4()?;
        let (device, dtype, count) = (device(x)?, x.dtype(), x.elem_count());
        let mut out = empty(&device, dtype, x.shape())?;
        Input::of_all([x, grad], |[x, grad]| {
            let params = &mut [
                Param::In(x),
                Param::In(grad),
                Param::Out(&mut out, 0),
                Param::Int(count),
                Param::Int(h),
                Param::Int(w),
                self.power(),
                Param::Real(1.0 / count as f64),
            ];
            launch(&device, &SOURCE, dtype, "tv_gradient", Grid::elements(count), params)
        })?;
        Ok(Some(tensor(out, x.shape())))
    }
}
