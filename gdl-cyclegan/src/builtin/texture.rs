use super::layout::{Cloud, Hill, Mountain, Scene};
use gdl_image_io::draw::{fbm, noise, smoothstep};
use std::f32::consts::TAU;

// The texture of each class of objects: a number in [0, 1] at every place, the same in both domains. The look turns it
// into a colour.

fn wave(x: f32) -> f32 {
    0.5 + 0.5 * (TAU * x).sin()
}

pub(super) fn sky(s: &Scene, x: f32, y: f32) -> f32 {
    let horizon = s.hills.first().map_or(0.6, |h| h.base);
    let to_sun = ((x - s.sun.x).powi(2) + (y - s.sun.y).powi(2)).sqrt();
    let glow = 0.28 * (-(to_sun / 0.2).powi(2)).exp();
    (y / (horizon + 0.02) * 0.86 + glow + 0.1 * (fbm(s.grain, x * 2.0, y * 6.0, 2) - 0.5)).clamp(0.0, 1.0)
}

pub(super) fn sun(s: &Scene, x: f32, y: f32) -> f32 {
    (0.5 + 0.5 * (y - s.sun.y) / s.sun.radius + 0.1 * (x - s.sun.x) / s.sun.radius).clamp(0.0, 1.0)
}

pub(super) fn cloud(c: &Cloud, grain: u32, x: f32, y: f32) -> f32 {
    let down = (y - c.top) / (c.bottom - c.top);
    (down + 0.3 * (noise(grain ^ 5, x * 9.0, y * 14.0) - 0.5)).clamp(0.0, 1.0)
}

pub(super) fn mountain(m: &Mountain, grain: u32, x: f32, y: f32) -> f32 {
    let down = ((y - m.peak.1) / (m.foot - m.peak.1)).clamp(0.0, 1.0);
    // The fold between the lit and the dark side zigzags down from the peak.
    let zigzag = 0.03 * (noise(grain ^ 11, m.peak.0 * 7.0, y * 18.0) - 0.5) * down.sqrt() * 3.0;
    let fold = m.peak.0 + (m.fold - m.peak.0) * down + zigzag;
    let dark = smoothstep(-0.012, 0.012, x - fold);
    (0.15 + 0.62 * dark + 0.22 * wave((y + 0.6 * x) * 13.0) * dark + 0.12 * down).clamp(0.0, 1.0)
}

/// The snow on a peak: down to where, at this place.
pub(super) fn snow_line(m: &Mountain, grain: u32, x: f32) -> f32 {
    let height = m.foot - m.peak.1;
    m.peak.1 + height * (0.24 + 0.14 * (noise(grain ^ 13, x * 22.0, m.peak.0 * 9.0) - 0.5))
}

pub(super) fn hill(h: &Hill, grain: u32, layer: usize, x: f32, y: f32) -> f32 {
    let depth = y - h.ridge(x);
    let bent = depth + 0.05 * (noise(grain ^ 17, x * 3.0, y * 3.0) - 0.5) + 0.18 * h.lean * (x - 0.5);
    let stripe = smoothstep(0.25, 0.75, wave(bent * h.stripes));
    // Light along the ridge.
    let rim = 1.0 - smoothstep(0.0, 0.05, depth);
    let patches = fbm(grain.wrapping_add(layer as u32), x * 5.0, y * 8.0, 2);
    (0.62 * stripe + 0.3 * patches + 0.35 * rim).clamp(0.0, 1.0)
}

pub(super) fn water(grain: u32, x: f32, y: f32) -> f32 {
    let ripple = wave(y * 15.0 + 1.6 * noise(grain ^ 23, x * 5.0, y * 3.0));
    (0.25 + 0.6 * smoothstep(0.35, 0.8, ripple)).clamp(0.0, 1.0)
}

pub(super) fn path(grain: u32, x: f32, y: f32) -> f32 {
    fbm(grain ^ 29, x * 10.0, y * 14.0, 2)
}

/// `across` and `down` run over the crown from -1 to 1.
pub(super) fn leaves(grain: u32, across: f32, down: f32, x: f32, y: f32) -> f32 {
    let shade = 0.5 + 0.3 * across + 0.35 * down;
    (shade + 0.7 * (noise(grain ^ 31, x * 20.0, y * 20.0) - 0.5)).clamp(0.0, 1.0)
}

/// Boards or tiles: `rows` per height, counted from the foot.
pub(super) fn rows(across: f32, down: f32, rows: f32) -> f32 {
    (0.3 + 0.25 * across + 0.5 * smoothstep(0.3, 0.7, wave(down * rows))).clamp(0.0, 1.0)
}
