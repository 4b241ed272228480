use super::forward::start;
use super::stage::Window;
use super::{Taps, shares};
use crate::bands::{Band, cut};
use crate::cpu::with_scratch;
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::simd::{Isa, Product, from_pixels};
use gdl_kernels::par;

/// Transposed convolution with one group: `x` is the small image, the result the big one.
///
/// Output pixels whose positions agree modulo the stride see the same taps, side by side in the small image: each of
/// these phases is a convolution of its own, and nothing is added up twice.
pub(crate) fn scatter(isa: Isa, x: &[f32], w: &[f32], finish: Finish<'_, f32>, g: &Geometry) -> Vec<f32> {
    let (c_in, c_out, taps, panel) = (g.c_small, g.c_big, g.taps(), isa.panel());
    let mut out = par::zeros(g.batch * c_out * g.big.0 * g.big.1);
    let panel_len = taps * c_in * panel;
    with_scratch(c_out.div_ceil(panel) * panel_len, |packed: &mut [f32]| {
        par::chunks_mut(packed, panel_len, |p, packed| {
            let (first, from) =
                (p * panel, Taps { weights: w, k_step: taps, c_step: c_out * taps, count: taps });
            from.pack(isa, first, panel.min(c_out - first), c_in, packed);
        });
        let packed = &*packed;
        let row = (g.small.1 * c_in).max(g.big.1 * panel);
        let (rows, together) = shares(g.batch, g.big.0, row, c_out, panel);
        let mut bands = cut(&mut out, (c_out, g.big.0, g.big.1), rows, together);
        par::chunks_mut(&mut bands, 1, |_, bands| {
            for band in bands {
                run(isa, x, packed, finish, g, band);
            }
        });
    });
    out
}

/// Where tap 0 of an axis looks from output position `at`, were it on the grid: position times stride.
fn reach(at: usize, padding: isize) -> isize {
    at as isize + padding
}

fn run(isa: Isa, x: &[f32], packed: &[f32], finish: Finish<'_, f32>, g: &Geometry, band: &mut Band<'_>) {
    let (c_in, panel, w_out) = (g.c_small, isa.panel(), g.big.1);
    let (sh, sw) = (g.stride.0 as isize, g.stride.1 as isize);
    let span = (((g.kernel.0 - 1) * g.dilation.0) as isize, ((g.kernel.1 - 1) * g.dilation.1) as isize);
    let top = (reach(band.rows.start, g.padding.0) - span.0).div_euclid(sh);
    let bottom = reach(band.rows.end - 1, g.padding.0).div_euclid(sh);
    let left = (reach(0, g.padding.1) - span.1).div_euclid(sw);
    let right = reach(w_out - 1, g.padding.1).div_euclid(sw);
    let image = c_in * g.small.0 * g.small.1;
    let window = Window {
        planes: &x[band.image * image..][..image],
        channels: c_in,
        size: g.small,
        at: (top, left),
        rows: (bottom - top + 1) as usize,
        width: (right - left + 1) as usize,
    };
    // For each phase of the columns, the taps that meet it and where in a row of the stage they begin.
    let phases: Vec<Vec<_>> = (0..g.stride.1.min(w_out))
        .map(|phase| {
            let tap = |v: usize| {
                let at = reach(phase, g.padding.1) - (v * g.dilation.1) as isize;
                (at.rem_euclid(sw) == 0).then(|| (v, (at.div_euclid(sw) - left) as usize * c_in))
            };
            (0..g.kernel.1).filter_map(tap).collect()
        })
        .collect();
    let pixels = band.rows.len() * w_out;
    with_scratch(window.len() + pixels * panel, |scratch: &mut [f32]| {
        let (stage, sums) = scratch.split_at_mut(window.len());
        window.by_pixels(isa, stage);
        let first = band.first_channel;
        let mut segments = Vec::new();
        for (p, planes) in band.planes.chunks_mut(panel).enumerate() {
            let first = first + p * panel;
            start(&mut sums[..pixels * panel], finish.bias_of(first..first + planes.len()), panel);
            let packed = &packed[first / panel * g.taps() * c_in * panel..];
            for (i, row) in band.rows.clone().enumerate() {
                for (phase, columns) in phases.iter().enumerate() {
                    segments.clear();
                    for u in 0..g.kernel.0 {
                        let at = reach(row, g.padding.0) - (u * g.dilation.0) as isize;
                        if at.rem_euclid(sh) != 0 {
                            continue;
                        }
                        let line = (at.div_euclid(sh) - top) as usize * window.width * c_in;
                        segments.extend(
                            columns.iter().map(|(v, x)| (line + x, (u * g.kernel.1 + v) * c_in * panel)),
                        );
                    }
                    if segments.is_empty() {
                        continue;
                    }
                    let product = Product {
                        a: stage,
                        a_row: c_in,
                        a_step: 1,
                        b: packed,
                        b_row: panel,
                        segments: &segments,
                        length: c_in,
                        rows: (w_out - phase).div_ceil(g.stride.1),
                        columns: planes.len(),
                        out_row: g.stride.1 * panel,
                        accumulate: true,
                    };
                    product.compute(isa, &mut sums[(i * w_out + phase) * panel..]);
                }
            }
            from_pixels(isa, (sums, panel), planes, 0, pixels);
            planes.iter_mut().for_each(|plane| finish.rectify(plane));
        }
    });
}
