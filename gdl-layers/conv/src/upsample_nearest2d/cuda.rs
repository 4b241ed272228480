use candle_core::{CudaStorage, Layout, Result, Shape};
use gdl_kernels::cuda::{Grid, Input, Param, Source, empty, launch};

pub(crate) const SOURCE: Source =
    Source { name: "upsample_nearest2d", code: include_str!("upsample_nearest2d.cu") };

pub(super) fn forward(x: &CudaStorage, layout: &Layout, scale: usize) -> Result<(CudaStorage, Shape)> {
    let (n, c, h, w) = layout.shape().dims4()?;
    run("upsample", (x, layout), (n, c, h * scale, w * scale).into(), (h, w), scale)
}

pub(super) fn backward(grad: &CudaStorage, layout: &Layout, scale: usize) -> Result<(CudaStorage, Shape)> {
    let (n, c, h, w) = layout.shape().dims4()?;
    let small = (h / scale, w / scale);
    run("upsample_gradient", (grad, layout), (n, c, small.0, small.1).into(), small, scale)
}

/// `small` is the image before up-sampling.
fn run(
    function: &'static str,
    (from, layout): (&CudaStorage, &Layout),
    shape: Shape,
    small: (usize, usize),
    scale: usize,
) -> Result<(CudaStorage, Shape)> {
    let from = Input::new(from, layout)?;
    let (mut to, count) = (empty(from.device(), from.dtype(), &shape)?, shape.elem_count());
    let params = &mut [
        Param::In(&from),
        Param::Out(&mut to, 0),
        Param::Int(count),
        Param::Int(small.0),
        Param::Int(small.1),
        Param::Int(scale),
    ];
    launch(from.device(), &SOURCE, from.dtype(), function, Grid::elements(count), params)?;
    Ok((to, shape))
}
