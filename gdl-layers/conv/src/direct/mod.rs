//! Convolution straight from its definition in f32, for any kernel and stride: no matrix of columns.
//!
//! A band of the image is laid out pixel by pixel, a pixel's channels side by side and zeros around. What a kernel's
//! tap sees is then the band itself from another place on, and the sum over taps and channels one
//! [`Product`](crate::simd::Product) whose segments are the taps.

mod few;
mod forward;
mod scatter;
mod stage;
mod weight_gradient;

pub(crate) use few::correlate_few;
pub(crate) use forward::correlate;
pub(crate) use scatter::scatter;
pub(crate) use weight_gradient::weight_gradient;

use crate::geometry::Geometry;
use crate::simd::{Isa, to_pixels};

/// Tasks that an operator has at least, where its size allows: a few threads share them evenly.
const TASKS: usize = 8;
/// Values of a band's stage: half a core's second-level cache.
const STAGE: usize = 1 << 17;
/// Values of the packed weights that should stay in the second-level cache while they are used.
const WEIGHTS: usize = 1 << 16;

/// How many rows of the output to take at once, when a row needs `stage` values, and channels, by whole `panel`s.
fn shares(batch: usize, rows: usize, stage: usize, channels: usize, panel: usize) -> (usize, usize) {
    let fit = (STAGE / stage.max(1)).clamp(1, rows);
    let blocks = rows.div_ceil(fit).max(TASKS.div_ceil(batch.max(1)).min(rows.div_ceil(4)));
    let together = rows.div_ceil(blocks);
    let tasks = batch.max(1) * rows.div_ceil(together);
    let panels = channels.div_ceil(panel);
    (together, panels.div_ceil(TASKS.div_ceil(tasks).min(panels)) * panel)
}

/// Where the taps begin that lie side by side in a band, and how many values they read: a whole row of the kernel
/// where it has no holes.
fn strips(g: &Geometry) -> (Vec<(usize, usize)>, usize) {
    let (kh, kw) = g.kernel;
    if g.dilation.1 == 1 {
        return ((0..kh).map(|u| (u, 0)).collect(), kw * g.c_big);
    }
    ((0..kh).flat_map(|u| (0..kw).map(move |v| (u, v))).collect(), g.c_big)
}

/// Where the taps of a weight tensor begin: those of output channel `k` and input channel `c` at `k * k_step + c * c_step`.
struct Taps<'a> {
    weights: &'a [f32],
    k_step: usize,
    c_step: usize,
    /// How many they are.
    count: usize,
}

impl Taps<'_> {
    /// Packs the weights of one panel, whose first output channel is `first`: `out[(tap * c_in + c) * panel + k]`.
    fn pack(&self, isa: Isa, first: usize, channels: usize, c_in: usize, out: &mut [f32]) {
        let panel = isa.panel();
        if channels < panel {
            out.fill(0.0);
        }
        for c in 0..c_in {
            let from = &self.weights[first * self.k_step + c * self.c_step..];
            let to = (&mut out[c * panel..], c_in * panel);
            to_pixels(isa, (from, self.k_step), to, self.count, channels);
        }
    }
}
