use super::stroke::{Brush, scattered, stroke};
use gdl_image_io::draw::{Canvas, Rgb, fbm, hex, mix, noise, ramp, smoothstep};
use gdl_kernels::rng::Rng;
use std::f32::consts::{PI, TAU};

/// Where the sky turns: place, reach and strength (its sign is the sense).
const WHIRLS: [(f32, f32, f32, f32); 4] =
    [(0.42, 0.36, 0.17, 1.6), (0.66, 0.47, 0.11, -1.5), (0.14, 0.55, 0.11, 1.2), (0.93, 0.62, 0.1, 1.1)];

/// Lights: place and radius; the first is the moon.
const LIGHTS: [(f32, f32, f32); 9] = [
    (0.83, 0.16, 0.075),
    (0.12, 0.12, 0.036),
    (0.3, 0.17, 0.03),
    (0.55, 0.11, 0.034),
    (0.17, 0.36, 0.03),
    (0.62, 0.27, 0.026),
    (0.9, 0.42, 0.03),
    (0.38, 0.6, 0.024),
    (0.72, 0.6, 0.022),
];

/// Where the field begins.
fn land(x: f32) -> f32 {
    0.74 + 0.035 * (TAU * (0.8 * x + 0.1)).sin() + 0.012 * (TAU * (2.1 * x + 0.4)).sin()
}

pub(super) fn paint(canvas: &mut Canvas) {
    let mut rng = Rng::seed(1889);
    canvas.shade(below);
    let brushes = [
        (30, Brush { width: 0.03, length: 0.15, stray: 0.14 }),
        (52, Brush { width: 0.018, length: 0.1, stray: 0.18 }),
        (78, Brush { width: 0.0105, length: 0.065, stray: 0.22 }),
    ];
    for (per_side, brush) in brushes {
        for (x, y) in scattered(&mut rng, per_side) {
            let mut color = below(x, y);
            // Complementary touches keep large areas alive.
            if y < land(x) && rng.chance(0.05) {
                color = mix(color, hex(0xe8c35a), 0.55);
            } else if y > land(x) && rng.chance(0.12) {
                color = mix(color, hex(0xb8402c), 0.75);
            }
            stroke(canvas, &mut rng, (x, y), brush, color, direction);
        }
    }
}

/// The direction of the brush at a place.
fn direction(x: f32, y: f32) -> f32 {
    if y > land(x) {
        // Stalks lean in the wind.
        return -PI * 0.5 + 0.55 * (noise(7, x * 4.0, y * 6.0) - 0.2);
    }
    let drift = 0.35 * (TAU * (1.1 * x + 0.6 * y)).sin() + 0.5 * (fbm(3, x * 2.2, y * 2.2, 2) - 0.5);
    let (mut vx, mut vy) = (drift.cos() * 0.6, drift.sin() * 0.6);
    let turns = WHIRLS.iter().copied().chain(LIGHTS.iter().map(|&(x, y, r)| (x, y, r * 1.9, 2.4)));
    for (cx, cy, reach, strength) in turns {
        let (dx, dy) = (x - cx, y - cy);
        let distance = dx.hypot(dy).max(1e-4);
        let weight = strength * (-(distance / reach).powi(2)).exp();
        // Round the centre, and a little inwards.
        vx += weight * (-dy - 0.25 * dx) / distance;
        vy += weight * (dx - 0.25 * dy) / distance;
    }
    vy.atan2(vx)
}

/// The colour that a stroke beginning here takes.
fn below(x: f32, y: f32) -> Rgb {
    let edge = land(x);
    if y > edge {
        let near = (y - edge) / (1.0 - edge);
        let gold = [hex(0x8a6a24), hex(0xc98f2b), hex(0xe9b93f), hex(0xf3d673)];
        let furrow = 0.5 + 0.5 * (TAU * (x * 5.0 + near * 1.5)).sin();
        let shade = 0.55 * fbm(19, x * 7.0, y * 9.0, 2) + 0.3 * furrow + 0.25 * near - 0.1;
        return mix(ramp(&gold, shade), hex(0x2c4a4a), 0.75 * (1.0 - smoothstep(0.0, 0.12, near)));
    }
    let blues = [hex(0x0b1f4f), hex(0x173d86), hex(0x2f66b3), hex(0x5a9cc4), hex(0xa9d0c8)];
    // The arms of a whirl wind round its centre.
    let mut value = 0.12 + 0.62 * fbm(41, x * 2.6, y * 3.4, 3) + 0.16 * (y / edge);
    for (cx, cy, reach, strength) in WHIRLS {
        let (dx, dy) = (x - cx, y - cy);
        let distance = dx.hypot(dy);
        let arm = (dy.atan2(dx) * strength.signum() + distance / reach * 5.0).sin();
        value += 0.3 * arm * (-(distance / reach / 1.15).powi(2)).exp();
    }
    let mut color = ramp(&blues, value);
    for (i, (cx, cy, r)) in LIGHTS.into_iter().enumerate() {
        let distance = (x - cx).hypot(y - cy) / r;
        let rings = 0.5 + 0.5 * (distance * 4.2).cos();
        let halo = (-(distance / 2.3).powi(2)).exp() * (0.55 + 0.45 * rings);
        color = mix(color, hex(0xf2cf4e), (halo * 1.15).min(0.96));
        let core = if i == 0 { hex(0xffd95c) } else { hex(0xfff3c0) };
        color = mix(color, core, 1.0 - smoothstep(0.75, 1.1, distance));
    }
    color
}
