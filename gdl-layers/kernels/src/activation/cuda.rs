use crate::cuda::{Grid, Input, Param, Source, empty, launch};
use candle_core::{CudaStorage, Layout, Result, Shape};

pub(crate) const SOURCE: Source = Source { name: "rectifier", code: include_str!("rectifier.cu") };

pub(super) fn forward(x: &CudaStorage, layout: &Layout, slope: f64) -> Result<(CudaStorage, Shape)> {
    let x = Input::new(x, layout)?;
    let (device, shape) = (x.device(), layout.shape());
    let (mut y, count) = (empty(device, x.dtype(), shape)?, shape.elem_count());
    let params = &mut [Param::In(&x), Param::Out(&mut y, 0), Param::Real(slope), Param::Int(count)];
    launch(device, &SOURCE, x.dtype(), "rectify", Grid::elements(count), params)?;
    Ok((y, shape.clone()))
}

/// The gradient of a rectifier, as [`rectifier_gradient`](crate::rectifier_gradient()), of storages on CUDA.
///
/// # Errors
/// For an element type that no kernel takes, and where the device refuses.
pub fn backward(
    (x, x_layout): (&CudaStorage, &Layout),
    (grad, grad_layout): (&CudaStorage, &Layout),
    slope: f64,
) -> Result<(CudaStorage, Shape)> {
    let (x, grad) = (Input::new(x, x_layout)?, Input::new(grad, grad_layout)?);
    let (device, shape) = (x.device(), x_layout.shape());
    let (mut out, count) = (empty(device, x.dtype(), shape)?, shape.elem_count());
    let params = &mut [
        Param::In(&x),
        Param::In(&grad),
        Param::Out(&mut out, 0),
        Param::Real(slope),
        Param::Int(count),
    ];
    launch(device, &SOURCE, x.dtype(), "rectify_gradient", Grid::elements(count), params)?;
    Ok((out, shape.clone()))
}
