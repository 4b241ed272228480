use super::transform::{Places, Windows, output, stage_len, weights};
use super::{FREQUENCIES, TILE, frequency_stride, rows_together, runs};
use crate::bands::{Band, cut};
use crate::cpu::with_scratch;
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::mask::Mask;
use crate::simd::{Isa, Product};
use gdl_kernels::par;

/// Tasks that a convolution has at least, where its size allows: a few threads share them evenly.
const TASKS: usize = 4;

/// Convolution, stride 1, 3x3. `flipped`: `w` is that of [`Geometry::mirrored`], whose channel axes are exchanged and
/// whose taps run backwards. What the mask holds back of `x` does not count.
pub(crate) fn correlate(
    isa: Isa,
    (x, mask): (&[f32], Option<Mask<'_, f32>>),
    w: &[f32],
    flipped: bool,
    finish: Finish<'_, f32>,
    g: &Geometry,
) -> Vec<f32> {
    let (c_in, c_out, panel) = (g.c_big, g.c_small, isa.panel());
    let pixels = g.small.0 * g.small.1;
    let mut out = par::zeros(g.batch * c_out * pixels);
    let panels = c_out.div_ceil(panel);
    let panel_len = FREQUENCIES * c_in * panel;
    with_scratch(panels * panel_len, |u: &mut [f32]| {
        par::chunks_mut(u, panel_len, |p, u| {
            let first = p * panel;
            let at =
                |k: usize, c: usize| 9 * if flipped { c * c_out + first + k } else { (first + k) * c_in + c };
            weights(isa, w, at, flipped, (panel.min(c_out - first), c_in), u);
        });
        let u = &*u;
        let (tile_rows, channels) = shares(g, panel);
        let mut tasks = cut(&mut out, (c_out, g.small.0, g.small.1), tile_rows * TILE, channels);
        par::chunks_mut(&mut tasks, 1, |_, tasks| {
            for task in tasks {
                run_task(isa, (x, mask), u, finish, g, task);
            }
        });
    });
    out
}

/// How many rows of tiles and how many channels a task takes.
fn shares(g: &Geometry, panel: usize) -> (usize, usize) {
    let (down, panels) = (g.small.0.div_ceil(TILE), g.c_small.div_ceil(panel));
    let together = rows_together(g, (32_768 / (g.c_big + g.c_small)).clamp(64, 128));
    let blocks = g.batch * down.div_ceil(together);
    (together, panels.div_ceil(TASKS.div_ceil(blocks.max(1)).min(panels)) * panel)
}

fn run_task(
    isa: Isa,
    (x, mask): (&[f32], Option<Mask<'_, f32>>),
    u: &[f32],
    finish: Finish<'_, f32>,
    g: &Geometry,
    task: &mut Band<'_>,
) {
    let (c_in, panel) = (g.c_big, isa.panel());
    let plane = g.big.0 * g.big.1;
    let runs = runs(g, task.rows.start / TILE..task.rows.end.div_ceil(TILE));
    let tiles = runs.last().map_or(0, |r| r.at + r.count);
    let (wide_in, wide_out) = (c_in.next_multiple_of(isa.lanes()), task.planes.len().next_multiple_of(panel));
    let seen = Places { frequency: frequency_stride(tiles * wide_in), tile: wide_in };
    let made = Places { frequency: frequency_stride(tiles * wide_out), tile: wide_out };
    let lens = [stage_len(isa), FREQUENCIES * seen.frequency, FREQUENCIES * made.frequency];
    with_scratch(lens.iter().sum(), |scratch: &mut [f32]| {
        let (stage, scratch) = scratch.split_at_mut(lens[0]);
        let (v, m) = scratch.split_at_mut(lens[1]);
        let image = task.image * c_in * plane;
        let windows = Windows {
            isa,
            planes: &x[image..][..c_in * plane],
            size: g.big,
            channels: c_in,
            mask: mask.map(|Mask { result, slope }| Mask { result: &result[image..][..c_in * plane], slope }),
            window: 6,
            padding: g.padding,
        };
        for run in &runs {
            windows.transform(run, stage, v, seen);
        }
        for f in 0..FREQUENCIES {
            for p in 0..wide_out / panel {
                let u = &u[((task.first_channel / panel + p) * FREQUENCIES + f) * c_in * panel..];
                let product = Product {
                    a: &v[f * seen.frequency..],
                    a_row: seen.tile,
                    a_step: 1,
                    b: u,
                    b_row: panel,
                    segments: &[(0, 0)],
                    length: c_in,
                    rows: tiles,
                    columns: panel,
                    out_row: made.tile,
                    accumulate: false,
                };
                product.compute(isa, &mut m[f * made.frequency + p * panel..]);
            }
        }
        let top = task.rows.start;
        for run in &runs {
            output(isa, g, run, (m, made), stage, (&mut task.planes, top));
        }
        for (plane, channel) in task.planes.iter_mut().zip(task.first_channel..) {
            finish.apply(channel, plane);
        }
    });
}
