use super::forward::{width, window};
use super::shares;
use crate::bands::{Band, cut};
use crate::cpu::with_scratch;
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::simd::{Isa, Product};
use gdl_kernels::par;

/// Convolution of stride 1 and one group to a few channels, which would not fill a vector: pixels side by side in a
/// row do.
pub(crate) fn correlate_few(
    isa: Isa,
    x: &[f32],
    w: &[f32],
    finish: Finish<'_, f32>,
    g: &Geometry,
) -> Vec<f32> {
    let (h, w_out) = g.small;
    let mut out = par::zeros(g.batch * g.c_small * h * w_out);
    let (rows, _) = shares(g.batch, h, width(g) * g.c_big, 1, 1);
    let mut bands = cut(&mut out, (g.c_small, h, w_out), rows, g.c_small);
    par::chunks_mut(&mut bands, 1, |_, bands| {
        for band in bands {
            run(isa, x, w, finish, g, band);
        }
    });
    out
}

fn run(isa: Isa, x: &[f32], w: &[f32], finish: Finish<'_, f32>, g: &Geometry, band: &mut Band<'_>) {
    let (w_out, taps) = (g.small.1, g.taps());
    let image = g.c_big * g.big.0 * g.big.1;
    let window = window(&x[band.image * image..][..image], g, &band.rows);
    let wide = w_out.next_multiple_of(isa.lanes());
    // Every row of the kernel, for every channel.
    let segments: Vec<_> = (0..g.c_big)
        .flat_map(|c| (0..g.kernel.0).map(move |u| (c, u)))
        .map(|(c, u)| {
            let b = (c * window.rows + u * g.dilation.0) * window.width;
            (c * taps + u * g.kernel.1, b)
        })
        .collect();
    // Whole vectors are read, beyond the last row too.
    let stage_len = window.len() + isa.panel();
    with_scratch(stage_len + g.c_small * wide, |scratch: &mut [f32]| {
        let (stage, sums) = scratch.split_at_mut(stage_len);
        window.by_planes(stage);
        stage[window.len()..].fill(0.0);
        for row in 0..band.rows.len() {
            let product = Product {
                a: w,
                a_row: g.c_big * taps,
                a_step: 1,
                b: &stage[row * window.width..],
                b_row: g.dilation.1,
                segments: &segments,
                length: g.kernel.1,
                rows: g.c_small,
                columns: w_out,
                out_row: wide,
                accumulate: false,
            };
            product.compute(isa, sums);
            for (k, (plane, sums)) in band.planes.iter_mut().zip(sums.chunks_exact(wide)).enumerate() {
                let plane = &mut plane[row * w_out..][..w_out];
                plane.copy_from_slice(&sums[..w_out]);
                finish.apply(k, plane);
            }
        }
    });
}
