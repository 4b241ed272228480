use super::drawn;
use candle_core::{Result, Tensor};
use gdl_image_io::draw::{
    Canvas, Rgb, Shape, fbm, flat, hash, hex, mix, noise, ramp, smoothstep, with_alpha,
};
use std::f32::consts::TAU;

// One unit is the width; the height is three quarters.
const HEIGHT: f32 = 0.75;
const SEA: f32 = 0.43;
const QUAY: f32 = 0.475;
const LIGHT: (f32, f32) = (0.8, 0.165);

/// The content picture: a harbour in the late afternoon, with a row of gabled houses, a lighthouse on its cliff, sailing
/// boats, mountains in the haze, and everything mirrored in the water.
///
/// # Shape
/// (3, round(3/4 size), size), in [0, 1], f32 on the CPU.
///
/// # Errors
/// When `size` is 0.
pub fn content(size: usize) -> Result<Tensor> {
    let height = ((size as f32 * HEIGHT).round() as usize).max(size.min(1));
    drawn(height, size, |canvas| {
        sky(canvas);
        mountains(canvas);
        cliff(canvas);
        lighthouse(canvas);
        houses(canvas);
        water(canvas);
        boat(canvas, (0.47, 0.545), 0.19, hex(0xf7f1e3));
        boat(canvas, (0.62, 0.462), 0.062, hex(0xe9d9c0));
        shore(canvas);
    })
}

fn sky(canvas: &mut Canvas) {
    canvas.shade(|x, y| {
        let blues = [hex(0x3f78b8), hex(0x7fb0d8), hex(0xd6dcd2), hex(0xf6d9a8)];
        let mut color = ramp(&blues, y / SEA);
        // A low sun behind the mountains on the left.
        let sun = (x - 0.34).hypot((y - 0.3) * 1.1);
        color = mix(color, hex(0xffe7ae), 0.8 * (-(sun / 0.2).powi(2)).exp());
        color = mix(color, hex(0xfffae8), 1.0 - smoothstep(0.036, 0.039, sun));
        let cloud = smoothstep(0.43, 0.66, fbm(3, x * 3.2 + 0.4, y * 8.0, 4)) * smoothstep(SEA, 0.18, y);
        let lit =
            mix(hex(0xffffff), hex(0xc3b6c6), smoothstep(0.45, 0.7, fbm(4, x * 3.2, y * 9.0 + 0.35, 3)));
        mix(color, lit, 0.85 * cloud)
    });
}

fn mountains(canvas: &mut Canvas) {
    let layers = [
        (0.27, 0.17, hex(0xa9b6cc), 2.4, 21),
        (0.34, 0.13, hex(0x7d93ad), 3.4, 22),
        (0.395, 0.07, hex(0x5b7a7f), 5.0, 23),
    ];
    for (base, size, color, zoom, seed) in layers {
        let ridge = |x: f32| {
            let rough = fbm(seed, x * zoom, 0.5, 4);
            // Folding the noise makes peaks.
            base + size * (1.0 - 2.2 * (0.5 - (rough - 0.5).abs() * 1.9).max(0.0))
        };
        let mut outline: Vec<(f32, f32)> =
            (0..=160).map(|i| (i as f32 / 160.0, ridge(i as f32 / 160.0))).collect();
        outline.extend([(1.0, SEA), (0.0, SEA)]);
        canvas.fill(&Shape::polygon(&outline), |x, y| {
            let slope = ridge(x + 0.004) - ridge(x - 0.004);
            let depth = y - ridge(x);
            let light = (-slope * 9.0).clamp(-0.3, 0.3) * (1.0 - smoothstep(0.0, 0.1, depth));
            let rock = 0.16 * (fbm(seed + 9, x * 22.0 + y * 9.0, y * 16.0, 3) - 0.5);
            let haze = smoothstep(0.0, SEA - base, depth);
            with_alpha(mix(tone(color, light + rock), hex(0xdccfb8), 0.5 * haze), 1.0)
        });
    }
}

/// Lighter or darker.
fn tone(color: Rgb, amount: f32) -> Rgb {
    mix(color, if amount > 0.0 { hex(0xfff6e0) } else { hex(0x14182c) }, amount.abs())
}

fn cliff(canvas: &mut Canvas) {
    let outline = [
        (1.02, 0.25),
        (0.93, 0.262),
        (0.87, 0.28),
        (0.8, 0.285),
        (0.745, 0.3),
        (0.728, 0.33),
        (0.735, 0.36),
        (0.71, 0.385),
        (0.69, 0.42),
        (0.66, 0.447),
        (1.02, 0.46),
    ];
    canvas.fill(&Shape::polygon(&outline), |x, y| {
        let strata = (TAU * (y * 26.0 + 2.5 * fbm(41, x * 6.0, y * 4.0, 2))).sin();
        let cracks = fbm(42, x * 40.0, y * 14.0, 3) - 0.5;
        let rock = tone(hex(0x9c8468), 0.1 * strata + 0.55 * cracks - 0.25 * smoothstep(0.3, 0.46, y));
        let lit = tone(rock, 0.2 * smoothstep(0.86, 0.68, x));
        // Grass on top.
        let grass = mix(hex(0x5d7f3c), hex(0x94a850), fbm(43, x * 26.0, y * 40.0, 2));
        let edge = 0.306 - 0.05 * smoothstep(0.78, 1.0, x) + 0.02 * (noise(44, x * 34.0, 0.0) - 0.5);
        with_alpha(mix(grass, lit, smoothstep(edge, edge + 0.008, y)), 1.0)
    });
    // The keeper's house.
    canvas.fill(&Shape::rect(0.87, 0.232, 0.075, 0.042), |x, _| {
        with_alpha(tone(hex(0xefe6d4), -2.2 * (x - 0.89)), 1.0)
    });
    let roof = [(0.862, 0.234), (0.88, 0.205), (0.935, 0.205), (0.953, 0.234)];
    canvas.fill(&Shape::polygon(&roof), |_, y| with_alpha(tone(hex(0xb5523c), 4.0 * (0.225 - y)), 1.0));
    for x in [0.88, 0.903, 0.926] {
        canvas.fill(&Shape::rect(x, 0.244, 0.01, 0.014), flat(hex(0x3d4c60)));
    }
}

fn lighthouse(canvas: &mut Canvas) {
    let (x, top) = LIGHT;
    let (foot, wide, narrow) = (0.292, 0.023, 0.0145);
    let half = |y: f32| narrow + (wide - narrow) * (y - top) / (foot - top);
    let tower = [(x - narrow, top), (x + narrow, top), (x + wide, foot), (x - wide, foot)];
    canvas.fill(&Shape::polygon(&tower), |px, y| {
        let band = ((y - top) / (foot - top) * 5.0) as i32 % 2 == 0;
        let round = (px - x) / half(y);
        let color = if band { hex(0xf8f2e6) } else { hex(0xc73a32) };
        with_alpha(tone(color, 0.1 - 0.5 * smoothstep(-0.4, 1.0, round)), 1.0)
    });
    canvas.fill(&Shape::rect(x - 0.021, top - 0.006, 0.042, 0.008), flat(hex(0x2c2f3c)));
    canvas.fill(&Shape::rect(x - 0.0105, top - 0.033, 0.021, 0.028), |px, _| {
        with_alpha(mix(hex(0xfff2b0), hex(0xf0b850), ((px - x) / 0.0105).abs()), 1.0)
    });
    canvas.stroke(&Shape::polyline(&[(x, top - 0.033), (x, top - 0.005)]), 0.0025, flat(hex(0x2c2f3c)));
    let dome = [
        (x - 0.015, top - 0.032),
        (x - 0.009, top - 0.047),
        (x, top - 0.054),
        (x + 0.009, top - 0.047),
        (x + 0.015, top - 0.032),
    ];
    canvas.fill(&Shape::polygon(&dome), flat(hex(0xa63029)));
    for y in [0.2, 0.245] {
        canvas.fill(&Shape::rect(x - 0.004, y, 0.008, 0.013), flat(hex(0x39404f)));
    }
}

fn houses(canvas: &mut Canvas) {
    // The quay.
    canvas.fill(&Shape::polygon(&[(-0.02, 0.44), (0.407, 0.452), (0.417, QUAY), (-0.02, QUAY)]), |x, y| {
        let stones = hash(51, (x * 70.0) as i32 + ((y * 120.0) as i32 % 2) * 40, (y * 120.0) as i32);
        with_alpha(tone(hex(0x8f8578), 0.3 * (stones - 0.5) - 0.2 * smoothstep(0.45, QUAY, y)), 1.0)
    });
    // Left edge, width, height of the wall and colour.
    let row: [(f32, f32, f32, u32); 7] = [
        (-0.015, 0.066, 0.15, 0xc8553d),
        (0.051, 0.056, 0.175, 0xe8c16a),
        (0.107, 0.062, 0.135, 0x6f97a8),
        (0.169, 0.052, 0.165, 0xefe3cf),
        (0.221, 0.064, 0.125, 0xd98a5b),
        (0.285, 0.05, 0.15, 0x87a27c),
        (0.335, 0.056, 0.115, 0xb5676c),
    ];
    for (i, &(left, width, height, color)) in row.iter().enumerate() {
        house(canvas, i, left, width, height, hex(color));
    }
}

fn house(canvas: &mut Canvas, i: usize, left: f32, width: f32, height: f32, color: Rgb) {
    let foot = 0.442 + 0.03 * left;
    let top = foot - height;
    let gable = width * [0.62, 0.5, 0.75, 0.55][i % 4];
    let front = Shape::polygon(&[
        (left, foot),
        (left, top),
        (left + width / 2.0, top - gable),
        (left + width, top),
        (left + width, foot),
    ]);
    canvas.fill(&front, |x, y| {
        let plaster = 0.14 * (fbm(60 + i as u32, x * 60.0, y * 60.0, 2) - 0.5);
        with_alpha(tone(color, plaster + 0.12 - 0.25 * (x - left) / width - 0.3 * (y - top - 0.06)), 1.0)
    });
    let roof = hex([0x7d3b33, 0x4d4656, 0x8a4a36][i % 3]);
    let slopes =
        [(left - 0.004, top + 0.004), (left + width / 2.0, top - gable), (left + width + 0.004, top + 0.004)];
    canvas.stroke(&Shape::polyline(&slopes), 0.0095, flat(roof));
    let columns = if width > 0.055 { 3 } else { 2 };
    let floors = (height / 0.042) as usize;
    for (row, column) in (0..floors).flat_map(|r| (0..columns).map(move |c| (r, c))) {
        let w = width / columns as f32;
        let (x, y) = (left + w * (column as f32 + 0.5), top + 0.008 + row as f32 * 0.04);
        if row + 1 == floors && column == i % columns {
            canvas.fill(&Shape::rect(x - 0.0065, foot - 0.032, 0.013, 0.032), flat(tone(roof, -0.3)));
            continue;
        }
        canvas.fill(&Shape::rect(x - 0.0068, y - 0.0015, 0.0136, 0.023), flat(hex(0xf4ead6)));
        // Some windows are lit already.
        let lit = hash(71, i as i32 * 8 + row as i32, column as i32) > 0.68;
        let pane = if lit { hex(0xffd878) } else { hex(0x3b4a60) };
        canvas.fill(&Shape::rect(x - 0.005, y, 0.01, 0.02), |_, py| {
            with_alpha(tone(pane, 6.0 * (y + 0.012 - py)), 1.0)
        });
    }
}

/// The sea mirrors what is above its edge, broken by ripples that grow towards the viewer.
fn water(canvas: &mut Canvas) {
    let above = canvas.clone();
    let edge = |x: f32| if x < 0.415 { QUAY } else { SEA + 0.022 * smoothstep(0.64, 0.72, x) };
    let basin = [
        (-0.02, QUAY),
        (0.415, QUAY),
        (0.415, SEA),
        (0.64, SEA),
        (0.72, 0.452),
        (1.02, 0.457),
        (1.02, 0.8),
        (-0.02, 0.8),
    ];
    canvas.fill(&Shape::polygon(&basin), |x, y| {
        let near = ((y - SEA) / (HEIGHT - SEA)).clamp(0.0, 1.0);
        // Perspective: ripples lie closer together far away.
        let row = (0.05 + near).ln() * 9.0;
        let ripple = fbm(81, x * (16.0 - 9.0 * near), row * 4.0, 3) - 0.5;
        let sway = ripple * (0.012 + 0.05 * near);
        let mirror = edge(x) - (y - edge(x)) * 0.95 + sway * 1.4;
        let seen = above.at((x + sway).clamp(0.0, 0.999), mirror.max(0.0));
        let own = ramp(&[hex(0x6f9cae), hex(0x2f6a86), hex(0x17445f)], near * 1.1);
        let mut color = mix(seen, own, 0.3 + 0.42 * near);
        // The path of the sun.
        let path =
            (-((x - 0.34 - sway) / (0.03 + 0.07 * near)).powi(2)).exp() * smoothstep(0.0, 0.06, y - QUAY);
        color = mix(color, hex(0xffe2a0), 0.6 * path * smoothstep(0.0, 0.2, ripple + 0.06));
        let crest = smoothstep(0.13, 0.25, ripple) * (0.2 + 0.3 * near);
        with_alpha(mix(color, hex(0xd8e6e4), crest), 1.0)
    });
}

fn boat(canvas: &mut Canvas, (x, y): (f32, f32), size: f32, sail: Rgb) {
    let at = |dx: f32, dy: f32| (x + dx * size, y + dy * size);
    // The mirrored sail first.
    let mirrored = [at(0.02, 0.14), at(0.36, 0.2), at(0.04, 0.85)];
    canvas.fill(&Shape::polygon(&mirrored), |px, py| {
        let broken = smoothstep(0.4, 0.6, noise(91, px * 20.0, py * 110.0));
        with_alpha(sail, 0.4 * broken * (1.0 - (py - y) / size))
    });
    let hull = [at(-0.42, -0.03), at(0.44, -0.03), at(0.33, 0.1), at(-0.3, 0.1)];
    canvas.fill(&Shape::polygon(&hull), |_, py| {
        with_alpha(mix(hex(0x7a2f2a), hex(0x3a1a20), (py - y) / size * 9.0), 1.0)
    });
    canvas.stroke(
        &Shape::polyline(&[at(-0.42, -0.03), at(0.44, -0.03)]),
        0.014 * size / 0.19,
        flat(hex(0xf0e2c8)),
    );
    canvas.stroke(
        &Shape::polyline(&[at(0.0, -0.02), at(0.0, -1.08)]),
        0.005 * size / 0.19,
        flat(hex(0x4a3326)),
    );
    let main = Shape::blob(&[
        at(0.03, -1.0),
        at(0.22, -0.6),
        at(0.42, -0.12),
        at(0.2, -0.09),
        at(0.03, -0.1),
        at(0.03, -0.5),
    ]);
    canvas.fill(&main, |px, py| {
        let fold = (TAU * ((py - y) / size * 3.5 + (px - x) / size)).sin() * 0.04;
        with_alpha(tone(sail, fold - 0.8 * ((px - x) / size - 0.05).max(0.0)), 1.0)
    });
    let jib = [at(-0.04, -0.92), at(-0.4, -0.08), at(-0.04, -0.14)];
    canvas.fill(&Shape::polygon(&jib), |px, _| {
        with_alpha(mix(hex(0xd8653f), hex(0xb23f34), (px - x) / size * -2.0), 1.0)
    });
}

/// Dark rocks and grass in the foreground give depth.
fn shore(canvas: &mut Canvas) {
    let outline = [
        (0.52, 0.76),
        (0.6, 0.728),
        (0.66, 0.735),
        (0.7, 0.69),
        (0.76, 0.672),
        (0.8, 0.69),
        (0.85, 0.645),
        (0.92, 0.628),
        (0.96, 0.6),
        (1.02, 0.585),
        (1.02, 0.76),
    ];
    canvas.fill(&Shape::blob(&outline), |x, y| {
        let facets = fbm(95, x * 14.0 + y * 6.0, y * 18.0, 3) - 0.5;
        with_alpha(tone(hex(0x4c4246), 0.9 * facets + 0.1 - 1.2 * (y - 0.68)), 1.0)
    });
    for i in 0..90 {
        let r = |k: i32| hash(97, i, k);
        let (x, size) = (0.8 + 0.21 * r(0), 0.03 + 0.04 * r(1));
        let y = 0.76 - 0.06 * r(2) * smoothstep(0.8, 1.0, x);
        let tip = (x + 0.02 * (r(3) - 0.6), y - size);
        let blade = Shape::curve(&[(x, y), (x + 0.003, y - size * 0.6), tip]);
        canvas.stroke(&blade, 0.0028, flat(mix(hex(0x3d5a30), hex(0xa8a04a), r(4))));
    }
}
