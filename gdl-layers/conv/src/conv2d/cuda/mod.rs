//! Convolution, transposed convolution and their gradients on CUDA: through cuDNN where it is built in, otherwise as matrix
//! products of columns.

#[cfg(not(feature = "cudnn"))]
mod columns;
#[cfg(feature = "cudnn")]
mod cudnn;

#[cfg(not(feature = "cudnn"))]
use columns as path;
#[cfg(feature = "cudnn")]
use cudnn as path;

use crate::geometry::Geometry;
use candle_core::{CudaStorage, Layout, Result, Shape};
use gdl_kernels::cuda::{Grid, Input, Param, Source, empty, launch, rectifier_gradient, same_type, zeros};

pub(crate) const FINISH: Source = Source { name: "convolution-finish", code: include_str!("finish.cu") };

/// Not needed where cuDNN is built in, but compiled with the others by those who compile beforehand.
pub(crate) const COLUMNS: Source = Source { name: "convolution-columns", code: include_str!("columns.cu") };

/// A tensor's storage and layout, as custom operators get them.
pub(super) type Arg<'a> = (&'a CudaStorage, &'a Layout);

/// From the big image to the small one.
pub(super) fn correlate(
    x: Arg<'_>,
    w: Arg<'_>,
    bias: Option<Arg<'_>>,
    slope: Option<f64>,
    g: &Geometry,
) -> Result<(CudaStorage, Shape)> {
    let (x, w) = (Input::new(x.0, x.1)?, Input::new(w.0, w.1)?);
    same_type("conv2d", &[&x, &w])?;
    let shape = Shape::from(g.small_shape());
    let mut y = empty(x.device(), x.dtype(), &shape)?;
    if shape.elem_count() > 0 {
        path::correlate(&x, &w, &mut y, g)?;
    }
    finish(&mut y, &shape, bias, slope)?;
    Ok((y, shape))
}

/// From the small image to the big one.
pub(super) fn scatter(
    x: Arg<'_>,
    w: Arg<'_>,
    bias: Option<Arg<'_>>,
    g: &Geometry,
) -> Result<(CudaStorage, Shape)> {
    let (x, w) = (Input::new(x.0, x.1)?, Input::new(w.0, w.1)?);
    same_type("conv2d", &[&x, &w])?;
    let shape = Shape::from(g.big_shape());
    let mut y = zeros(x.device(), x.dtype(), &shape)?;
    if shape.elem_count() > 0 {
        path::scatter(&x, &w, &mut y, g)?;
    }
    finish(&mut y, &shape, bias, None)?;
    Ok((y, shape))
}

/// [`scatter`] of a gradient that passes the rectifier with the result `y` first.
pub(super) fn scatter_masked(
    grad: Arg<'_>,
    w: Arg<'_>,
    y: Arg<'_>,
    slope: f64,
    g: &Geometry,
) -> Result<(CudaStorage, Shape)> {
    let (masked, shape) = rectifier_gradient(y, grad, slope)?;
    scatter((&masked, &Layout::contiguous(shape)), w, None, g)
}

/// The weights' gradient from the big and the small image.
pub(super) fn weight_gradient(big: Arg<'_>, small: Arg<'_>, g: &Geometry) -> Result<(CudaStorage, Shape)> {
    let shape = Shape::from(g.weight_shape());
    let mut out = zeros(&big.0.device, candle_core::backend::BackendStorage::dtype(big.0), &shape)?;
    add_weight_gradient((&mut out, 0), big, small, g)?;
    Ok((out, shape))
}

/// Adds the weights' gradient to what stands in `sum` from an element on.
pub(super) fn add_weight_gradient(
    sum: (&mut CudaStorage, usize),
    big: Arg<'_>,
    small: Arg<'_>,
    g: &Geometry,
) -> Result<()> {
    if g.batch == 0 {
        return Ok(());
    }
    let (big, small) = (Input::new(big.0, big.1)?, Input::new(small.0, small.1)?);
    same_type("conv2d", &[&big, &small])?;
    path::add_weight_gradient(&big, &small, sum, g)
}

/// The sum over each channel.
pub(super) fn channel_sums(x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
    let (n, c, h, w) = layout.shape().dims4()?;
    let (x, shape) = (Input::new(x, layout)?, Shape::from(c));
    let mut sums = empty(x.device(), x.dtype(), &shape)?;
    let params =
        &mut [Param::In(&x), Param::Out(&mut sums, 0), Param::Int(n), Param::Int(c), Param::Int(h * w)];
    launch(x.device(), &FINISH, x.dtype(), "channel_sums", Grid::blocks(c, h * w), params)?;
    Ok((sums, shape))
}

fn finish(y: &mut CudaStorage, shape: &Shape, bias: Option<Arg<'_>>, slope: Option<f64>) -> Result<()> {
    let (_, channels, h, w) = shape.dims4()?;
    if bias.is_none() && slope.is_none() {
        return Ok(());
    }
    let bias = bias.map(|(bias, layout)| Input::new(bias, layout)).transpose()?;
    let (device, dtype) = (y.device.clone(), candle_core::backend::BackendStorage::dtype(y));
    let count = shape.elem_count();
    let params = &mut [
        Param::Out(y, 0),
        Param::Maybe(bias.as_ref()),
        Param::Int(count),
        Param::Int(channels),
        Param::Int(h * w),
        Param::Int(usize::from(slope.is_some())),
        Param::Real(slope.unwrap_or_default()),
    ];
    launch(&device, &FINISH, dtype, "finish", Grid::elements(count), params)
}
