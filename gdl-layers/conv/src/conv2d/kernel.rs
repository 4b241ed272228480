//! The three sums over slices: convolution, transposed convolution, weight gradient.
//!
//! Work is cut into tasks by the sizes alone; each task writes a part of the output that is its own, or a partial
//! sum that is added in a fixed order. So the result does not depend on the number of threads.

use super::columns::{block_pixels, blocks, col2im, im2col, is_pointwise};
use super::single;
use crate::cpu::with_scratch;
use crate::geometry::Geometry;
use crate::simd::Isa;
use gdl_kernels::gemm::{Float, Mat, Threads, gemm};
use gdl_kernels::par;

/// An element type with kernels of its own: f64 takes the columns, which are exact; f32 whatever is fastest.
pub(crate) trait Kernels: Float {
    /// Convolution: `x` is the big image, the result the small one.
    fn correlate(x: &[Self], w: &[Self], bias: Option<&[Self]>, g: &Geometry) -> Vec<Self>;
    /// Transposed convolution: `x` is the small image, the result the big one.
    fn scatter(x: &[Self], w: &[Self], bias: Option<&[Self]>, g: &Geometry) -> Vec<Self>;
    /// The gradient of the weights, from the big and the small image.
    fn weight_gradient(big: &[Self], small: &[Self], g: &Geometry) -> Vec<Self>;
}

impl Kernels for f64 {
    fn correlate(x: &[Self], w: &[Self], bias: Option<&[Self]>, g: &Geometry) -> Vec<Self> {
        correlate(x, w, bias, g)
    }

    fn scatter(x: &[Self], w: &[Self], bias: Option<&[Self]>, g: &Geometry) -> Vec<Self> {
        scatter(x, w, bias, g)
    }

    fn weight_gradient(big: &[Self], small: &[Self], g: &Geometry) -> Vec<Self> {
        weight_gradient(big, small, g)
    }
}

impl Kernels for f32 {
    fn correlate(x: &[Self], w: &[Self], bias: Option<&[Self]>, g: &Geometry) -> Vec<Self> {
        single::correlate(Isa::best(), x, w, bias, g)
    }

    fn scatter(x: &[Self], w: &[Self], bias: Option<&[Self]>, g: &Geometry) -> Vec<Self> {
        single::scatter(Isa::best(), x, w, bias, g)
    }

    fn weight_gradient(big: &[Self], small: &[Self], g: &Geometry) -> Vec<Self> {
        single::weight_gradient(Isa::best(), big, small, g)
    }
}

/// How many tasks a loop should have, so that a few threads share them evenly.
const TASKS: usize = 8;

/// Where the columns of an image with many channels would be far larger than those of the image with few, it is
/// better to take the columns of the other one.
const MIRROR: usize = 4;

/// Convolution: `x` is the big image, the result the small one.
pub(crate) fn correlate<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, g: &Geometry) -> Vec<T> {
    let (c_in, c_out) = g.group_channels();
    if g.stride == (1, 1) && c_in > MIRROR * c_out && g.taps() > 1 {
        return scatter_columns(x, &flip(w, g), bias, &g.mirrored());
    }
    correlate_columns(x, w, bias, g)
}

/// Transposed convolution: `x` is the small image, the result the big one.
pub(crate) fn scatter<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, g: &Geometry) -> Vec<T> {
    let (c_out, c_in) = g.group_channels();
    if g.stride == (1, 1) && c_in <= MIRROR * c_out {
        return correlate_columns(x, &flip(w, g), bias, &g.mirrored());
    }
    scatter_columns(x, w, bias, g)
}

/// The gradient of the weights, from the big and the small image.
pub(crate) fn weight_gradient<T: Float>(big: &[T], small: &[T], g: &Geometry) -> Vec<T> {
    let (c_big, c_small) = g.group_channels();
    if g.stride == (1, 1) && c_big > MIRROR * c_small && g.taps() > 1 {
        let mirrored = g.mirrored();
        return flip(&weight_gradient_columns(small, big, &mirrored), &mirrored);
    }
    weight_gradient_columns(big, small, g)
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

fn correlate_columns<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, g: &Geometry) -> Vec<T> {
    let (c_in, c_out) = g.group_channels();
    let (k, pixels, plane) = (c_in * g.taps(), g.small.0 * g.small.1, g.big.0 * g.big.1);
    let mut out = vec![T::ZERO; g.batch * g.c_small * pixels];
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
                    match bias {
                        None => row.copy_from_slice(product),
                        Some(bias) => {
                            let shift = bias[first + i];
                            row.iter_mut().zip(product).for_each(|(r, p)| *r = *p + shift);
                        }
                    }
                }
            });
        }
    });
    out
}

fn scatter_columns<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, g: &Geometry) -> Vec<T> {
    let (c_out, c_in) = g.group_channels();
    let (k, pixels, plane) = (c_out * g.taps(), g.small.0 * g.small.1, g.big.0 * g.big.1);
    let mut out = vec![T::ZERO; g.batch * g.c_big * plane];
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
            if let Some(bias) = bias {
                let bias = &bias[*group * c_out + *first..];
                planes.chunks_mut(plane).zip(bias).for_each(|(plane, bias)| plane.fill(*bias));
            }
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
        }
    });
    out
}

fn weight_gradient_columns<T: Float>(big: &[T], small: &[T], g: &Geometry) -> Vec<T> {
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

    let mut out = vec![T::ZERO; g.c_small * k];
    for (task, gradient) in partial.iter().enumerate() {
        let (group, part) = (task / sums / parts, task / sums % parts);
        let first = part * channels * g.taps();
        for (o, row) in out[group * c_small * k..][..c_small * k].chunks_mut(k).enumerate() {
            let values = gradient.iter().skip(o).step_by(c_small);
            row[first..].iter_mut().zip(values).for_each(|(r, v)| *r += *v);
        }
    }
    out
}

/// The weights of [`Geometry::mirrored`]: both spatial axes flipped, the channel axes of each group swapped.
pub(super) fn flip<T: Float>(w: &[T], g: &Geometry) -> Vec<T> {
    let ((c_big, c_small), taps) = (g.group_channels(), g.taps());
    let mut out = vec![T::ZERO; w.len()];
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
