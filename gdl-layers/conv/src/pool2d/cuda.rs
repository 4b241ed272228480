use super::{Kind, Pooling};
use candle_core::{CudaStorage, Layout, Result, Shape};
use gdl_kernels::cuda::{Grid, Input, Param, Source, empty, launch};

pub(crate) const SOURCE: Source = Source { name: "pool2d", code: include_str!("pool2d.cu") };

/// The window, as both kernels take it.
fn window(p: &Pooling) -> [Param<'static>; 11] {
    let (_, _, h, w) = p.shape;
    let params = &p.params;
    let kind = match p.kind {
        Kind::Max => 0,
        Kind::Average => 1,
        Kind::L2 => 2,
    };
    [
        h,
        w,
        p.out.0,
        p.out.1,
        params.kernel.0,
        params.kernel.1,
        params.stride.0,
        params.stride.1,
        params.padding.0,
        params.padding.1,
        kind,
    ]
    .map(Param::Int)
}

pub(super) fn forward(x: &CudaStorage, layout: &Layout, p: &Pooling) -> Result<(CudaStorage, Shape)> {
    let x = Input::new(x, layout)?;
    let shape = Shape::from((p.shape.0, p.shape.1, p.out.0, p.out.1));
    let (mut y, count) = (empty(x.device(), x.dtype(), &shape)?, shape.elem_count());
    let mut params = vec![Param::In(&x), Param::Out(&mut y, 0), Param::Int(count)];
    params.extend(window(p));
    launch(x.device(), &SOURCE, x.dtype(), "pool2d", Grid::elements(count), &mut params)?;
    Ok((y, shape))
}

pub(super) fn backward(
    (x, x_layout): (&CudaStorage, &Layout),
    (grad, grad_layout): (&CudaStorage, &Layout),
    p: &Pooling,
) -> Result<(CudaStorage, Shape)> {
    let (x, grad) = (Input::new(x, x_layout)?, Input::new(grad, grad_layout)?);
    let shape = Shape::from(p.shape);
    let (mut out, count) = (empty(x.device(), x.dtype(), &shape)?, shape.elem_count());
    let mut params = vec![Param::In(&x), Param::In(&grad), Param::Out(&mut out, 0), Param::Int(count)];
    params.extend(window(p));
    launch(x.device(), &SOURCE, x.dtype(), "pool2d_gradient", Grid::elements(count), &mut params)?;
    Ok((out, shape))
}
