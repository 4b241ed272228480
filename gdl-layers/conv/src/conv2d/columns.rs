//! Between an image and the matrix of what each kernel tap sees of it.

use crate::cpu::inside;
use crate::geometry::Geometry;
use gdl_kernels::gemm::Float;
use std::ops::Range;

/// The most values a block of columns holds: 1 MiB of f32, which stays in a core's cache.
const BLOCK: usize = 1 << 18;

/// A stretch of one row of the small image.
struct Run {
    row: usize,
    cols: Range<usize>,
    /// Where it stands in the block.
    at: usize,
}

fn runs(g: &Geometry, pixels: Range<usize>) -> Vec<Run> {
    let width = g.small.1;
    let mut runs = Vec::new();
    let mut pixel = pixels.start;
    while pixel < pixels.end {
        let (row, col) = (pixel / width, pixel % width);
        let len = (width - col).min(pixels.end - pixel);
        runs.push(Run { row, cols: col..col + len, at: pixel - pixels.start });
        pixel += len;
    }
    runs
}

/// How many pixels of the small image to take at once, for columns of `rows` rows. Depends on the sizes alone,
/// so that every sum is formed in the same order whatever the number of threads.
pub(crate) fn block_pixels(g: &Geometry, rows: usize) -> usize {
    let pixels = g.small.0 * g.small.1;
    let fit = (BLOCK / rows.max(1)).clamp(192, 4096);
    // At least four blocks per image, unless they would be tiny.
    fit.min(pixels.div_ceil(4).max(96)).min(pixels)
}

/// The blocks of pixels of one image.
pub(crate) fn blocks(pixels: usize, block: usize) -> impl Iterator<Item = Range<usize>> {
    (0..pixels).step_by(block.max(1)).map(move |start| start..(start + block).min(pixels))
}

/// Whether the columns are the image itself.
pub(crate) fn is_pointwise(g: &Geometry) -> bool {
    g.kernel == (1, 1) && g.stride == (1, 1) && g.padding == (0, 0)
}

/// Writes the columns of some pixels of the small image: `planes` are channels of the big one, and row
/// `(channel, u, v)` of `out` holds what tap `(u, v)` sees of that channel, zero outside.
pub(crate) fn im2col<T: Float>(planes: &[T], g: &Geometry, pixels: Range<usize>, out: &mut [T]) {
    each_row(g, pixels, planes.len() / (g.big.0 * g.big.1), |row, width, segment| {
        let out = &mut out[row * width..(row + 1) * width];
        match segment {
            Segment::Outside { at } => out[at].fill(T::ZERO),
            Segment::Inside { at, from } => {
                let source = &planes[from..];
                let out = &mut out[at];
                match g.stride.1 {
                    1 => out.copy_from_slice(&source[..out.len()]),
                    stride => out.iter_mut().zip(source.iter().step_by(stride)).for_each(|(o, s)| *o = *s),
                }
            }
        }
    });
}

/// Adds columns to the channels they stand for: the adjoint of [`im2col`].
pub(crate) fn col2im<T: Float>(columns: &[T], g: &Geometry, pixels: Range<usize>, planes: &mut [T]) {
    each_row(g, pixels, planes.len() / (g.big.0 * g.big.1), |row, width, segment| {
        if let Segment::Inside { at, from } = segment {
            let column = &columns[row * width..(row + 1) * width][at];
            let target = &mut planes[from..];
            match g.stride.1 {
                1 => target.iter_mut().zip(column).for_each(|(t, c)| *t += *c),
                stride => target.iter_mut().step_by(stride).zip(column).for_each(|(t, c)| *t += *c),
            }
        }
    });
}

/// A stretch of a row of columns.
enum Segment {
    /// What the tap sees there lies outside the big image.
    Outside { at: Range<usize> },
    /// It lies in the big image, from index `from` of the planes on, one in `stride`.
    Inside { at: Range<usize>, from: usize },
}

/// Calls `f(row of the columns, length of a row, segment)` for all segments of all rows.
fn each_row(g: &Geometry, pixels: Range<usize>, channels: usize, mut f: impl FnMut(usize, usize, Segment)) {
    let length = pixels.len();
    let runs = runs(g, pixels);
    let (h, w) = g.big;
    for row in 0..channels * g.taps() {
        let (channel, tap) = (row / g.taps(), row % g.taps());
        let (u, v) = (tap / g.kernel.1, tap % g.kernel.1);
        let dy = (u * g.dilation.0) as isize - g.padding.0;
        let dx = (v * g.dilation.1) as isize - g.padding.1;
        let rows = inside(dy, g.stride.0, h, g.small.0);
        let cols = inside(dx, g.stride.1, w, g.small.1);
        for run in &runs {
            let (at, end) = (run.at, run.at + run.cols.len());
            let start = cols.start.clamp(run.cols.start, run.cols.end);
            let stop = cols.end.clamp(start, run.cols.end);
            if !rows.contains(&run.row) || start == stop {
                f(row, length, Segment::Outside { at: at..end });
                continue;
            }
            let (left, right) = (at + start - run.cols.start, at + stop - run.cols.start);
            let y = (run.row * g.stride.0).wrapping_add_signed(dy);
            let x = (start * g.stride.1).wrapping_add_signed(dx);
            if at < left {
                f(row, length, Segment::Outside { at: at..left });
            }
            f(row, length, Segment::Inside { at: left..right, from: (channel * h + y) * w + x });
            if right < end {
                f(row, length, Segment::Outside { at: right..end });
            }
        }
    }
}
