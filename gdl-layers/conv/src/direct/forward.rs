use super::stage::Window;
use super::{Taps, WEIGHTS, shares, strips};
use crate::bands::{Band, cut};
use crate::cpu::with_scratch;
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::simd::{Isa, Product, from_pixels};
use gdl_kernels::par;

/// Convolution with one group: `x` is the big image, the result the small one.
pub(crate) fn correlate(isa: Isa, x: &[f32], w: &[f32], finish: Finish<'_, f32>, g: &Geometry) -> Vec<f32> {
    let (c_in, c_out, taps, panel) = (g.c_big, g.c_small, g.taps(), isa.panel());
    let mut out = par::zeros(g.batch * c_out * g.small.0 * g.small.1);
    let panel_len = taps * c_in * panel;
    with_scratch(c_out.div_ceil(panel) * panel_len, |packed: &mut [f32]| {
        par::chunks_mut(packed, panel_len, |p, packed| {
            let (first, from) =
                (p * panel, Taps { weights: w, k_step: c_in * taps, c_step: taps, count: taps });
            from.pack(isa, first, panel.min(c_out - first), c_in, packed);
        });
        let packed = &*packed;
        let row = width(g) * g.stride.0 * c_in;
        let (rows, together) = shares(g.batch, g.small.0, row, c_out, panel);
        let mut bands = cut(&mut out, (c_out, g.small.0, g.small.1), rows, together);
        par::chunks_mut(&mut bands, 1, |_, bands| {
            for band in bands {
                run(isa, x, packed, finish, g, band);
            }
        });
    });
    out
}

/// Columns of the big image that a row of the small one sees.
pub(super) fn width(g: &Geometry) -> usize {
    (g.small.1 - 1) * g.stride.1 + (g.kernel.1 - 1) * g.dilation.1 + 1
}

/// What some rows of the small image see of the big one.
pub(super) fn window<'a>(planes: &'a [f32], g: &Geometry, rows: &std::ops::Range<usize>) -> Window<'a> {
    Window {
        planes,
        channels: g.c_big,
        size: g.big,
        at: ((rows.start * g.stride.0) as isize - g.padding.0, -g.padding.1),
        rows: (rows.len() - 1) * g.stride.0 + (g.kernel.0 - 1) * g.dilation.0 + 1,
        width: width(g),
    }
}

fn run(isa: Isa, x: &[f32], packed: &[f32], finish: Finish<'_, f32>, g: &Geometry, band: &mut Band<'_>) {
    let (c_in, panel, w_out) = (g.c_big, isa.panel(), g.small.1);
    let image = c_in * g.big.0 * g.big.1;
    let window = window(&x[band.image * image..][..image], g, &band.rows);
    let row_len = window.width * c_in;
    let (strips, length) = strips(g);
    let segments: Vec<_> = strips
        .iter()
        .map(|(u, v)| {
            let a = u * g.dilation.0 * row_len + v * g.dilation.1 * c_in;
            (a, (u * g.kernel.1 + v) * c_in * panel)
        })
        .collect();
    let together = (WEIGHTS / (length * panel)).max(1);
    let pixels = band.rows.len() * w_out;
    with_scratch(window.len() + pixels * panel, |scratch: &mut [f32]| {
        let (stage, sums) = scratch.split_at_mut(window.len());
        window.by_pixels(isa, stage);
        let first = band.first_channel;
        for (p, planes) in band.planes.chunks_mut(panel).enumerate() {
            let first = first + p * panel;
            start(sums, finish.bias_of(first..first + planes.len()), panel);
            let packed = &packed[first / panel * g.taps() * c_in * panel..];
            for segments in segments.chunks(together) {
                for row in 0..band.rows.len() {
                    let product = Product {
                        a: &stage[row * g.stride.0 * row_len..],
                        a_row: g.stride.1 * c_in,
                        a_step: 1,
                        b: packed,
                        b_row: panel,
                        segments,
                        length,
                        rows: w_out,
                        columns: planes.len(),
                        out_row: panel,
                        accumulate: true,
                    };
                    product.compute(isa, &mut sums[row * w_out * panel..]);
                }
            }
            from_pixels(isa, (sums, panel), planes, 0, pixels);
            planes.iter_mut().for_each(|plane| finish.rectify(plane));
        }
    });
}

/// Starts the sums of a panel with the bias.
pub(super) fn start(sums: &mut [f32], bias: Option<&[f32]>, panel: usize) {
    match bias {
        None => sums.fill(0.0),
        Some(bias) => {
            for sums in sums.chunks_exact_mut(panel) {
                sums[..bias.len()].copy_from_slice(bias);
                sums[bias.len()..].fill(0.0);
            }
        }
    }
}
