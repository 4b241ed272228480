use super::transform::{self, Places, Windows, stage_len};
use super::{FREQUENCIES, TILE, frequency_stride, rows_together, runs};
use crate::cpu::with_scratch;
use crate::geometry::Geometry;
use crate::simd::{Isa, Product};
use gdl_kernels::par;

/// Sums up to this size are taken apart by tiles and added in the end; larger ones are cut by channels, since adding
/// them would cost more than transforming the big image again for each part.
const SMALL: usize = 128 * 128;
const TASKS: usize = 4;

/// The gradient of 3x3 weights at stride 1.
pub(crate) fn weight_gradient(
    isa: Isa,
    big: &[f32],
    small: &[f32],
    g: &Geometry,
    out: &mut [f32],
    accumulate: bool,
) {
    let (c_in, c_out) = (g.c_big, g.c_small);
    let wide_in = c_in.next_multiple_of(isa.lanes());
    let together = rows_together(g, (16_384 / (c_in + c_out)).clamp(32, 128));
    let down = g.small.0.div_ceil(TILE);
    // Every block of every image, in order.
    let blocks: Vec<_> = (0..g.batch)
        .flat_map(|image| (0..down).step_by(together).map(move |r| (image, r..(r + together).min(down))))
        .collect();
    let shares = if c_in * c_out <= SMALL { TASKS.min(blocks.len()).max(1) } else { 1 };
    let share = blocks.len().div_ceil(shares).max(1);
    let parts = (TASKS / shares).max(1);
    let channels = c_out.div_ceil(parts).next_multiple_of(isa.lanes());
    let parts = c_out.div_ceil(channels);

    // Each task: sums[f][k][c] of some channels k over some blocks.
    let frequency = frequency_stride(channels * wide_in);
    let len = FREQUENCIES * frequency;
    with_scratch(parts * shares * len, |sums: &mut [f32]| {
        par::chunks_mut(sums, len, |task, sums| {
            sums.fill(0.0);
            let first = task / shares * channels;
            let part = Part {
                isa,
                g,
                first,
                channels: channels.min(c_out - first),
                sums: Places { frequency, tile: wide_in },
            };
            for (image, rows) in blocks.iter().skip(task % shares * share).take(share) {
                part.add(big, small, *image, rows.clone(), sums);
            }
        });
        par::chunks_mut(out, c_in * 9, |k, out| {
            if !accumulate {
                out.fill(0.0);
            }
            let part = &mut [0f32; 9 * 16];
            let at = k / channels * shares * len + k % channels * wide_in;
            for share in 0..shares {
                for (c, out) in (0..).step_by(isa.lanes()).zip(out.chunks_mut(9 * isa.lanes())) {
                    transform::weight_gradient(isa, &sums[at + share * len + c..], frequency, part);
                    for (lane, out) in out.chunks_mut(9).enumerate() {
                        for (tap, out) in out.iter_mut().enumerate() {
                            *out += part[tap * isa.lanes() + lane];
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
    sums: Places,
}

impl Part<'_> {
    fn add(&self, big: &[f32], small: &[f32], image: usize, rows: std::ops::Range<usize>, sums: &mut [f32]) {
        let (isa, g) = (self.isa, self.g);
        let runs = runs(g, rows);
        let tiles = runs.last().map_or(0, |r| r.at + r.count);
        let wide_out = self.channels.next_multiple_of(isa.lanes());
        let seen = Places { frequency: frequency_stride(tiles * self.sums.tile), tile: self.sums.tile };
        let made = Places { frequency: frequency_stride(tiles * wide_out), tile: wide_out };
        let (plane, pixels) = (g.big.0 * g.big.1, g.small.0 * g.small.1);
        let inputs = Windows {
            isa,
            planes: &big[image * g.c_big * plane..][..g.c_big * plane],
            size: g.big,
            channels: g.c_big,
            mask: None,
            window: 6,
            padding: g.padding,
        };
        let gradients = Windows {
            isa,
            planes: &small[(image * g.c_small + self.first) * pixels..][..self.channels * pixels],
            size: g.small,
            channels: self.channels,
            mask: None,
            window: 4,
            padding: (0, 0),
        };
        let lens = [stage_len(isa), FREQUENCIES * seen.frequency, FREQUENCIES * made.frequency];
        with_scratch(lens.iter().sum(), |scratch: &mut [f32]| {
            let (stage, scratch) = scratch.split_at_mut(lens[0]);
            let (v, e) = scratch.split_at_mut(lens[1]);
            for run in &runs {
                inputs.transform(run, stage, v, seen);
                gradients.transform(run, stage, e, made);
            }
            for f in 0..FREQUENCIES {
                let product = Product {
                    a: &e[f * made.frequency..],
                    a_row: 1,
                    a_step: made.tile,
                    b: &v[f * seen.frequency..],
                    b_row: seen.tile,
                    segments: &[(0, 0)],
                    length: tiles,
                    rows: self.channels,
                    columns: g.c_big,
                    out_row: self.sums.tile,
                    accumulate: true,
                };
                product.compute(isa, &mut sums[f * self.sums.frequency..]);
            }
        });
    }
}
