use gdl_image_io::draw::{Canvas, Rgb, fbm, hex, mix, noise, smoothstep};
use std::f32::consts::TAU;

const PAPER: Rgb = hex(0xf1e4c6);
const INK: Rgb = hex(0x1d2238);
const INDIGO: Rgb = hex(0x35608c);
const PALE: Rgb = hex(0x9cc0c4);
const VERMILION: Rgb = hex(0xd2492f);
const OCHRE: Rgb = hex(0xdfa94a);

/// Crests of the sea, far to near: height, size of the waves, how many, phase.
const WAVES: [(f32, f32, f32, f32); 5] = [
    (0.5, 0.02, 3.2, 0.1),
    (0.58, 0.035, 2.3, 0.55),
    (0.67, 0.05, 1.8, 0.2),
    (0.77, 0.06, 1.4, 0.75),
    (0.9, 0.06, 1.1, 0.35),
];

fn crest(&(base, size, count, phase): &(f32, f32, f32, f32), x: f32) -> f32 {
    // Sharp tops, round troughs.
    let wave = (TAU * 0.5 * (count * x + phase)).sin().abs();
    base - size * (1.0 - wave).powf(1.4) * 1.7
}

pub(super) fn paint(canvas: &mut Canvas) {
    canvas.shade(|x, y| {
        let print = print(x, y);
        // Paper shows through where the block did not take the ink, along the grain of the wood.
        let grain = fbm(61, x * 5.0, y * 90.0, 2);
        let worn = smoothstep(0.66, 0.8, grain) * 0.35;
        mix(mix(print, PAPER, worn), [0.45, 0.35, 0.2], 0.08 * (noise(62, x * 180.0, y * 180.0)))
    });
}

/// Lines across a phase, `tone` of which is ink: thin where it is light, thick where it is dark. They end in points.
fn lines(phase: f32, tone: f32) -> f32 {
    let distance = (phase.rem_euclid(1.0) - 0.5).abs() * 2.0;
    smoothstep(0.0, 0.24, tone * 1.16 - distance)
}

fn print(x: f32, y: f32) -> Rgb {
    for (i, wave) in WAVES.iter().enumerate().rev() {
        let top = crest(wave, x);
        if y > top {
            return sea(i, wave, x, y, y - top);
        }
    }
    sky(x, y)
}

fn sea(i: usize, wave: &(f32, f32, f32, f32), x: f32, y: f32, depth: f32) -> Rgb {
    let near = i as f32 / 4.0;
    let scale = 0.6 + 0.7 * near;
    let foam = 0.016 * scale * (0.6 + 0.9 * noise(70 + i as u32, x * 34.0, 0.0));
    if depth < 0.0045 * scale {
        return INK;
    }
    if depth < foam {
        return PAPER;
    }
    let body = mix(PALE, INDIGO, smoothstep(0.0, 0.1 * scale, depth - foam) * 0.8 + 0.2 * near);
    // Carved lines run along the crest and sink away from it.
    let slope = crest(wave, x + 0.01) - crest(wave, x - 0.01);
    let bend = 0.01 * (fbm(80 + i as u32, x * 6.0, y * 6.0, 2) - 0.5);
    let phase = (depth + bend) / (0.0135 * scale);
    let tone = 0.2
        + 0.35 * smoothstep(0.0, 0.14, depth)
        + slope.abs() * 3.0
        + 0.5 * (noise(90, x * 9.0, y * 14.0) - 0.5);
    mix(body, INK, lines(phase, tone.clamp(0.0, 0.8)))
}

fn sky(x: f32, y: f32) -> Rgb {
    let (dx, dy) = (x - 0.68, y - 0.24);
    let distance = dx.hypot(dy);
    if distance < 0.115 {
        let tone = 0.1 + 0.55 * smoothstep(-0.02, 0.115, dy);
        return if distance > 0.109 {
            INK
        } else {
            mix(VERMILION, INK, 0.75 * lines(y / 0.012, tone - 0.15))
        };
    }
    if let Some(color) = mountain(x, y) {
        return color;
    }
    let glow = smoothstep(0.1, 0.5, y);
    let ground = mix(
        mix(PAPER, PALE, 0.75 * (1.0 - smoothstep(0.0, 0.22, y))),
        OCHRE,
        0.75 * glow * smoothstep(0.55, 0.15, distance),
    );
    // Clouds of winding lines.
    let drift = fbm(65, x * 2.2, y * 5.0, 3);
    let tone = 0.75 * smoothstep(0.5, 0.72, drift) * (1.0 - 0.6 * glow);
    let phase = (y + 0.06 * fbm(66, x * 3.0, y * 3.0, 2)) / 0.0125;
    mix(ground, mix(INDIGO, INK, 0.45), lines(phase, tone - 0.02))
}

fn mountain(x: f32, y: f32) -> Option<Rgb> {
    let across = (x - 0.27).abs();
    let top = 0.2 + across.powf(0.82) * 1.05 + 0.008 * (noise(67, x * 30.0, 1.0) - 0.5);
    let depth = y - top;
    if depth < 0.0 {
        return None;
    }
    if depth < 0.005 {
        return Some(INK);
    }
    let snow = 0.33 + 0.05 * (noise(68, x * 26.0, 2.0) - 0.5);
    if y < snow {
        let tone = if x > 0.27 { 0.35 } else { 0.05 };
        return Some(mix(PAPER, INDIGO, lines((x - 0.27 - 0.5 * (y - 0.2)) / 0.012, tone)));
    }
    let tone = 0.25
        + 0.4 * smoothstep(-0.02, 0.05, x - 0.27 - 0.2 * (y - 0.2))
        + 0.3 * (fbm(69, x * 9.0, y * 9.0, 2) - 0.5);
    let lean = if x > 0.27 { 1.0 } else { -1.0 };
    Some(mix(
        mix(INDIGO, PALE, smoothstep(0.34, 0.5, y) * 0.7),
        INK,
        lines((x - lean * 0.55 * y) / 0.012, tone),
    ))
}
