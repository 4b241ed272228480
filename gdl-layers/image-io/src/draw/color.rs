/// Red, green and blue in [0, 1], as displayed (sRGB).
pub type Rgb = [f32; 3];

/// A colour and its opacity in [0, 1]; the colour is not multiplied by it.
pub type Rgba = [f32; 4];

/// A colour as `0xRRGGBB`.
pub const fn hex(code: u32) -> Rgb {
    [((code >> 16) & 0xff) as f32 / 255.0, ((code >> 8) & 0xff) as f32 / 255.0, (code & 0xff) as f32 / 255.0]
}

/// A colour by hue (in turns, any value), saturation and value (in [0, 1]).
pub fn hsv(hue: f32, saturation: f32, value: f32) -> Rgb {
    let turn = hue.rem_euclid(1.0) * 6.0;
    [5.0, 3.0, 1.0].map(|n: f32| {
        let k = (n + turn) % 6.0;
        value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

/// `a` at 0, `b` at 1, in between linearly; `t` is clamped.
pub fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    let t = t.clamp(0.0, 1.0);
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

/// Colours spread evenly over [0, 1], linear in between; black if there are none.
pub fn ramp(stops: &[Rgb], t: f32) -> Rgb {
    let place = t.clamp(0.0, 1.0) * stops.len().saturating_sub(1) as f32;
    let (i, rest) = (place as usize, place.fract());
    match (stops.get(i), stops.get(i + 1)) {
        (Some(&a), Some(&b)) => mix(a, b, rest),
        (Some(&a), None) => a,
        _ => [0.0; 3],
    }
}

/// 0 below `low`, 1 above `high`, smooth in between.
pub fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A colour with an opacity.
pub fn with_alpha(color: Rgb, alpha: f32) -> Rgba {
    [color[0], color[1], color[2], alpha]
}

/// The paint that is the same everywhere, opaque.
pub fn flat(color: Rgb) -> impl Fn(f32, f32) -> Rgba {
    move |_, _| with_alpha(color, 1.0)
}
