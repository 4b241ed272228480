//! The four transforms, with a channel in each lane of a vector.

use super::{FREQUENCIES, RUN, Run, TILE};
use crate::geometry::Geometry;
use crate::mask::{Mask, masked_rows};
use crate::simd::{Isa, Job, Lanes, from_pixels, run, to_pixels};

/// The points ±A, ±B: A = sqrt(1/2), B = sqrt(2), so that A B = 1.
const A: f32 = std::f32::consts::FRAC_1_SQRT_2;
const B: f32 = std::f32::consts::SQRT_2;
/// `2 A^2 (A^2 - B^2)` and `2 B^2 (B^2 - A^2)`, which divide the rows of G.
const N_A: f32 = -1.5;
const N_B: f32 = 6.0;

/// Values of a row that a run may see.
const SEEN: usize = TILE * RUN + 2;

/// Values that a run's stage may need.
pub(super) fn stage_len(isa: Isa) -> usize {
    6 * SEEN * isa.lanes()
}

/// B^T
#[inline(always)]
unsafe fn input6<V: Lanes>(d: [V; 6]) -> [V; 6] {
    // SAFETY: the caller's promise of the instruction set.
    unsafe {
        let even_a = V::splat(-2.0).mul_add(d[2], d[4]);
        let odd_a = V::splat(A).mul(V::splat(-2.0).mul_add(d[1], d[3]));
        let even_b = V::splat(-0.5).mul_add(d[2], d[4]);
        let odd_b = V::splat(B).mul(V::splat(-0.5).mul_add(d[1], d[3]));
        [
            V::splat(-2.5).mul_add(d[2], d[4].add(d[0])),
            even_a.add(odd_a),
            even_a.sub(odd_a),
            even_b.add(odd_b),
            even_b.sub(odd_b),
            V::splat(-2.5).mul_add(d[3], d[5].add(d[1])),
        ]
    }
}

/// A^T
#[inline(always)]
unsafe fn output4<V: Lanes>(m: [V; 6]) -> [V; 4] {
    // SAFETY: as above.
    unsafe {
        let (even_a, odd_a) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (even_b, odd_b) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(even_a.add(even_b)),
            V::splat(A).mul_add(odd_a, V::splat(B).mul(odd_b)),
            V::splat(0.5).mul_add(even_a, V::splat(2.0).mul(even_b)),
            V::splat(0.5 * A).mul_add(odd_a, V::splat(2.0 * B).mul_add(odd_b, m[5])),
        ]
    }
}

/// A
#[inline(always)]
unsafe fn gradient6<V: Lanes>(y: [V; 4]) -> [V; 6] {
    // SAFETY: as above.
    unsafe {
        let even_a = V::splat(0.5).mul_add(y[2], y[0]);
        let odd_a = V::splat(A).mul(V::splat(0.5).mul_add(y[3], y[1]));
        let even_b = V::splat(2.0).mul_add(y[2], y[0]);
        let odd_b = V::splat(B).mul(V::splat(2.0).mul_add(y[3], y[1]));
        [y[0], even_a.add(odd_a), even_a.sub(odd_a), even_b.add(odd_b), even_b.sub(odd_b), y[3]]
    }
}

/// G
#[inline(always)]
unsafe fn weights6<V: Lanes>(g: [V; 3]) -> [V; 6] {
    // SAFETY: as above.
    unsafe {
        let even_a = V::splat(1.0 / N_A).mul(V::splat(0.5).mul_add(g[2], g[0]));
        let odd_a = V::splat(A / N_A).mul(g[1]);
        let even_b = V::splat(1.0 / N_B).mul(V::splat(2.0).mul_add(g[2], g[0]));
        let odd_b = V::splat(B / N_B).mul(g[1]);
        [g[0], even_a.add(odd_a), even_a.sub(odd_a), even_b.add(odd_b), even_b.sub(odd_b), g[2]]
    }
}

/// G^T
#[inline(always)]
unsafe fn weights3<V: Lanes>(s: [V; 6]) -> [V; 3] {
    // SAFETY: as above.
    unsafe {
        let even_a = V::splat(1.0 / N_A).mul(s[1].add(s[2]));
        let odd_a = V::splat(A / N_A).mul(s[1].sub(s[2]));
        let even_b = V::splat(1.0 / N_B).mul(s[3].add(s[4]));
        let odd_b = V::splat(B / N_B).mul(s[3].sub(s[4]));
        [
            s[0].add(even_a.add(even_b)),
            odd_a.add(odd_b),
            V::splat(0.5).mul_add(even_a, V::splat(2.0).mul_add(even_b, s[5])),
        ]
    }
}

/// A two-dimensional transform of many tiles: read `from[tile * from_tile + (i * from_row + j) * from_step]`, write
/// `to` alike.
struct Tiles {
    count: usize,
    from: *const f32,
    from_tile: usize,
    from_row: usize,
    from_step: usize,
    to: *mut f32,
    to_tile: usize,
    to_row: usize,
    to_step: usize,
}

/// A job that applies a one-dimensional transform to the columns and then to the rows of each tile.
macro_rules! two_dimensional {
    ($job:ident, $f:ident, $from:literal, $to:literal) => {
        struct $job(Tiles);

        impl Job for $job {
            #[inline(always)]
            unsafe fn run<V: Lanes>(&self) {
                let t = &self.0;
                for tile in 0..t.count {
                    // SAFETY: the maker of the job bounds all its tiles on both sides.
                    unsafe {
                        let (from, to) = (t.from.add(tile * t.from_tile), t.to.add(tile * t.to_tile));
                        let mut half = [[V::splat(0.0); $from]; $to];
                        for j in 0..$from {
                            let mut column = [V::splat(0.0); $from];
                            for i in 0..$from {
                                column[i] = V::load(from.add((i * t.from_row + j) * t.from_step));
                            }
                            let column = $f::<V>(column);
                            for i in 0..$to {
                                half[i][j] = column[i];
                            }
                        }
                        for (i, row) in half.into_iter().enumerate() {
                            for (j, value) in $f::<V>(row).into_iter().enumerate() {
                                value.store(to.add((i * t.to_row + j) * t.to_step));
                            }
                        }
                    }
                }
            }
        }
    };
}
two_dimensional!(Input, input6, 6, 6);
two_dimensional!(Output, output4, 6, 4);
two_dimensional!(Gradient, gradient6, 4, 6);
two_dimensional!(Weights, weights6, 3, 6);
two_dimensional!(WeightGradient, weights3, 6, 3);

/// Where transformed tiles stand: frequency `f` of tile `t` and channel `c` at `f * frequency + t * tile + c`.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) frequency: usize,
    pub(super) tile: usize,
}

/// Transforms the windows of some channels that the tiles of a run see: of 6x6 pixels for the input of a
/// convolution, of 4x4 for the gradient of its output.
pub(super) struct Windows<'a> {
    pub(super) isa: Isa,
    /// The channels to transform, planes of `size`.
    pub(super) planes: &'a [f32],
    pub(super) size: (usize, usize),
    pub(super) channels: usize,
    /// What the values pass before they are transformed; its planes are those of `planes`.
    pub(super) mask: Option<Mask<'a, f32>>,
    /// 6 or 4.
    pub(super) window: usize,
    pub(super) padding: (isize, isize),
}

impl Windows<'_> {
    pub(super) fn transform(&self, run_: &Run, stage: &mut [f32], out: &mut [f32], places: Places) {
        let lanes = self.isa.lanes();
        let plane = self.size.0 * self.size.1;
        let width = TILE * (run_.count - 1) + self.window;
        // What of a row of the stage lies inside the image.
        let left = run_.x as isize - self.padding.1;
        let start = left.max(0);
        let inside = ((left + width as isize).min(self.size.1 as isize) - start).max(0) as usize;
        let (skip, start) = (((start - left) as usize).min(width), start as usize);
        let mut masked = [0f32; 16 * SEEN];
        for channel in (0..self.channels).step_by(lanes) {
            let channels = lanes.min(self.channels - channel);
            for (i, row) in stage.chunks_exact_mut(width * lanes).take(self.window).enumerate() {
                let y = (run_.y + i) as isize - self.padding.0;
                let Some(y) = usize::try_from(y).ok().filter(|y| *y < self.size.0 && inside > 0) else {
                    row.fill(0.0);
                    continue;
                };
                if channels < lanes {
                    row.fill(0.0);
                }
                row[..skip * lanes].fill(0.0);
                row[(skip + inside) * lanes..].fill(0.0);
                let at = channel * plane + y * self.size.1 + start;
                let pixels = (&mut row[skip * lanes..], lanes);
                match self.mask {
                    None => to_pixels(self.isa, (&self.planes[at..], plane), pixels, inside, channels),
                    Some(Mask { result, slope }) => {
                        let mask = Mask { result: &result[at..], slope };
                        let rows = (&mut masked[..], SEEN);
                        masked_rows(self.isa, mask, &self.planes[at..], plane, (channels, inside), rows);
                        to_pixels(self.isa, (&masked, SEEN), pixels, inside, channels);
                    }
                }
            }
            let to = &mut out[run_.at * places.tile + channel..];
            assert!(
                (FREQUENCIES - 1) * places.frequency + (run_.count - 1) * places.tile + lanes <= to.len()
                    && self.window * width * lanes <= stage.len(),
                "winograd: a buffer is too short"
            );
            let tiles = Tiles {
                count: run_.count,
                from: stage.as_ptr(),
                from_tile: TILE * lanes,
                from_row: width,
                from_step: lanes,
                to: to.as_mut_ptr(),
                to_tile: places.tile,
                to_row: 6,
                to_step: places.frequency,
            };
            // SAFETY: the assertion bounds the tiles on both sides; a stage row holds `width` pixels, the last of
            // which is the last column of the last tile's window.
            unsafe {
                match self.window {
                    6 => run(self.isa, &Input(tiles)),
                    _ => run(self.isa, &Gradient(tiles)),
                }
            }
        }
    }
}

/// Transforms the products of a run back and writes them to their places in `planes`, one slice for each channel,
/// which begin with row `top` of the image.
pub(super) fn output(
    isa: Isa,
    g: &Geometry,
    run_: &Run,
    (products, places): (&[f32], Places),
    stage: &mut [f32],
    (planes, top): (&mut [&mut [f32]], usize),
) {
    let lanes = isa.lanes();
    let (width, (h, w)) = (TILE * run_.count, g.small);
    for (channel, planes) in (0..).step_by(lanes).zip(planes.chunks_mut(lanes)) {
        let from = &products[run_.at * places.tile + channel..];
        assert!(
            (FREQUENCIES - 1) * places.frequency + (run_.count - 1) * places.tile + lanes <= from.len()
                && TILE * width * lanes <= stage.len(),
            "winograd: a buffer is too short"
        );
        let tiles = Tiles {
            count: run_.count,
            from: from.as_ptr(),
            from_tile: places.tile,
            from_row: 6,
            from_step: places.frequency,
            to: stage.as_mut_ptr(),
            to_tile: TILE * lanes,
            to_row: width,
            to_step: lanes,
        };
        // SAFETY: the assertion bounds the tiles on both sides.
        unsafe { run(isa, &Output(tiles)) }
        for (i, row) in stage.chunks_exact(width * lanes).take(TILE.min(h - run_.y)).enumerate() {
            let at = (run_.y + i - top) * w + run_.x;
            from_pixels(isa, (row, lanes), planes, at, width.min(w - run_.x));
        }
    }
}

/// Transforms the kernels of one panel of output channels: `out[f * frequency + c * panel + k]`, for all input
/// channels `c`. `w(k, c)` says where in `weights` the nine taps begin; `flipped` reads them backwards.
pub(super) fn weights(
    isa: Isa,
    weights: &[f32],
    w: impl Fn(usize, usize) -> usize,
    flipped: bool,
    (count, c_in): (usize, usize),
    out: &mut [f32],
) {
    let (lanes, panel) = (isa.lanes(), isa.panel());
    // Nine vectors of taps, side by side; the transposition of whole vectors writes some more.
    let mut taps = [0f32; 16 * 16];
    assert!(FREQUENCIES * c_in * panel <= out.len() && count <= panel, "winograd: a buffer is too short");
    for c in 0..c_in {
        for half in 0..2 {
            let channels = count.saturating_sub(half * lanes).min(lanes);
            if channels < lanes {
                taps.fill(0.0);
            }
            if channels > 0 {
                let from = &weights[w(half * lanes, c)..];
                let k_step = if channels > 1 { w(1, c) - w(0, c) } else { 0 };
                // Whole vectors are faster, where they do not reach beyond the end.
                let read = if (lanes - 1) * k_step + lanes <= from.len() { lanes.max(9) } else { 9 };
                to_pixels(isa, (from, k_step), (&mut taps, lanes), read, channels);
            }
            if flipped {
                for tap in 0..4 {
                    let (low, high) = taps.split_at_mut((8 - tap) * lanes);
                    low[tap * lanes..][..lanes].swap_with_slice(&mut high[..lanes]);
                }
            }
            let tiles = Tiles {
                count: 1,
                from: taps.as_ptr(),
                from_tile: 0,
                from_row: 3,
                from_step: lanes,
                to: out[c * panel + half * lanes..].as_mut_ptr(),
                to_tile: 0,
                to_row: 6,
                to_step: c_in * panel,
            };
            // SAFETY: nine vectors are in `taps`, and the assertion above bounds the output.
            unsafe { run(isa, &Weights(tiles)) }
        }
    }
}

/// The gradients of kernels, from their 36 sums for `lanes` input channels: nine vectors.
pub(super) fn weight_gradient(isa: Isa, sums: &[f32], frequency: usize, out: &mut [f32; 9 * 16]) {
    assert!((FREQUENCIES - 1) * frequency + isa.lanes() <= sums.len(), "winograd: a buffer is too short");
    let tiles = Tiles {
        count: 1,
        from: sums.as_ptr(),
        from_tile: 0,
        from_row: 6,
        from_step: frequency,
        to: out.as_mut_ptr(),
        to_tile: 0,
        to_row: 3,
        to_step: isa.lanes(),
    };
    // SAFETY: the assertion bounds the sums; the output has room for nine of the widest vectors.
    unsafe { run(isa, &WeightGradient(tiles)) }
}
