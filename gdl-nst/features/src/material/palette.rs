use gdl_image_io::draw::{Rgb, hsv, mix, ramp};
use gdl_kernels::rng::Rng;

/// Uniform in `[low, high)`.
pub(super) fn range(rng: &mut Rng, low: f32, high: f32) -> f32 {
    rng.range(f64::from(low), f64::from(high)) as f32
}

/// `low` to `high`, every factor between them as likely as another.
pub(super) fn factor(rng: &mut Rng, low: f32, high: f32) -> f32 {
    range(rng, low.ln(), high.ln()).exp()
}

/// The colours of one texture.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    colors: Vec<Rgb>,
    /// Hard steps between the colours instead of blends.
    stepped: bool,
}

impl Palette {
    /// Two to five colours by one of several schemes: near hues, opposite ones, one hue from dark to light, earths, greys, any.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let n = 2 + rng.below(4);
        let hue = range(rng, 0.0, 1.0);
        let scheme = rng.below(7);
        let (dull, strong) = (range(rng, 0.0, 0.4), range(rng, 0.4, 1.0));
        let mut colors: Vec<Rgb> = (0..n)
            .map(|i| {
                let step = i as f32 / (n - 1) as f32;
                let any = range(rng, 0.0, 1.0);
                let value = range(rng, 0.08, 1.0);
                match scheme {
                    0 => hsv(hue + 0.12 * (any - 0.5), range(rng, dull, strong), value),
                    1 => hsv(hue + if i % 2 == 0 { 0.0 } else { 0.5 }, range(rng, dull, strong), value),
                    2 => hsv(hue + 0.06 * any, strong * (1.0 - 0.6 * step), 0.08 + 0.9 * step),
                    3 => hsv(0.03 + 0.13 * any, range(rng, 0.2, 0.7), value),
                    4 => [(value - 0.1) * 1.1; 3],
                    5 => hsv(any, strong, 0.4 + 0.6 * value),
                    _ => [any, range(rng, 0.0, 1.0), range(rng, 0.0, 1.0)],
                }
            })
            .collect();
        if rng.chance(0.5) {
            rng.shuffle(&mut colors);
        }
        // A texture whose colours are all alike teaches nothing: the last is moved away from the first.
        if distance(colors[0], colors[n - 1]) < 0.25 {
            let far = if colors[0].iter().sum::<f32>() > 1.5 { [0.05; 3] } else { [0.95; 3] };
            colors[n - 1] = mix(colors[n - 1], far, 0.6);
        }
        Self { colors, stepped: rng.chance(0.2) }
    }

    /// The colour at a place on the way from the first to the last.
    pub(super) fn at(&self, tone: f32) -> Rgb {
        if !self.stepped {
            return ramp(&self.colors, tone);
        }
        let i = (tone.clamp(0.0, 0.999) * self.colors.len() as f32) as usize;
        self.colors.get(i).copied().unwrap_or_default()
    }

    /// Any of the colours, or a blend of two.
    pub(super) fn any(&self, rng: &mut Rng) -> Rgb {
        ramp(&self.colors, range(rng, 0.0, 1.0))
    }
}

fn distance(a: Rgb, b: Rgb) -> f32 {
    (0..3).map(|i| (a[i] - b[i]).abs()).sum()
}
