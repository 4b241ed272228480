use gdl_image_io::draw::{Canvas, Rgb, Shape, mix, with_alpha};
use gdl_kernels::rng::Rng;

/// A brush: how its strokes are laid and what they look like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brush {
    /// In units, as `length`.
    pub(super) width: f32,
    pub(super) length: f32,
    /// How far value and hue stray from the colour below, in [0, 1].
    pub(super) stray: f32,
}

fn range(rng: &mut Rng, low: f32, high: f32) -> f32 {
    rng.range(f64::from(low), f64::from(high)) as f32
}

/// One stroke from a place on along a field of directions (angles), with bristles: lighter and darker hairs beside its
/// middle, as thick paint shows them.
pub(super) fn stroke(
    canvas: &mut Canvas,
    rng: &mut Rng,
    start: (f32, f32),
    brush: Brush,
    color: Rgb,
    field: impl Fn(f32, f32) -> f32,
) {
    const STEPS: usize = 7;
    let length = brush.length * range(rng, 0.6, 1.3);
    let width = brush.width * range(rng, 0.7, 1.25);
    let color = stray(rng, color, brush.stray);
    let (mut x, mut y) = start;
    let mut spine = Vec::with_capacity(STEPS + 1);
    for _ in 0..=STEPS {
        let angle = field(x, y);
        spine.push((x, y, angle));
        x += angle.cos() * length / STEPS as f32;
        y += angle.sin() * length / STEPS as f32;
    }
    let beside = |offset: f32| -> Vec<(f32, f32)> {
        spine.iter().map(|&(x, y, a)| (x - a.sin() * offset, y + a.cos() * offset)).collect()
    };
    canvas.stroke(&Shape::curve(&beside(0.0)), width, |_, _| with_alpha(color, 0.94));
    // Light falls from above: hairs on the upper side are lighter.
    for (place, tone) in [(-0.3, 0.2), (0.32, -0.17), (range(rng, -0.2, 0.2), range(rng, -0.12, 0.14))] {
        let hair = lighten(color, tone * range(rng, 0.4, 1.2));
        let alpha = range(rng, 0.45, 0.85);
        canvas.stroke(&Shape::curve(&beside(place * width)), width * 0.22, |_, _| with_alpha(hair, alpha));
    }
}

/// Towards white for a positive amount, towards black for a negative one.
pub(super) fn lighten(color: Rgb, amount: f32) -> Rgb {
    let goal = if amount > 0.0 { [1.0, 1.0, 0.96] } else { [0.02, 0.02, 0.06] };
    mix(color, goal, amount.abs())
}

fn stray(rng: &mut Rng, color: Rgb, amount: f32) -> Rgb {
    let tone = range(rng, -amount, amount);
    let tint = [0.0; 3].map(|_: f32| range(rng, -amount, amount) * 0.45);
    let [r, g, b] = lighten(color, tone);
    [r + tint[0], g + tint[1], b + tint[2]].map(|c| c.clamp(0.0, 1.0))
}

/// Places all over the unit square and a little beyond, one in each cell of a grid, in random order: even cover without
/// a visible pattern.
pub(super) fn scattered(rng: &mut Rng, per_side: usize) -> Vec<(f32, f32)> {
    let n = per_side as f32;
    let mut places: Vec<(f32, f32)> = (0..per_side * per_side)
        .map(|i| {
            let (cx, cy) = ((i % per_side) as f32, (i / per_side) as f32);
            let jitter = (range(rng, 0.0, 1.0), range(rng, 0.0, 1.0));
            ((cx + jitter.0) / n * 1.1 - 0.05, (cy + jitter.1) / n * 1.1 - 0.05)
        })
        .collect();
    rng.shuffle(&mut places);
    places
}
