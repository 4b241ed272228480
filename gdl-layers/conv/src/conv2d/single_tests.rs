//! The f32 kernels of every instruction set against the f64 kernels, over drawn shapes.

use super::{kernel, single};
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::mask::Mask;
use crate::simd::Isa;
use crate::winograd;
use gdl_kernels::rng::Rng;

fn normal(rng: &mut Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.normal() as f32).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Sums of `terms` products of standard normals are some `sqrt(terms)` large, and so are their partial sums: added one
/// after the other, each rounded by 3.4e-8 of itself at the root mean square, they err by 2.4e-8 `terms`, and six times
/// that at the worst of a million. Winograd's transforms enlarge the rounding of the result: 8e-7 `sqrt(terms)` at the
/// root mean square and 6e-6 at the worst of 40,000 outputs were measured, for 64 channels; twice that is allowed.
#[track_caller]
fn close(got: &[f32], want: &[f64], terms: usize, winograd: bool, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let terms = terms.max(1) as f64;
    let tol = 1.5e-7 * terms + if winograd { 1.2e-5 } else { 2e-6 } * terms.sqrt();
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*g) - w).abs() <= tol, "{what}: {g} for {w} at {i}, more than {tol} apart");
    }
}

fn check(rng: &mut Rng, g: &Geometry) {
    let big = normal(rng, g.batch * g.c_big * g.big.0 * g.big.1);
    let small = normal(rng, g.batch * g.c_small * g.small.0 * g.small.1);
    let w = normal(rng, g.c_small * g.c_big / g.groups * g.taps());
    let (b_small, b_big) = (normal(rng, g.c_small), normal(rng, g.c_big));
    let [big64, small64, w64] = [&big, &small, &w].map(|v| wide(v));
    let (c_big, c_small) = g.group_channels();
    let correlated =
        kernel::correlate(&big64, &w64, Finish { bias: Some(&wide(&b_small)), slope: Some(0.2) }, g);
    let scattered = kernel::scatter(&small64, &w64, Finish { bias: Some(&wide(&b_big)), slope: None }, g);
    // A mask of its own: the sign of every third value and of those between differ.
    let passed: Vec<f32> = small.iter().enumerate().map(|(i, v)| if i % 3 == 0 { -v } else { *v }).collect();
    let held: Vec<f64> =
        small64.iter().zip(&passed).map(|(v, y)| if *y > 0.0 { *v } else { f64::from(0.2f32) * v }).collect();
    let masked = kernel::scatter(&held, &w64, Finish::NOTHING, g);
    let gradient = gradient_of(g, |out| kernel::weight_gradient(&big64, &small64, g, out, false));
    let fits = winograd::fits(g);
    let mirrored = g.stride == (1, 1) && winograd::fits(&g.mirrored());
    for isa in Isa::available() {
        let what = format!("{isa:?} {g:?}");
        let got = single::correlate(isa, &big, &w, Finish { bias: Some(&b_small), slope: Some(0.2) }, g);
        close(&got, &correlated, c_big * g.taps(), fits, &format!("correlate {what}"));
        let got = single::scatter(isa, &small, &w, Finish { bias: Some(&b_big), slope: None }, g);
        close(&got, &scattered, c_small * g.taps(), mirrored, &format!("scatter {what}"));
        let mask = Mask { result: &passed, slope: 0.2 };
        let got = single::scatter_masked(isa, &small, mask, &w, g);
        close(&got, &masked, c_small * g.taps(), mirrored, &format!("scatter masked {what}"));
        let again = |out: &mut [f32]| single::weight_gradient(isa, &big, &small, g, out, false);
        let got = gradient_of(g, again);
        close(&got, &gradient, g.batch * g.small.0 * g.small.1, fits, &format!("weight gradient {what}"));
        if g.batch > 0 {
            assert_eq!(got, gradient_of(g, again), "twice: {what}");
        }
        let mut sum = vec![0.5; got.len()];
        single::weight_gradient(isa, &big, &small, g, &mut sum, true);
        for (sum, got) in sum.iter().zip(&got) {
            // One more rounding, and the halves of a sum may be added in another order.
            assert!((sum - 0.5 - got).abs() <= 1e-5 * (1.0 + got.abs()), "added: {sum} {got} {what}");
        }
    }
}

/// What `f` writes into a gradient that held something else.
fn gradient_of<T: gdl_kernels::gemm::Float>(g: &Geometry, f: impl Fn(&mut [T])) -> Vec<T> {
    let mut out = vec![T::from_f64(7.0); g.weight_count()];
    f(&mut out);
    out
}

fn pair(rng: &mut Rng, low: usize, high: usize) -> (usize, usize) {
    let mut one = || low + rng.below(high - low + 1);
    (one(), one())
}

/// The geometry of a convolution, where the kernel fits the padded image.
fn geometry(
    batch: usize,
    (c_big, c_small): (usize, usize),
    big: (usize, usize),
    kernel: (usize, usize),
    (stride, padding, dilation): ((usize, usize), (usize, usize), (usize, usize)),
) -> Option<Geometry> {
    let size = |n: usize, k: usize, s: usize, p: usize, d: usize| {
        (n + 2 * p).checked_sub(d * (k - 1) + 1).map(|room| room / s + 1)
    };
    let small = (
        size(big.0, kernel.0, stride.0, padding.0, dilation.0)?,
        size(big.1, kernel.1, stride.1, padding.1, dilation.1)?,
    );
    let padding = (padding.0 as isize, padding.1 as isize);
    Some(Geometry { batch, c_big, big, c_small, small, kernel, stride, padding, dilation, groups: 1 })
}

#[test]
fn agrees_with_f64_on_drawn_shapes() {
    let rng = &mut Rng::seed(21);
    let mut done = 0;
    while done < 150 {
        let moves = (pair(rng, 1, 3), pair(rng, 0, 3), pair(rng, 1, 2));
        let channels = pair(rng, 1, 20);
        let (batch, big, kernel) = (rng.below(5), pair(rng, 1, 13), pair(rng, 1, 5));
        if let Some(g) = geometry(batch, channels, big, kernel, moves) {
            check(rng, &g);
            done += 1;
        }
    }
}

/// Also where it would not pay: any size and any number of channels.
#[test]
fn winograd_agrees_with_f64_on_drawn_shapes() {
    let rng = &mut Rng::seed(22);
    let mut done = 0;
    while done < 60 {
        let moves = ((1, 1), pair(rng, 0, 4), (1, 1));
        let channels = pair(rng, 1, 50);
        let (batch, big) = (rng.below(5), pair(rng, 1, 25));
        let Some(g) = geometry(batch, channels, big, (3, 3), moves) else { continue };
        done += 1;
        let x = normal(rng, batch * g.c_big * g.big.0 * g.big.1);
        let y = normal(rng, batch * g.c_small * g.small.0 * g.small.1);
        let w = normal(rng, g.c_small * g.c_big * 9);
        let [x64, y64, w64] = [&x, &y, &w].map(|v| wide(v));
        let correlated = kernel::correlate(&x64, &w64, Finish::NOTHING, &g);
        let scattered = kernel::scatter(&y64, &w64, Finish::NOTHING, &g);
        let gradient = gradient_of(&g, |out| kernel::weight_gradient(&x64, &y64, &g, out, false));
        for isa in Isa::available() {
            let what = format!("{isa:?} {g:?}");
            let got = winograd::correlate(isa, (&x, None), &w, false, Finish::NOTHING, &g);
            close(&got, &correlated, g.c_big * 9, true, &format!("correlate {what}"));
            let got = winograd::correlate(isa, (&y, None), &w, true, Finish::NOTHING, &g.mirrored());
            close(&got, &scattered, g.c_small * 9, true, &format!("scatter {what}"));
            let got = gradient_of(&g, |out| winograd::weight_gradient(isa, &x, &y, &g, out, false));
            close(&got, &gradient, batch * g.small.0 * g.small.1, true, &format!("weight gradient {what}"));
        }
    }
}

/// Several bands, panels, parts and shares; runs of more than 16 tiles.
#[test]
fn agrees_with_f64_on_larger_shapes() {
    let rng = &mut Rng::seed(23);
    let one = ((1, 1), (1, 1), (1, 1));
    let two = ((2, 2), (1, 1), (1, 1));
    let cases = [
        (2, (40, 33), (30, 75), (3, 3), one),
        (1, (130, 140), (24, 29), (3, 3), one),
        (1, (3, 40), (70, 66), (7, 7), ((1, 1), (3, 3), (1, 1))),
        (1, (40, 3), (70, 66), (7, 7), ((1, 1), (3, 3), (1, 1))),
        (2, (40, 70), (34, 36), (4, 4), two),
        (1, (130, 160), (9, 8), (4, 4), two),
        (1, (33, 65), (40, 41), (3, 3), two),
        (1, (40, 1), (31, 32), (4, 4), one),
    ];
    for (batch, channels, big, kernel, moves) in cases {
        check(rng, &geometry(batch, channels, big, kernel, moves).unwrap());
    }
}
