//! Textures without cells: noises, and what is made of them.

use super::family::{Grain, Spot, tone, wave};
use gdl_image_io::draw::{fbm, hash, noise, smoothstep};

fn ridge(x: f32) -> f32 {
    1.0 - (2.0 * x - 1.0).abs()
}

pub(super) fn clouds(g: &Grain, u: f32, v: f32) -> Spot {
    tone(contrast(fbm(g.seed, u, v, 5), 1.6))
}

pub(super) fn mist(g: &Grain, u: f32, v: f32) -> Spot {
    tone(noise(g.seed, u, v))
}

pub(super) fn rough(g: &Grain, u: f32, v: f32) -> Spot {
    let fine: f32 = (0..5).map(|i| noise(g.seed + i, u * (1 << i) as f32, v * (1 << i) as f32)).sum();
    tone(contrast(fine / 5.0, 2.0))
}

pub(super) fn ridges(g: &Grain, u: f32, v: f32) -> Spot {
    tone(ridge(fbm(g.seed, u, v, 4)).powf(1.0 + 3.0 * g.a))
}

pub(super) fn smoke(g: &Grain, u: f32, v: f32) -> Spot {
    let sum: f32 = (0..4)
        .map(|i| {
            let zoom = (1 << i) as f32;
            (2.0 * noise(g.seed + i, u * zoom, v * zoom) - 1.0).abs() / zoom
        })
        .sum();
    tone(sum)
}

pub(super) fn marble(g: &Grain, u: f32, v: f32) -> Spot {
    tone(wave(u * 0.6 + (1.0 + 2.0 * g.a) * fbm(g.seed, u * 0.6, v * 0.6, 4)).powf(0.6 + g.b))
}

pub(super) fn wood(g: &Grain, u: f32, v: f32) -> Spot {
    let (u, v) =
        (u + 0.6 * noise(g.seed, u * 0.4, v * 0.4), v * 0.25 + 0.3 * noise(g.seed ^ 9, u * 0.3, v * 0.2));
    let rings = (u.hypot(v) * (1.0 + 2.0 * g.a)).fract();
    tone(0.75 * rings + 0.25 * noise(g.seed ^ 3, u * 30.0, v * 3.0))
}

pub(super) fn fibres(g: &Grain, u: f32, v: f32) -> Spot {
    tone(contrast(fbm(g.seed, u * (4.0 + 8.0 * g.a), v * 0.5, 3), 2.0))
}

pub(super) fn fur(g: &Grain, u: f32, v: f32) -> Spot {
    // Hairs are noise stretched along a direction that wanders.
    let angle = 6.0 * noise(g.seed ^ 21, u * 0.25, v * 0.25);
    let (sin, cos) = angle.sin_cos();
    tone(contrast(fbm(g.seed, (u * cos - v * sin) * 6.0, (u * sin + v * cos) * 0.8, 2), 1.8))
}

pub(super) fn camouflage(g: &Grain, u: f32, v: f32) -> Spot {
    let steps = 3.0 + (3.0 * g.a).floor();
    tone((contrast(fbm(g.seed, u, v, 3), 1.8) * steps).floor() / (steps - 1.0))
}

pub(super) fn contours(g: &Grain, u: f32, v: f32) -> Spot {
    let level = fbm(g.seed, u * 0.7, v * 0.7, 3) * (5.0 + 8.0 * g.a);
    tone(smoothstep(0.1, 0.25, (level.fract() - 0.5).abs()))
}

pub(super) fn spots(g: &Grain, u: f32, v: f32) -> Spot {
    let n = noise(g.seed, u * 1.5, v * 1.5);
    tone(smoothstep(0.5 + 0.15 * g.a, 0.62 + 0.15 * g.a, n))
}

pub(super) fn rosettes(g: &Grain, u: f32, v: f32) -> Spot {
    let n = noise(g.seed, u * 1.4, v * 1.4);
    tone(smoothstep(0.05, 0.12, (n - 0.55 - 0.1 * g.a).abs()) * 0.8 + 0.2 * n)
}

pub(super) fn maze(g: &Grain, u: f32, v: f32) -> Spot {
    // A band of frequencies, cut at its middle: stripes of one width in every direction.
    let n = noise(g.seed, u * 2.0, v * 2.0) + noise(g.seed ^ 5, u * 2.0 + 0.5, v * 2.0 + 0.5);
    let slow = noise(g.seed, u, v) + noise(g.seed ^ 5, u + 0.3, v);
    tone(smoothstep(-0.08, 0.08, n - slow))
}

pub(super) fn speckle(g: &Grain, u: f32, v: f32) -> Spot {
    let fine = 6.0 + 8.0 * g.a;
    let h = hash(g.seed, (u * fine).floor() as i32, (v * fine).floor() as i32);
    tone(if g.b < 0.5 { h } else { smoothstep(0.6, 0.95, h) })
}

pub(super) fn plasma(g: &Grain, u: f32, v: f32) -> Spot {
    tone(0.25 * (wave(u) + wave(v * 1.1 + g.a) + wave(0.7 * (u + v)) + wave(u.hypot(v))))
}

pub(super) fn ripples(g: &Grain, u: f32, v: f32) -> Spot {
    tone(wave(v * 1.5 + (0.5 + g.a) * noise(g.seed, u * 0.8, v * 0.8)).powf(0.5 + 1.5 * g.b))
}

pub(super) fn caustics(g: &Grain, u: f32, v: f32) -> Spot {
    let (du, dv) = (noise(g.seed ^ 1, u, v), noise(g.seed ^ 2, u, v));
    let a = ridge(noise(g.seed, u * 1.3 + du, v * 1.3 + dv));
    let b = ridge(noise(g.seed ^ 7, u * 1.7 - dv, v * 1.7 + du));
    tone((a * b).powf(2.0 + 3.0 * g.a) * 1.3)
}

pub(super) fn stains(g: &Grain, u: f32, v: f32) -> Spot {
    let (du, dv) = (fbm(g.seed ^ 1, u, v, 3), fbm(g.seed ^ 2, u + 5.2, v + 1.3, 3));
    tone(contrast(fbm(g.seed, u + 3.0 * du, v + 3.0 * dv, 3), 1.8))
}

pub(super) fn slope(g: &Grain, u: f32, v: f32) -> Spot {
    tone(0.5 + 0.12 * u + 0.06 * (g.a - 0.5) * v)
}

pub(super) fn glow(g: &Grain, u: f32, v: f32) -> Spot {
    tone((-(u * u + v * v) * (0.02 + 0.1 * g.a)).exp())
}

pub(super) fn rings(g: &Grain, u: f32, v: f32) -> Spot {
    let wobble = g.b * 0.4 * noise(g.seed, u, v);
    tone(wave(u.hypot(v) + wobble).powf(0.5 + 1.5 * g.a))
}

pub(super) fn spiral(g: &Grain, u: f32, v: f32) -> Spot {
    let arms = 1.0 + (3.0 * g.a).floor();
    tone(wave(u.hypot(v) * 0.8 + v.atan2(u) / std::f32::consts::TAU * arms))
}

pub(super) fn rays(g: &Grain, u: f32, v: f32) -> Spot {
    let n = 6.0 + (14.0 * g.a).floor();
    tone(smoothstep(
        0.35,
        0.65,
        wave(v.atan2(u) / std::f32::consts::TAU * n + 0.3 * g.b * noise(g.seed, u, v)),
    ))
}

pub(super) fn whirls(g: &Grain, u: f32, v: f32) -> Spot {
    // Each vortex turns the plane about its own centre; stripes show it.
    let (mut x, mut y) = (u, v);
    for i in 0..3 {
        let (cx, cy) = (4.0 * hash(g.seed, i, 1) - 2.0, 4.0 * hash(g.seed, i, 2) - 2.0);
        let (dx, dy) = (x - cx, y - cy);
        let turn = (3.0 + 3.0 * g.a) * (-(dx * dx + dy * dy) / 1.6).exp();
        let (sin, cos) = turn.sin_cos();
        (x, y) = (cx + dx * cos - dy * sin, cy + dx * sin + dy * cos);
    }
    tone(0.7 * wave(y * 1.5 + 0.4 * noise(g.seed, x, y)) + 0.3 * fbm(g.seed ^ 4, x * 2.0, y * 6.0, 2))
}

fn contrast(x: f32, by: f32) -> f32 {
    (0.5 + (x - 0.5) * by).clamp(0.0, 1.0)
}
