//! Mean squared differences on CUDA: one pass each way.

use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor};
use gdl_kernels::cuda::{
    Grid, Input, Param, Source, copy, device, empty, launch, only_cuda, sum_type, tensor,
};

pub(crate) const SOURCE: Source = Source { name: "mean-squared-difference", code: include_str!("mse.cu") };

/// Blocks that share the elements; fewer where there are not as many.
const BLOCKS: usize = 512;

/// Whether the kernel takes these two.
pub(super) fn takes(x: &Tensor, target: &Tensor) -> bool {
    gdl_kernels::cuda::takes(x)
        && (x.dims(), x.dtype(), x.device().location())
            == (target.dims(), target.dtype(), target.device().location())
        && x.elem_count() > 0
}

/// `scale * mean((x - target)^2)`.
pub(super) fn scaled_mse(x: &Tensor, target: &Tensor, scale: f64) -> Result<Tensor> {
    x.apply_op2(target, Mse { scale, target_learns: target.track_op() })
}

#[derive(Debug, Clone, Copy)]
struct Mse {
    scale: f64,
    /// Whether the target's gradient is wanted too.
    target_learns: bool,
}

impl Mse {
    fn gradient(&self, x: &Tensor, target: &Tensor, grad: &Tensor, sign: f64) -> Result<Tensor> {
        let (device, dtype, count) = (device(x)?, x.dtype(), x.elem_count());
        let mut out = empty(&device, dtype, x.shape())?;
        Input::of_all([x, target, grad], |[x, target, grad]| {
            let params = &mut [
                Param::In(x),
                Param::In(target),
                Param::In(grad),
                Param::Out(&mut out, 0),
                Param::Int(count),
                Param::Real(sign * 2.0 * self.scale / count as f64),
            ];
            launch(&device, &SOURCE, dtype, "mse_gradient", Grid::elements(count), params)
        })?;
        Ok(tensor(out, x.shape()))
    }
}

impl CustomOp2 for Mse {
    fn name(&self) -> &'static str {
        "mean squared difference"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_cuda("mean squared difference")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        target: &CudaStorage,
        target_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = x_layout.shape().elem_count();
        let (x, target) = (Input::new(x, x_layout)?, Input::new(target, target_layout)?);
        let blocks = count.div_ceil(256).min(BLOCKS);
        let mut parts = empty(x.device(), sum_type(x.dtype()), &Shape::from(blocks))?;
        let params = &mut [Param::In(&x), Param::In(&target), Param::Out(&mut parts, 0), Param::Int(count)];
        launch(x.device(), &SOURCE, x.dtype(), "mse", Grid::blocks(blocks, 256), params)?;
        let mean = (tensor(parts, blocks).sum_all()? * (self.scale / count as f64))?;
        copy(&mean.to_dtype(x.dtype())?)
    }

    fn bwd(
        &self,
        x: &Tensor,
        target: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let own = self.gradient(x, target, grad, 1.0)?;
        let other = self.target_learns.then(|| self.gradient(x, target, grad, -1.0)).transpose()?;
        Ok((Some(own), other))
    }
}
