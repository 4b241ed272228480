use super::stroke::{Brush, scattered, stroke};
use gdl_image_io::draw::{Canvas, Rgb, fbm, hex, mix, noise, ramp, smoothstep};
use gdl_kernels::rng::Rng;
use std::f32::consts::{PI, TAU};

const HORIZON: f32 = 0.36;

pub(super) fn paint(canvas: &mut Canvas) {
    let mut rng = Rng::seed(1873);
    canvas.shade(below);
    let brushes = [
        (34, Brush { width: 0.026, length: 0.055, stray: 0.14 }),
        (60, Brush { width: 0.015, length: 0.032, stray: 0.2 }),
    ];
    for (per_side, brush) in brushes {
        for (x, y) in scattered(&mut rng, per_side) {
            // Dabs grow towards the foreground.
            let near = if y > HORIZON { 0.55 + 0.75 * (y - HORIZON) / (1.0 - HORIZON) } else { 0.9 };
            let brush = Brush { width: brush.width * near, length: brush.length * near, ..brush };
            stroke(canvas, &mut rng, (x, y), brush, below(x, y), direction);
        }
    }
    flowers(canvas, &mut rng);
}

fn flowers(canvas: &mut Canvas, rng: &mut Rng) {
    let colors = [hex(0xe0352b), hex(0xf0563a), hex(0xc81f2e), hex(0xf6eee0), hex(0x7a5fc0), hex(0xf5c83c)];
    for (x, y) in scattered(rng, 56) {
        let near = (y - HORIZON - 0.04) / (1.0 - HORIZON);
        let patch = fbm(31, x * 3.0, y * 5.0, 2);
        if near < 0.0 || !rng.chance(f64::from(0.85 * smoothstep(0.38, 0.6, patch))) {
            continue;
        }
        // Mostly poppies.
        let pick = if rng.chance(0.7) { rng.below(3) } else { 3 + rng.below(3) };
        let size = 0.005 + 0.017 * near;
        let brush = Brush { width: size, length: size * 0.8, stray: 0.14 };
        stroke(canvas, rng, (x, y), brush, colors[pick], |x, y| TAU * noise(37, x * 40.0, y * 40.0));
    }
}

fn direction(x: f32, y: f32) -> f32 {
    if y < HORIZON {
        return 0.6 * (fbm(5, x * 4.0, y * 6.0, 2) - 0.5) - 0.25 + TAU * 0.08 * (x * 9.0).sin();
    }
    -PI * 0.5 + 1.1 * (fbm(6, x * 5.0, y * 7.0, 2) - 0.45)
}

fn trees(x: f32) -> f32 {
    HORIZON
        - 0.03
        - 0.15 * smoothstep(0.48, 0.75, fbm(9, x * 3.6 + 1.2, 0.0, 2))
        - 0.02 * noise(10, x * 22.0, 0.0)
}

fn below(x: f32, y: f32) -> Rgb {
    if y > HORIZON {
        let near = (y - HORIZON) / (1.0 - HORIZON);
        let greens = [hex(0x2f5a34), hex(0x5f8c3a), hex(0x9db54a), hex(0xd9cf6a)];
        let light = fbm(15, x * 4.0, y * 9.0, 3) * 1.15 - 0.1 - 0.15 * near;
        return mix(ramp(&greens, light), hex(0xb9c47a), 0.55 * (1.0 - smoothstep(0.0, 0.2, near)));
    }
    let top = trees(x);
    if y > top {
        let leaves = [hex(0x1f3f4a), hex(0x356a4a), hex(0x6f9a4c)];
        return ramp(&leaves, 1.1 - (y - top) / 0.14 + 0.5 * (noise(16, x * 26.0, y * 26.0) - 0.5));
    }
    let blues = [hex(0x5d93d0), hex(0x8fbbe2), hex(0xcfe0e6)];
    let cloud = smoothstep(0.5, 0.68, fbm(21, x * 3.0, y * 6.0, 3));
    let shade = mix(hex(0xfdf6e6), hex(0xb9b5cf), smoothstep(0.5, 0.8, fbm(22, x * 4.0, y * 8.0 + 0.3, 2)));
    mix(ramp(&blues, y / HORIZON), shade, cloud)
}
