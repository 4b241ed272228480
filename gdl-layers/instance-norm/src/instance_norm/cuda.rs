//! The CUDA kernels: a block for each plane.

use super::cpu::Params;
use crate::Definition;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, only_cuda, sum_type, tensor};
use std::sync::OnceLock;

pub(crate) const SOURCE: Source = Source { name: "instance-norm", code: include_str!("instance_norm.cu") };

/// The kernel on a checked tensor on CUDA.
pub(super) fn instance_norm(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    params: Params,
) -> Result<Tensor> {
    let op = InstanceNorm { params, stats: OnceLock::new() };
    if weight.is_none() && bias.is_none() {
        return x.apply_op1(op);
    }
    let (weight, bias) = super::or_neutral(x, weight, bias)?;
    x.apply_op3(&weight, &bias, op)
}

/// One application; the backward pass reuses the statistics of the forward pass.
struct InstanceNorm {
    params: Params,
    /// Three numbers for each plane, in the type that sums are taken in.
    stats: OnceLock<Tensor>,
}

impl InstanceNorm {
    /// Whether there is a rectifier, and its slope, as the kernels take them.
    fn rectifier(&self) -> [Param<'static>; 2] {
        let slope = self.params.slope;
        [Param::Int(usize::from(slope.is_some())), Param::Real(slope.unwrap_or_default())]
    }

    fn forward(
        &self,
        (x, layout): (&CudaStorage, &Layout),
        affine: Option<[(&CudaStorage, &Layout); 2]>,
    ) -> Result<(CudaStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        let x = Input::new(x, layout)?;
        let (weight, bias) = match affine {
            Some([weight, bias]) => {
                (Some(Input::new(weight.0, weight.1)?), Some(Input::new(bias.0, bias.1)?))
            }
            None => (None, None),
        };
        let (device, dtype) = (x.device(), x.dtype());
        let mut y = empty(device, dtype, layout.shape())?;
        let mut stats = empty(device, sum_type(dtype), &Shape::from((n * c, 3)))?;
        let mut params = vec![
            Param::In(&x),
            Param::Out(&mut y, 0),
            Param::Out(&mut stats, 0),
            Param::Maybe(weight.as_ref()),
            Param::Maybe(bias.as_ref()),
            Param::Int(c),
            Param::Int(h * w),
            Param::Int(usize::from(self.params.definition == Definition::KerasContrib)),
            Param::Real(self.params.eps),
        ];
        params.extend(self.rectifier());
        launch(device, &SOURCE, dtype, "normalise", Grid::blocks(n * c, h * w), &mut params)?;
        let _ = self.stats.set(tensor(stats, (n * c, 3)));
        Ok((y, layout.shape().clone()))
    }

    /// Of x, the weight and the bias.
    fn gradients(
        &self,
        x: &Tensor,
        weight: Option<&Tensor>,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let Some(stats) = self.stats.get() else { bail!("instance_norm: backward before forward") };
        let (n, c, h, w) = x.dims4()?;
        let (device, dtype) = (device(x)?, x.dtype());
        let mut out = empty(&device, dtype, x.shape())?;
        let mut sums = empty(&device, sum_type(dtype), &Shape::from((2, n, c)))?;
        Input::of_maybe(weight, |weight| {
            Input::of_all([x, y, grad, stats], |[x, y, grad, stats]| {
                let mut params = vec![
                    Param::In(x),
                    Param::In(y),
                    Param::In(grad),
                    Param::Sums(Some(stats)),
                    Param::Maybe(weight),
                    Param::Out(&mut out, 0),
                    Param::Out(&mut sums, 0),
                    Param::Int(n * c),
                    Param::Int(c),
                    Param::Int(h * w),
                ];
                params.extend(self.rectifier());
                let grid = Grid::blocks(n * c, h * w);
                launch(&device, &SOURCE, dtype, "normalise_gradient", grid, &mut params)
            })
        })?;
        let sums = tensor(sums, (2, n, c)).sum(1)?.to_dtype(dtype)?; // (2, C)
        Ok((tensor(out, x.shape()), sums.get(0)?, sums.get(1)?))
    }
}

impl CustomOp1 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_cuda("instance_norm")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        self.forward((x, layout), None)
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.gradients(x, None, y, grad)?.0))
    }
}

impl CustomOp3 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm-affine"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        only_cuda("instance_norm")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
        bias: &CudaStorage,
        bias_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.forward((x, layout), Some([(weight, weight_layout), (bias, bias_layout)]))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight, dbias) = self.gradients(x, Some(weight), y, grad)?;
        Ok((Some(dx), Some(dweight), Some(dbias)))
    }
}
