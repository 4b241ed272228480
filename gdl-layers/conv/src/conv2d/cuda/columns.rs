//! Convolutions as matrix products: the columns of a stretch of positions at a time, in a buffer of bounded size.

use super::COLUMNS;
use crate::geometry::Geometry;
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Shape};
use gdl_kernels::cuda::gemm::{Mat, Put, gemm};
use gdl_kernels::cuda::{Grid, Input, Param, empty, launch, pointer_mut};

/// Elements of the buffer of columns.
const BUFFER: usize = 1 << 26;

/// What the three operations share: the buffer, and where in it and in the images a product finds its matrices.
struct Columns<'a> {
    g: &'a Geometry,
    device: CudaDevice,
    dtype: DType,
    buffer: CudaStorage,
}

/// An image of the batch, and a stretch of positions of the small one.
#[derive(Clone, Copy)]
struct Stretch {
    sample: usize,
    first: usize,
    positions: usize,
}

impl<'a> Columns<'a> {
    fn new(g: &'a Geometry, like: &Input<'_>) -> Result<Self> {
        let (device, dtype) = (like.device().clone(), like.dtype());
        let rows = g.c_big * g.taps();
        let size = (rows * g.small.0 * g.small.1).min(BUFFER.max(rows));
        let buffer = empty(&device, dtype, &Shape::from(size))?;
        Ok(Self { g, device, dtype, buffer })
    }

    fn stretches(&self) -> impl Iterator<Item = Stretch> + use<> {
        let rows = self.g.c_big * self.g.taps();
        let (batch, all) = (self.g.batch, self.g.small.0 * self.g.small.1);
        let most = (BUFFER / rows).clamp(1, all);
        (0..batch).flat_map(move |sample| {
            (0..all).step_by(most).map(move |first| Stretch {
                sample,
                first,
                positions: most.min(all - first),
            })
        })
    }

    fn sizes(&self) -> [Param<'static>; 12] {
        let g = self.g;
        [
            Param::Int(g.c_big),
            Param::Int(g.big.0),
            Param::Int(g.big.1),
            Param::Int(g.small.1),
            Param::Int(g.kernel.0),
            Param::Int(g.kernel.1),
            Param::Int(g.stride.0),
            Param::Int(g.stride.1),
            Param::Signed(g.padding.0),
            Param::Signed(g.padding.1),
            Param::Int(g.dilation.0),
            Param::Int(g.dilation.1),
        ]
    }

    fn fill(&mut self, big: &Input<'_>, s: Stretch) -> Result<()> {
        let count = self.g.c_big * self.g.taps() * s.positions;
        let sizes = self.sizes();
        let mut params = vec![Param::In(big), Param::Out(&mut self.buffer, 0), Param::Int(count)];
        params.extend([s.sample, s.first, s.positions].map(Param::Int));
        params.extend(sizes);
        launch(&self.device, &COLUMNS, self.dtype, "to_columns", Grid::elements(count), &mut params)
    }

    fn add_to(&self, big: &mut CudaStorage, s: Stretch) -> Result<()> {
        let count = self.g.c_big * self.g.big.0 * self.g.big.1;
        let layout = Layout::contiguous(self.g.c_big * self.g.taps() * s.positions);
        let columns = Input::new(&self.buffer, &layout)?;
        let mut params = vec![Param::In(&columns), Param::Out(big, 0), Param::Int(count)];
        params.extend([s.sample, s.first, s.positions, self.g.small.0].map(Param::Int));
        params.extend(self.sizes());
        launch(&self.device, &COLUMNS, self.dtype, "add_columns", Grid::elements(count), &mut params)
    }

    /// For each group, `f` of the products' sizes (O, K) and the addresses of its weights (O, K), its columns (K, positions)
    /// and its part of the small image (O, positions), given the addresses of all weights and of the small image.
    fn groups(
        &mut self,
        (weights, small): (u64, u64),
        s: Stretch,
        f: impl Fn(&CudaDevice, (usize, usize), [Mat; 3]) -> Result<()>,
    ) -> Result<()> {
        let g = self.g;
        let stream = self.device.cuda_stream();
        let width = self.dtype.size_in_bytes();
        let (c_big, outputs) = g.group_channels();
        let (k, pixels) = (c_big * g.taps(), g.small.0 * g.small.1);
        let device = self.device.clone();
        let (columns, _guard) = pointer_mut(&mut self.buffer, 0, &stream)?;
        for group in 0..g.groups {
            let at = |base: u64, elements: usize| base + (elements * width) as u64;
            let weights = Mat::new(at(weights, group * outputs * k), k);
            let columns = Mat::new(at(columns, group * k * s.positions), s.positions);
            let row = (s.sample * g.c_small + group * outputs) * pixels + s.first;
            f(&device, (outputs, k), [weights, columns, Mat::new(at(small, row), pixels)])?;
        }
        Ok(())
    }
}

pub(super) fn correlate(x: &Input<'_>, w: &Input<'_>, y: &mut CudaStorage, g: &Geometry) -> Result<()> {
    let mut columns = Columns::new(g, x)?;
    let (stream, dtype) = (columns.device.cuda_stream(), columns.dtype);
    let (weights, _read) = w.pointer(&stream)?;
    let (small, _written) = pointer_mut(y, 0, &stream)?;
    for s in columns.stretches() {
        columns.fill(x, s)?;
        columns.groups((weights, small), s, |device, (o, k), [w, columns, y]| {
            // SAFETY: the addresses are those of the storages above, with the sizes that the geometry gives them.
            unsafe { gemm(device, dtype, (o, s.positions, k), w, columns, y, Put::Over) }
        })?;
    }
    Ok(())
}

/// Into `y`, which is zero.
pub(super) fn scatter(x: &Input<'_>, w: &Input<'_>, y: &mut CudaStorage, g: &Geometry) -> Result<()> {
    let mut columns = Columns::new(g, x)?;
    let (stream, dtype) = (columns.device.cuda_stream(), columns.dtype);
    let ((weights, _read_w), (small, _read_x)) = (w.pointer(&stream)?, x.pointer(&stream)?);
    for s in columns.stretches() {
        columns.groups((weights, small), s, |device, (o, k), [w, columns, x]| {
            // SAFETY: as in `correlate`.
            unsafe { gemm(device, dtype, (k, s.positions, o), w.t(), x, columns, Put::Over) }
        })?;
        columns.add_to(y, s)?;
    }
    Ok(())
}

pub(super) fn add_weight_gradient(
    big: &Input<'_>,
    small: &Input<'_>,
    (sum, start): (&mut CudaStorage, usize),
    g: &Geometry,
) -> Result<()> {
    let mut columns = Columns::new(g, big)?;
    let (stream, dtype) = (columns.device.cuda_stream(), columns.dtype);
    let (small, _read) = small.pointer(&stream)?;
    let (sum, _written) = pointer_mut(sum, start, &stream)?;
    for s in columns.stretches() {
        columns.fill(big, s)?;
        columns.groups((sum, small), s, |device, (o, k), [sum, columns, small]| {
            // SAFETY: as in `correlate`.
            unsafe { gemm(device, dtype, (o, k, s.positions), small, columns.t(), sum, Put::Onto) }
        })?;
    }
    Ok(())
}
