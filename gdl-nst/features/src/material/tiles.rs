//! Textures of cells: regular tiles, woven things, and cells about scattered points.

use super::family::{Grain, Spot, cell, tone, wave};
use gdl_image_io::draw::{hash, noise, smoothstep};

/// The whole part and the rest, the latter in [0, 1).
fn split(x: f32) -> (i32, f32) {
    (x.floor() as i32, x - x.floor())
}

/// A soft edge at `at`: 0 below, 1 above.
fn edge(at: f32, x: f32) -> f32 {
    smoothstep(at - 0.04, at + 0.04, x)
}

pub(super) fn stripes(g: &Grain, u: f32, _: f32) -> Spot {
    tone(edge(0.2 + 0.6 * g.a, split(u).1))
}

pub(super) fn waves(g: &Grain, u: f32, v: f32) -> Spot {
    tone(wave(u + (0.1 + 0.5 * g.a) * (v * 3.0).sin()))
}

pub(super) fn bars(g: &Grain, u: f32, _: f32) -> Spot {
    let (i, f) = split(u * 1.5);
    cell(0.9 * edge(0.06, f) + 0.1, hash(g.seed, i, 0))
}

pub(super) fn checks(_: &Grain, u: f32, v: f32) -> Spot {
    let ((i, _), (j, _)) = (split(u), split(v));
    tone(((i + j) & 1) as f32)
}

pub(super) fn patchwork(g: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u), split(v));
    cell(0.6 + 0.4 * noise(g.seed, x * 3.0 + i as f32, y * 3.0 + j as f32), hash(g.seed, i, j))
}

pub(super) fn bricks(g: &Grain, u: f32, v: f32) -> Spot {
    let (j, y) = split(v * 1.6);
    let (i, x) = split(u * 0.8 + 0.5 * (j & 1) as f32);
    let joint = edge(0.06, x.min(1.0 - x) * 2.0) * edge(0.1, y.min(1.0 - y) * 2.0);
    cell(joint * (0.75 + 0.25 * noise(g.seed, u * 6.0, v * 6.0)), hash(g.seed, i, j))
}

pub(super) fn planks(g: &Grain, u: f32, v: f32) -> Spot {
    let (j, y) = split(v);
    let (i, x) = split(u * 0.25 + hash(g.seed, j, 7));
    let grain = noise(g.seed ^ j as u32, u * 1.2, v * 14.0);
    cell(edge(0.03, x) * edge(0.05, y) * (0.6 + 0.4 * grain), hash(g.seed, i, j))
}

pub(super) fn hexagons(g: &Grain, u: f32, v: f32) -> Spot {
    // The nearer of two interleaved grids of centres.
    let (h, w) = (1.732f32, 1.0f32);
    let near = |u: f32, v: f32| {
        let (i, j) = ((u / w).round(), (v / h).round());
        (u - i * w, v - j * h, i as i32, j as i32)
    };
    let a = near(u, v);
    let b = near(u - w / 2.0, v - h / 2.0);
    let (x, y, i, j, odd) =
        if a.0.hypot(a.1) < b.0.hypot(b.1) { (a.0, a.1, a.2, a.3, 0) } else { (b.0, b.1, b.2, b.3, 1) };
    let rim = x.abs().max(0.5 * x.abs() + 0.866 * y.abs());
    cell(1.0 - edge(0.38 + 0.08 * g.a, rim), hash(g.seed, 2 * i + odd, j))
}

pub(super) fn dots(g: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u), split(v));
    cell(1.0 - edge(0.2 + 0.25 * g.a, (x - 0.5).hypot(y - 0.5)), hash(g.seed, i, j))
}

pub(super) fn polka(g: &Grain, u: f32, v: f32) -> Spot {
    let (j, y) = split(v);
    let (_, x) = split(u + 0.5 * (j & 1) as f32);
    tone(edge(0.18 + 0.25 * g.a, (x - 0.5).hypot(y - 0.5)))
}

pub(super) fn hoops(g: &Grain, u: f32, v: f32) -> Spot {
    let ((_, x), (_, y)) = (split(u), split(v));
    let off = ((x - 0.5).hypot(y - 0.5) - 0.2 - 0.2 * g.a).abs();
    tone(edge(0.08, off))
}

pub(super) fn halftone(g: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u * 2.0), split(v * 2.0));
    let size = 0.6 * noise(g.seed, i as f32 * 0.2, j as f32 * 0.2);
    tone(edge(size, (x - 0.5).hypot(y - 0.5)))
}

pub(super) fn crosses(g: &Grain, u: f32, v: f32) -> Spot {
    let (x, y) = ((split(u).1 - 0.5).abs(), (split(v).1 - 0.5).abs());
    let thin = 0.08 + 0.1 * g.a;
    tone(edge(thin, x.min(y)).max(edge(0.38, x.max(y))))
}

pub(super) fn lattice(g: &Grain, u: f32, v: f32) -> Spot {
    let (x, y) = (split(u).1, split(v).1);
    tone(edge(0.06 + 0.12 * g.a, x) * edge(0.06 + 0.12 * g.b, y))
}

pub(super) fn weave(_: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u * 1.5), split(v * 1.5));
    let over = (i + j) & 1 == 0;
    let (along, across) = if over { (x, y) } else { (y, x) };
    let thread = (std::f32::consts::PI * across).sin() * (0.45 + 0.55 * (std::f32::consts::PI * along).sin());
    cell(thread, if over { 0.15 } else { 0.85 })
}

pub(super) fn basket(g: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u * 0.8), split(v * 0.8));
    let across = if (i + j) & 1 == 0 { y } else { x };
    let (k, strip) = split(across * 3.0);
    cell((std::f32::consts::PI * strip).sin(), hash(g.seed, i * 3 + k, j))
}

pub(super) fn herringbone(_: &Grain, u: f32, v: f32) -> Spot {
    let (i, x) = split(u * 0.7);
    let lean = if i & 1 == 0 { x } else { 1.0 - x };
    tone(edge(0.5, split(v * 1.8 + lean).1) * 0.8 + 0.2 * edge(0.05, x))
}

pub(super) fn zigzag(g: &Grain, u: f32, v: f32) -> Spot {
    let tooth = (split(u).1 - 0.5).abs() * (0.8 + 1.6 * g.a);
    tone(edge(0.5, split(v + tooth).1))
}

pub(super) fn plaid(g: &Grain, u: f32, v: f32) -> Spot {
    let band = |x: f32, salt: i32| {
        let (i, f) = split(x * 2.0);
        0.7 * hash(g.seed, i.rem_euclid(4), salt) + 0.3 * edge(0.8, f)
    };
    let twill = 0.15 * edge(0.5, split((u + v) * 6.0).1);
    tone(0.45 * (band(u, 0) + band(v, 1)) + twill)
}

pub(super) fn houndstooth(_: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u), split(v));
    let diagonal = split((x + y) * 2.0).0 & 1;
    tone(match (i & 1, j & 1) {
        (0, 0) => 0.0,
        (1, 1) => 1.0,
        _ => diagonal as f32,
    })
}

pub(super) fn scales(g: &Grain, u: f32, v: f32) -> Spot {
    // The topmost of the overlapping discs that cover the place.
    for k in 0..3 {
        let j = (v * 2.0).floor() as i32 + 1 - k;
        let (i, x) = split(u + 0.5 * (j & 1) as f32);
        let r = (x - 0.5).hypot((v * 2.0 - j as f32) * 0.5);
        if r < 0.56 {
            return cell((1.0 - r * 1.5) * (1.0 - edge(0.5, r)) + 0.05, hash(g.seed, i, j));
        }
    }
    cell(0.0, 0.0)
}

pub(super) fn triangles(g: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u), split(v));
    let upper = i32::from(if (i + j) & 1 == 0 { x > y } else { x + y > 1.0 });
    cell(1.0, hash(g.seed, 2 * i + upper, j))
}

pub(super) fn diamonds(g: &Grain, u: f32, v: f32) -> Spot {
    let (i, j) = ((u + v).floor() as i32, (u - v).floor() as i32);
    let (x, y) = ((u + v).fract().abs(), (u - v).fract().abs());
    cell(edge(0.08 + 0.1 * g.a, x.min(y).min(1.0 - x.max(y))), hash(g.seed, i, j))
}

pub(super) fn truchet(g: &Grain, u: f32, v: f32) -> Spot {
    let ((i, x), (j, y)) = (split(u), split(v));
    let x = if hash(g.seed, i, j) < 0.5 { x } else { 1.0 - x };
    let off = (x.hypot(y) - 0.5).abs().min(((1.0 - x).hypot(1.0 - y) - 0.5).abs());
    tone(edge(0.1 + 0.1 * g.a, off))
}

/// Distances to the nearest and to the second of points scattered one to a cell, and the direction and the number of the
/// nearest.
fn nearest(seed: u32, u: f32, v: f32) -> (f32, f32, (f32, f32), f32) {
    let ((i, _), (j, _)) = (split(u), split(v));
    let mut found = (9.0f32, 9.0f32, (0.0, 0.0), 0.0);
    for (di, dj) in (-1..=1).flat_map(|a| (-1..=1).map(move |b| (a, b))) {
        let (i, j) = (i.wrapping_add(di), j.wrapping_add(dj));
        let dx = i as f32 + hash(seed, i, j) - u;
        let dy = j as f32 + hash(seed ^ 0x55, i, j) - v;
        let d = dx.hypot(dy);
        if d < found.0 {
            found = (d, found.0, (dx, dy), hash(seed ^ 0xaa, i, j));
        } else if d < found.1 {
            found.1 = d;
        }
    }
    found
}

pub(super) fn cells(g: &Grain, u: f32, v: f32) -> Spot {
    let (d, _, _, id) = nearest(g.seed, u, v);
    cell(1.0 - d * (0.6 + 0.6 * g.a), id)
}

pub(super) fn distances(g: &Grain, u: f32, v: f32) -> Spot {
    let (d, second, ..) = nearest(g.seed, u, v);
    tone(if g.a < 0.5 { d } else { second * 0.7 })
}

pub(super) fn glass(g: &Grain, u: f32, v: f32) -> Spot {
    let (d, second, _, id) = nearest(g.seed, u, v);
    cell(edge(0.05 + 0.1 * g.a, second - d), id)
}

pub(super) fn cracks(g: &Grain, u: f32, v: f32) -> Spot {
    let (u, v) =
        (u + 0.3 * noise(g.seed ^ 8, u * 3.0, v * 3.0), v + 0.3 * noise(g.seed ^ 9, u * 3.0, v * 3.0));
    let (d, second, ..) = nearest(g.seed, u, v);
    tone(edge(0.03 + 0.05 * g.a, second - d) * (0.75 + 0.25 * noise(g.seed, u * 4.0, v * 4.0)))
}

pub(super) fn pebbles(g: &Grain, u: f32, v: f32) -> Spot {
    let (d, second, (dx, dy), id) = nearest(g.seed, u, v);
    let round = smoothstep(0.0, 0.4, second - d);
    cell(round * (0.65 + 0.5 * (dx + dy)).clamp(0.1, 1.0), id)
}

pub(super) fn facets(g: &Grain, u: f32, v: f32) -> Spot {
    let (_, _, (dx, dy), id) = nearest(g.seed, u, v);
    let turn = id * std::f32::consts::TAU;
    cell(0.55 + 0.6 * (dx * turn.cos() + dy * turn.sin()), id)
}

pub(super) fn confetti(g: &Grain, u: f32, v: f32) -> Spot {
    let (d, _, _, id) = nearest(g.seed, u, v);
    cell(1.0 - edge(0.15 + 0.15 * g.a, d), id)
}
