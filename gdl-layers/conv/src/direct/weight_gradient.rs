use super::forward::{width, window};
use super::stage::Window;
use super::{STAGE, TASKS, strips};
use crate::cpu::with_scratch;
use crate::geometry::Geometry;
use crate::simd::{Isa, Product};
use gdl_kernels::par;
use std::ops::Range;

/// Weights up to this number have their gradient's sums taken apart by rows of the image and added in the end; more
/// are cut by channels, since adding them would cost more than laying out the big image again for each part.
const SMALL: usize = 1 << 18;

/// The gradient of the weights with one group, from the big and the small image.
pub(crate) fn weight_gradient(
    isa: Isa,
    big: &[f32],
    small: &[f32],
    g: &Geometry,
    out: &mut [f32],
    accumulate: bool,
) {
    let (c_in, c_out, taps) = (g.c_big, g.c_small, g.taps());
    let (strips, length) = strips(g);
    let wide = length.next_multiple_of(isa.lanes());
    let together = (STAGE / (width(g) * g.stride.0 * c_in + g.small.1 * c_out)).clamp(1, g.small.0);
    let h = g.small.0;
    let together = h.div_ceil(h.div_ceil(together).max(TASKS.div_ceil(g.batch.max(1)).min(h.div_ceil(4))));
    let blocks: Vec<_> = (0..g.batch)
        .flat_map(|image| (0..h).step_by(together).map(move |r| (image, r..(r + together).min(h))))
        .collect();
    let shares = if c_in * c_out * taps <= SMALL { TASKS.min(blocks.len()).max(1) } else { 1 };
    let share = blocks.len().div_ceil(shares).max(1);
    let parts = (TASKS / 2 / shares).max(1);
    let channels = c_out.div_ceil(parts).next_multiple_of(8);
    let parts = c_out.div_ceil(channels);

    // Each task: sums[strip][k][lane] of some channels k over some blocks.
    let len = strips.len() * channels * wide;
    with_scratch(parts * shares * len, |sums: &mut [f32]| {
        par::chunks_mut(sums, len, |task, sums| {
            sums.fill(0.0);
            let first = task / shares * channels;
            let part =
                Part { isa, g, first, channels: channels.min(c_out - first), wide, strip: channels * wide };
            for (image, rows) in blocks.iter().skip(task % shares * share).take(share) {
                part.add(big, small, *image, rows, &strips, length, sums);
            }
        });
        let sums = &*sums;
        par::chunks_mut(out, c_in * taps, |k, out| {
            if !accumulate {
                out.fill(0.0);
            }
            for share in 0..shares {
                let sums = &sums[(k / channels * shares + share) * len + k % channels * wide..];
                for (strip, (u, v)) in strips.iter().enumerate() {
                    let sums = &sums[strip * channels * wide..][..length];
                    for (i, sums) in sums.chunks_exact(c_in).enumerate() {
                        let tap = u * g.kernel.1 + v + i;
                        for (c, sum) in sums.iter().enumerate() {
                            out[c * taps + tap] += *sum;
                        }
                    }
                }
            }
        });
    });
}

/// What a task adds up: the sums of some channels of the small image.
struct Part<'a> {
    isa: Isa,
    g: &'a Geometry,
    first: usize,
    channels: usize,
    /// Lanes of a row of sums.
    wide: usize,
    /// Length of the sums of a strip.
    strip: usize,
}

impl Part<'_> {
    #[allow(clippy::too_many_arguments)]
    fn add(
        &self,
        big: &[f32],
        small: &[f32],
        image: usize,
        rows: &Range<usize>,
        strips: &[(usize, usize)],
        length: usize,
        sums: &mut [f32],
    ) {
        let (isa, g) = (self.isa, self.g);
        let (plane, pixels) = (g.big.0 * g.big.1, g.small.0 * g.small.1);
        let seen = window(&big[image * g.c_big * plane..][..g.c_big * plane], g, rows);
        let gradient = Window {
            planes: &small[(image * g.c_small + self.first) * pixels..][..self.channels * pixels],
            channels: self.channels,
            size: g.small,
            at: (rows.start as isize, 0),
            rows: rows.len(),
            width: g.small.1,
        };
        // Whole vectors are read, beyond the last pixel too.
        let seen_len = seen.len() + isa.lanes();
        with_scratch(seen_len + gradient.len(), |scratch: &mut [f32]| {
            let (x, dy) = scratch.split_at_mut(seen_len);
            seen.by_pixels(isa, x);
            x[seen.len()..].fill(0.0);
            gradient.by_pixels(isa, dy);
            let row_len = seen.width * g.c_big;
            let segments: Vec<_> =
                (0..rows.len()).map(|r| (r * g.small.1 * self.channels, r * g.stride.0 * row_len)).collect();
            for (sums, (u, v)) in sums.chunks_exact_mut(self.strip).zip(strips) {
                let product = Product {
                    a: dy,
                    a_row: 1,
                    a_step: self.channels,
                    b: &x[u * g.dilation.0 * row_len + v * g.dilation.1 * g.c_big..],
                    b_row: g.stride.1 * g.c_big,
                    segments: &segments,
                    length: g.small.1,
                    rows: self.channels,
                    columns: length,
                    out_row: self.wide,
                    accumulate: true,
                };
                product.compute(isa, sums);
            }
        });
    }
}
