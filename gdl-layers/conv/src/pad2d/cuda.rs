use super::PadMode;
use super::cpu::Padding;
use candle_core::{CudaStorage, Layout, Result, Shape};
use gdl_kernels::cuda::{Grid, Input, Param, Source, empty, launch};

pub(crate) const SOURCE: Source = Source { name: "pad2d", code: include_str!("pad2d.cu") };

/// From the image to the padded one with `pad2d`, the other way with `pad2d_gradient`.
pub(super) fn run(
    function: &'static str,
    (from, layout): (&CudaStorage, &Layout),
    p: &Padding,
    (h_to, w_to): (usize, usize),
) -> Result<(CudaStorage, Shape)> {
    let from = Input::new(from, layout)?;
    let shape = Shape::from((p.planes.0, p.planes.1, h_to, w_to));
    let (mut to, count) = (empty(from.device(), from.dtype(), &shape)?, shape.elem_count());
    let ((h, w), (h_out, w_out)) = (p.size, p.padded());
    let mode = match p.mode {
        PadMode::Zero => 0,
        PadMode::Reflect => 1,
        PadMode::Replicate => 2,
    };
    let params = &mut [
        Param::In(&from),
        Param::Out(&mut to, 0),
        Param::Int(count),
        Param::Int(h),
        Param::Int(w),
        Param::Int(h_out),
        Param::Int(w_out),
        Param::Int(p.pad.top),
        Param::Int(p.pad.left),
        Param::Int(mode),
    ];
    launch(from.device(), &SOURCE, from.dtype(), function, Grid::elements(count), params)?;
    Ok((to, shape))
}
