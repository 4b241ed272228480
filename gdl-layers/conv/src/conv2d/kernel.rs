//! The three sums over slices: convolution, transposed convolution, weight gradient.
//!
//! Work is cut into tasks by the sizes alone; each task writes a part of the output that is its own, or a partial
//! sum that is added in a fixed order. So the result does not depend on the number of threads.

use super::columns::{block_pixels, blocks, col2im, im2col, is_pointwise};
use super::single;
use crate::cpu::with_scratch;
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::mask::Mask;
use crate::simd::Isa;
use candle_core::CpuStorage;
use gdl_kernels::gemm::{Float, Mat, Threads, gemm};
use gdl_kernels::par;

/// An element type with kernels of its own: f64 takes the columns, which are exact; f32 whatever is fastest.
pub(crate) trait Kernels: Float {
    /// Convolution: `x` is the big image, the result the small one.
    fn correlate(x: &[Self], w: &[Self], finish: Finish<'_, Self>, g: &Geometry) -> Vec<Self>;
    /// Transposed convolution: `x` is the small image, the result the big one.
    fn scatter(x: &[Self], w: &[Self], finish: Finish<'_, Self>, g: &Geometry) -> Vec<Self>;
    /// Transposed convolution, without bias, of a gradient that first passes a mask.
    fn scatter_masked(x: &[Self], mask: Mask<'_, Self>, w: &[Self], g: &Geometry) -> Vec<Self>;
    /// The gradient of the weights, from the big and the small image; added to what is in `out` if so told.
    fn weight_gradient(big: &[Self], small: &[Self], g: &Geometry, out: &mut [Self], accumulate: bool);

    /// The storage's values, if it is of this type.
    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

impl Kernels for f64 {
    fn correlate(x: &[Self], w: &[Self], finish: Finish<'_, Self>, g: &Geometry) -> Vec<Self> {
        correlate(x, w, finish, g)
    }

    fn scatter(x: &[Self], w: &[Self], finish: Finish<'_, Self>, g: &Geometry) -> Vec<Self> {
        scatter(x, w, finish, g)
    }

    fn scatter_masked(x: &[Self], mask: Mask<'_, Self>, w: &[Self], g: &Geometry) -> Vec<Self> {
        scatter(&mask.apply(x), w, Finish::NOTHING, g)
    }

    fn weight_gradient(big: &[Self], small: &[Self], g: &Geometry, out: &mut [Self], accumulate: bool) {
        weight_gradient(big, small, g, out, accumulate);
    }

    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        if let CpuStorage::F64(values) = storage { Some(values) } else { None }
    }
}

impl Kernels for f32 {
    fn correlate(x: &[Self], w: &[Self], finish: Finish<'_, Self>, g: &Geometry) -> Vec<Self> {
        single::correlate(Isa::best(), x, w, finish, g)
    }

    fn scatter(x: &[Self], w: &[Self], finish: Finish<'_, Self>, g: &Geometry) -> Vec<Self> {
        single::scatter(Isa::best(), x, w, finish, g)
    }

    fn scatter_masked(x: &[Self], mask: Mask<'_, Self>, w: &[Self], g: &Geometry) -> Vec<Self> {
        single::scatter_masked(Isa::best(), x, mask, w, g)
    }

    fn weight_gradient(big: &[Self], small: &[Self], g: &Geometry, out: &mut [Self], accumulate: bool) {
        single::weight_gradient(Isa::best(), big, small, g, out, accumulate);
    }

    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        if let CpuStorage::F32(values) = storage { Some(values) } else { None }
    }
}

/// How many tasks a loop should have, so that a few threads share them evenly.
const TASKS: usize = 8;

/// Where the columns of an image with many channels would be far larger than those of the image with few, it is
/// better to take the columns of the other one.
const MIRROR: usize = 4;

/// Pixels of all images of a batch together that count as few.
const FEW_PIXELS: usize = 256;

/// Convolution: `x` is the big image, the result the small one.
pub(crate) fn correlate<T: Float>(x: &[T], w: &[T], finish: Finish<'_, T>, g: &Geometry) -> Vec<T> {
    let (c_in, c_out) = g.group_channels();
    if g.stride == (1, 1) && c_in > MIRROR * c_out && g.taps() > 1 {
        return scatter_columns(x, &flip(w, g), finish, &g.mirrored());
    }
    correlate_columns(x, w, finish, g)
}

/// Transposed convolution: `x` is the small image, the result the big one.
pub(crate) fn scatter<T: Float>(x: &[T], w: &[T], finish: Finish<'_, T>, g: &Geometry) -> Vec<T> {
    let (c_out, c_in) = g.group_channels();
    if g.stride == (1, 1) && c_in <= MIRROR * c_out {
        return correlate_columns(x, &flip(w, g), finish, &g.mirrored());
    }
    scatter_columns(x, w, finish, g)
}

/// The gradient of the weights, from the big and the small image.
pub(crate) fn weight_gradient<T: Float>(
    big: &[T],
    small: &[T],
    g: &Geometry,
    out: &mut [T],
    accumulate: bool,
) {
    let (c_big, c_small) = g.group_channels();
    if has_few_pixels(g) {
        weight_gradient_few(big, small, g, out, accumulate);
    } else if g.stride == (1, 1) && c_big > MIRROR * c_small && g.taps() > 1 {
        let mirrored = g.mirrored();
        let mut gradient = vec![T::ZERO; out.len()];
        weight_gradient_columns(small, big, &mirrored, &mut gradient, false);
        let gradient = flip(&gradient, &mirrored);
        if !accumulate {
            out.fill(T::ZERO);
        }
        out.iter_mut().zip(gradient).for_each(|(o, g)| *o += g);
    } else {
        weight_gradient_columns(big, small, g, out, accumulate);
    }
}

/// Whether the columns of a whole batch are small beside the weights.
pub(super) fn has_few_pixels(g: &Geometry) -> bool {
    g.groups == 1 && (1..=FEW_PIXELS).contains(&(g.batch * g.small.0 * g.small.1))
}

/// One block of the output of a convolution.
struct Block<'a, T> {
    image: usize,
    group: usize,
    /// Channels of the output within the group.
    first: usize,
    pixels: std::ops::Range<usize>,
    /// One slice for each channel.
    rows: Vec<&'a mut [T]>,
}

fn correlate_columns<T: Float>(x: &[T], w: &[T], finish: Finish<'_, T>, g: &Geometry) -> Vec<T> {
    let (c_in, c_out) = g.group_channels();
    let (k, pixels, plane) = (c_in * g.taps(), g.small.0 * g.small.1, g.big.0 * g.big.1);
    let mut out = par::zeros(g.batch * g.c_small * pixels);
    let block = block_pixels(g, k);
    // Few pixels and many channels, as in the middle of a U-Net: cut the channels too.
    let tasks = (g.batch * g.groups * pixels.div_ceil(block)).max(1);
    let channels = c_out.div_ceil(TASKS.div_ceil(tasks).min(c_out.div_ceil(32)));
    let mut work = Vec::new();
    for (slab, values) in out.chunks_mut(c_out * pixels).enumerate() {
        for (part, values) in values.chunks_mut(channels * pixels).enumerate() {
            let mut rest: Vec<&mut [T]> = values.chunks_mut(pixels).collect();
            for pixels in blocks(pixels, block) {
                let mut rows = Vec::with_capacity(rest.len());
                for row in &mut rest {
                    let (head, tail) = std::mem::take(row).split_at_mut(pixels.len());
                    rows.push(head);
                    *row = tail;
                }
                let (image, group) = (slab / g.groups, slab % g.groups);
                work.push(Block { image, group, first: part * channels, pixels, rows });
            }
        }
    }
    par::chunks_mut(&mut work, 1, |_, work| {
        for b in work {
            let n = b.pixels.len();
            let planes = &x[(b.image * g.c_big + b.group * c_in) * plane..][..c_in * plane];
            let first = b.group * c_out + b.first;
            let w = Mat::new(&w[first * k..], b.rows.len(), k);
            with_scratch(b.rows.len() * n, |product| {
                if is_pointwise(g) {
                    let columns = Mat::strided(&planes[b.pixels.start..], k, n, plane, 1);
                    gemm(w, columns, product, n, false, Threads::One);
                } else {
                    with_scratch(k * n, |columns| {
                        im2col(planes, g, b.pixels.clone(), columns);
                        gemm(w, Mat::new(columns, k, n), product, n, false, Threads::One);
                    });
                }
                for (i, (row, product)) in b.rows.iter_mut().zip(product.chunks(n)).enumerate() {
                    row.copy_from_slice(product);
                    finish.apply(first + i, row);
                }
            });
        }
    });
    out
}

fn scatter_columns<T: Float>(x: &[T], w: &[T], finish: Finish<'_, T>, g: &Geometry) -> Vec<T> {
    let (c_out, c_in) = g.group_channels();
    let (k, pixels, plane) = (c_out * g.taps(), g.small.0 * g.small.1, g.big.0 * g.big.1);
    let mut out = par::zeros(g.batch * g.c_big * plane);
    let slabs = (g.batch * g.groups).max(1);
    let channels = c_out.div_ceil(TASKS.div_ceil(slabs).min(c_out));
    let mut work = Vec::new();
    for (slab, values) in out.chunks_mut(c_out * plane).enumerate() {
        for (part, values) in values.chunks_mut(channels * plane).enumerate() {
            work.push((slab / g.groups, slab % g.groups, part * channels, values));
        }
    }
    par::chunks_mut(&mut work, 1, |_, work| {
        for (image, group, first, planes) in work {
            let count = planes.len() / plane;
            let rows = count * g.taps();
            let w = &w[*group * c_in * k + *first * g.taps()..];
            let w = Mat::strided(w, c_in, rows, k, 1).t();
            let x = &x[(*image * g.c_small + *group * c_in) * pixels..][..c_in * pixels];
            for part in blocks(pixels, block_pixels(g, rows)) {
                let n = part.len();
                with_scratch(rows * n, |columns| {
                    let x = Mat::strided(&x[part.start..], c_in, n, pixels, 1);
                    gemm(w, x, columns, n, false, Threads::One);
                    col2im(columns, g, part, planes);
                });
            }
            for (plane, channel) in planes.chunks_mut(plane).zip(*group * c_out + *first..) {
                finish.apply(channel, plane);
            }
        }
    });
    out
}

/// The gradient as one product, whose inner size is the number of pixels: it writes each weight once.
fn weight_gradient_few<T: Float>(big: &[T], small: &[T], g: &Geometry, out: &mut [T], accumulate: bool) {
    let (pixels, plane) = (g.small.0 * g.small.1, g.big.0 * g.big.1);
    let (k, n) = (g.c_big * g.taps(), g.batch * pixels);
    let channels = g.c_big.div_ceil(TASKS);
    with_scratch((k + g.c_small) * n, |scratch| {
        let (columns, rows) = scratch.split_at_mut(k * n);
        // The columns of all images side by side.
        par::chunks_mut(columns, channels * g.taps() * n, |part, columns| {
            let count = columns.len() / (g.taps() * n);
            with_scratch(count * g.taps() * pixels, |one| {
                for image in 0..g.batch {
                    let planes = &big[(image * g.c_big + part * channels) * plane..][..count * plane];
                    im2col(planes, g, 0..pixels, one);
                    for (row, one) in columns.chunks_mut(n).zip(one.chunks(pixels)) {
                        row[image * pixels..][..pixels].copy_from_slice(one);
                    }
                }
            });
        });
        for (c, row) in rows.chunks_mut(n).enumerate() {
            for (image, row) in row.chunks_mut(pixels).enumerate() {
                row.copy_from_slice(&small[(image * g.c_small + c) * pixels..][..pixels]);
            }
        }
        let (columns, rows) = (&*columns, &*rows);
        let together = g.c_small.div_ceil(TASKS);
        par::chunks_mut(out, together * k, |part, out| {
            let count = out.len() / k;
            let rows = Mat::new(&rows[part * together * n..], count, n);
            gemm(rows, Mat::new(columns, k, n).t(), out, k, accumulate, Threads::One);
        });
    });
}

fn weight_gradient_columns<T: Float>(big: &[T], small: &[T], g: &Geometry, out: &mut [T], accumulate: bool) {
    let (c_big, c_small) = g.group_channels();
    let (k, pixels, plane) = (c_big * g.taps(), g.small.0 * g.small.1, g.big.0 * g.big.1);
    let channels = c_big.div_ceil(TASKS.div_ceil(g.groups).min(c_big));
    let parts = c_big.div_ceil(channels);
    let block = block_pixels(g, channels * g.taps());
    // Every block of every image, in order.
    let all: Vec<_> =
        (0..g.batch).flat_map(|image| blocks(pixels, block).map(move |part| (image, part))).collect();
    // Few channels: cut the pixels too, into partial sums.
    let sums = TASKS.div_ceil(g.groups * parts).min(all.len()).max(1);
    let share = all.len().div_ceil(sums).max(1);

    // Each task: the gradient for some channels of the big image, transposed (rows of columns, c_small).
    let partial = par::map(g.groups * parts * sums, |task| {
        let (group, part, sum) = (task / sums / parts, task / sums % parts, task % sums);
        let first = part * channels;
        let count = channels.min(c_big - first);
        let rows = count * g.taps();
        let mut gradient = vec![T::ZERO; rows * c_small];
        for (image, part) in all.iter().skip(sum * share).take(share) {
            let n = part.len();
            let planes = &big[(image * g.c_big + group * c_big + first) * plane..][..count * plane];
            let small = &small[(image * g.c_small + group * c_small) * pixels + part.start..];
            let small = Mat::strided(small, c_small, n, pixels, 1).t();
            if is_pointwise(g) {
                let columns = Mat::strided(&planes[part.start..], rows, n, plane, 1);
                gemm(columns, small, &mut gradient, c_small, true, Threads::One);
            } else {
                with_scratch(rows * n, |columns| {
                    im2col(planes, g, part.clone(), columns);
                    gemm(Mat::new(columns, rows, n), small, &mut gradient, c_small, true, Threads::One);
                });
            }
        }
        gradient
    });

    if !accumulate {
        out.fill(T::ZERO);
    }
    for (task, gradient) in partial.iter().enumerate() {
        let (group, part) = (task / sums / parts, task / sums % parts);
        let first = part * channels * g.taps();
        for (o, row) in out[group * c_small * k..][..c_small * k].chunks_mut(k).enumerate() {
            let values = gradient.iter().skip(o).step_by(c_small);
            row[first..].iter_mut().zip(values).for_each(|(r, v)| *r += *v);
        }
    }
}

/// The weights of [`Geometry::mirrored`]: both spatial axes flipped, the channel axes of each group swapped.
pub(super) fn flip<T: Float>(w: &[T], g: &Geometry) -> Vec<T> {
    let ((c_big, c_small), taps) = (g.group_channels(), g.taps());
    let mut out = par::zeros(w.len());
    par::chunks_mut(&mut out, c_small * taps, |channel, values| {
        let (group, c) = (channel / c_big, channel % c_big);
        for (o, values) in values.chunks_mut(taps).enumerate() {
            let from = ((group * c_small + o) * c_big + c) * taps;
            values.iter_mut().zip(w[from..from + taps].iter().rev()).for_each(|(v, w)| *v = *w);
        }
    });
    out
}

/// The sum over images and pixels, for each channel of an NCHW tensor.
pub(crate) fn channel_sums<T: Float>(x: &[T], batch: usize, channels: usize) -> Vec<T> {
    let plane = x.len() / (batch * channels).max(1);
    par::map(channels, |c| {
        let mut sum = 0f64;
        for image in 0..batch {
            let values = &x[(image * channels + c) * plane..][..plane];
            // Short sums in the element type, which vectorise; the long one in f64, which keeps the digits.
            for values in values.chunks(1024) {
                let mut lanes = [T::ZERO; 16];
                for values in values.chunks(16) {
                    lanes.iter_mut().zip(values).for_each(|(l, v)| *l += *v);
                }
                sum += lanes.iter().map(|l| l.to_f64()).sum::<f64>();
            }
        }
        T::from_f64(sum)
    })
}
