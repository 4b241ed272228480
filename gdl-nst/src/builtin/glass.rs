use gdl_image_io::draw::{Canvas, Rgb, fbm, hash, hex, mix, ramp, smoothstep};
use std::f32::consts::TAU;

/// Pieces to a side.
const PIECES: f32 = 15.0;
/// Half the width of a lead, in cells.
const LEAD: f32 = 0.065;

pub(super) fn paint(canvas: &mut Canvas) {
    canvas.shade(|x, y| {
        // The cells are drawn out along the rays, so the pieces follow the picture.
        let (u, v) = (x * PIECES, y * PIECES);
        let (mut nearest, mut second) = ((f32::MAX, (0.0, 0.0)), (f32::MAX, (0.0, 0.0)));
        for (j, i) in (-2..=2).flat_map(|j| (-2..=2).map(move |i| (j, i))) {
            let (cx, cy) = (u.floor() as i32 + i, v.floor() as i32 + j);
            let site =
                (cx as f32 + 0.08 + 0.84 * hash(101, cx, cy), cy as f32 + 0.08 + 0.84 * hash(102, cx, cy));
            let d = (site.0 - u).hypot(site.1 - v);
            if d < nearest.0 {
                (second, nearest) = (nearest, (d, site));
            } else if d < second.0 {
                second = (d, site);
            }
        }
        let (a, b) = (nearest.1, second.1);
        // The distance from the border between the two nearest sites.
        let apart = (a.0 - b.0).hypot(a.1 - b.1).max(1e-4);
        let border = (second.0 * second.0 - nearest.0 * nearest.0) / (2.0 * apart);
        let site = (a.0 / PIECES, a.1 / PIECES);
        let mut glass = design(site.0, site.1);
        let own = hash(103, (a.0 * 64.0) as i32, (a.1 * 64.0) as i32);
        glass = if own > 0.5 {
            mix(glass, [1.0; 3], (own - 0.5) * 0.5)
        } else {
            mix(glass, [0.0; 3], (0.5 - own) * 0.5)
        };
        // Light through uneven glass: streaks, and brighter towards the middle of a piece.
        let streak = fbm(104, x * 46.0 + 9.0 * own, y * 16.0 + 31.0 * own, 3) - 0.5;
        let light = 0.34 * streak + 0.2 * smoothstep(0.0, 0.5, border) - 0.08;
        glass = if light > 0.0 {
            mix(glass, [1.0, 1.0, 0.92], light)
        } else {
            mix(glass, [0.0, 0.0, 0.05], -light)
        };
        // A lead is a rounded bar: a faint shine along its middle.
        let lead = mix(hex(0x3d3b42), hex(0x121116), smoothstep(0.0, LEAD, border));
        mix(lead, glass, smoothstep(LEAD, LEAD + 0.035, border))
    });
}

/// The colour of a piece by where it sits: a sun with rays over hills and water.
fn design(x: f32, y: f32) -> Rgb {
    let (dx, dy) = (x - 0.5, y - 0.4);
    let distance = dx.hypot(dy);
    let ray = (dy.atan2(dx) / TAU * 12.0).rem_euclid(1.0) < 0.5;
    if y > 0.82 + 0.03 * (TAU * 1.5 * x).sin() {
        let t = ((y * 9.0 + x * 2.0).fract() - 0.1).max(0.0);
        return ramp(&[hex(0x0f3f7a), hex(0x1f7fa8), hex(0x56bdb4)], t);
    }
    if y > 0.63 + 0.07 * (TAU * (0.9 * x + 0.35)).sin() {
        return ramp(
            &[hex(0x1f6b3a), hex(0x5fa23a), hex(0xb7c53f)],
            (y - 0.55) * 2.4 + 0.3 * (x * 3.0).sin(),
        );
    }
    match distance {
        d if d < 0.105 => hex(0xffe05a),
        d if d < 0.17 => hex(0xff9a1f),
        d if ray => ramp(&[hex(0xf2541f), hex(0xd3223a), hex(0x8f1f6a), hex(0x5a2a8a)], (d - 0.17) * 1.9),
        d => ramp(&[hex(0xffc24a), hex(0x6fb7e0), hex(0x2a62b8), hex(0x1d2f7a)], (d - 0.13) * 1.8),
    }
}
