//! Textures of marks laid one over another: brushwork, pen work, heaps of things.

use super::palette::{Palette, range};
use gdl_image_io::draw::{Canvas, Rgb, Rgba, Shape, flat, mix, noise, with_alpha};
use gdl_kernels::rng::Rng;
use std::f32::consts::{PI, TAU};

/// What marks are laid on.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub(super) canvas: &'a mut Canvas,
    pub(super) rng: &'a mut Rng,
    pub(super) palette: &'a Palette,
    /// The size of a mark in units of the picture.
    pub(super) size: f32,
    /// Where marks point, before they stray.
    pub(super) angle: f32,
    /// Seed of the noise along which they stray.
    pub(super) seed: u32,
}

impl Sheet<'_> {
    fn range(&mut self, low: f32, high: f32) -> f32 {
        range(self.rng, low, high)
    }

    fn color(&mut self) -> Rgb {
        self.palette.any(self.rng)
    }

    /// Places all over the sheet and a little beyond, `apart` sizes from one another, in any order.
    fn places(&mut self, apart: f32) -> Vec<(f32, f32)> {
        let n = (1.2 / (self.size * apart)).ceil().clamp(1.0, 40.0) as usize;
        let mut places: Vec<_> = (0..n * n)
            .map(|i| {
                let (x, y) = ((i % n) as f32 + self.range(0.0, 1.0), (i / n) as f32 + self.range(0.0, 1.0));
                (x / n as f32 * 1.2 - 0.1, y / n as f32 * 1.2 - 0.1)
            })
            .collect();
        self.rng.shuffle(&mut places);
        places
    }

    /// The direction at a place, straying by up to `by` half turns over `scale` sizes.
    fn direction(&self, x: f32, y: f32, by: f32, scale: f32) -> f32 {
        let zoom = 1.0 / (self.size * scale).max(0.01);
        self.angle + by * PI * (2.0 * noise(self.seed, x * zoom, y * zoom) - 1.0)
    }

    /// A line of so many sizes from a place on along the directions.
    fn spine(&self, (mut x, mut y): (f32, f32), length: f32, by: f32, scale: f32) -> Vec<(f32, f32)> {
        let step = length * self.size / 5.0;
        let mut points = vec![(x, y)];
        for _ in 0..5 {
            let angle = self.direction(x, y, by, scale);
            (x, y) = (x + step * angle.cos(), y + step * angle.sin());
            points.push((x, y));
        }
        points
    }

    fn line(&mut self, points: &[(f32, f32)], width: f32, paint: Rgba) {
        let width = width * self.size;
        self.canvas.stroke(&Shape::curve(points), width, move |_, _| paint);
    }

    /// A brush stroke: a line with a lighter hair above its middle and a darker one below.
    fn brush(&mut self, points: &[(f32, f32)], width: f32, color: Rgb) {
        self.line(points, width, with_alpha(color, 0.95));
        for (side, goal) in [(-0.25f32, [1.0; 3]), (0.28, [0.0; 3])] {
            let off = side * width * self.size;
            let hair: Vec<_> = points.iter().map(|&(x, y)| (x + off * 0.4, y + off)).collect();
            let amount = self.range(0.05, 0.3);
            self.line(&hair, width * 0.25, with_alpha(mix(color, goal, amount), 0.8));
        }
    }

    fn heap(&mut self, apart: f32, mut shape: impl FnMut(&mut Self, f32, f32) -> Shape) {
        for (x, y) in self.places(apart) {
            let shape = shape(self, x, y);
            let color = self.color();
            self.canvas.fill(&shape, flat(color));
        }
    }
}

pub(super) fn strokes(s: &mut Sheet<'_>) {
    for at in s.places(0.5) {
        let (points, color) = (s.spine(at, 2.5, 0.3, 5.0), s.color());
        s.brush(&points, 0.5, color);
    }
}

pub(super) fn dabs(s: &mut Sheet<'_>) {
    for at in s.places(0.45) {
        let (points, color) = (s.spine(at, 0.4, 0.5, 3.0), s.color());
        let width = s.range(0.4, 0.6);
        s.line(&points, width, with_alpha(color, 0.95));
    }
}

pub(super) fn impasto(s: &mut Sheet<'_>) {
    for at in s.places(0.5) {
        let points = s.spine(at, 3.0, 1.0, 8.0);
        // The colour belongs to the place: strokes form areas.
        let tone = noise(s.seed ^ 77, at.0 * 3.0, at.1 * 3.0) + s.range(-0.15, 0.15);
        let color = s.palette.at(tone);
        s.brush(&points, 0.6, color);
    }
}

pub(super) fn flow(s: &mut Sheet<'_>) {
    for at in s.places(0.35) {
        let (points, color) = (s.spine(at, 5.0, 1.0, 10.0), s.color());
        s.line(&points, 0.18, with_alpha(color, 0.9));
    }
}

pub(super) fn hatching(s: &mut Sheet<'_>) {
    let ink = s.palette.at(1.0);
    for at in s.places(0.6) {
        let points = s.spine(at, 3.0, 0.05, 3.0);
        s.line(&points, 0.12, with_alpha(ink, 0.9));
    }
}

pub(super) fn crosshatching(s: &mut Sheet<'_>) {
    let angle = s.angle;
    for turn in [0.0, 1.1] {
        s.angle = angle + turn;
        hatching(s);
    }
}

pub(super) fn stipple(s: &mut Sheet<'_>) {
    let ink = s.palette.at(1.0);
    for (x, y) in s.places(0.5) {
        let dark = noise(s.seed, x * 4.0, y * 4.0);
        let r = s.size * 0.2 * s.range(0.5, 1.2);
        if s.range(0.0, 1.0) < dark {
            s.canvas.fill(&Shape::ellipse(x, y, r, r), flat(ink));
        }
    }
}

pub(super) fn scribbles(s: &mut Sheet<'_>) {
    for (x, y) in s.places(1.6) {
        let color = s.color();
        let points: Vec<_> =
            (0..9).map(|_| (x + s.size * s.range(-1.2, 1.2), y + s.size * s.range(-1.2, 1.2))).collect();
        s.line(&points, 0.12, with_alpha(color, 0.95));
    }
}

pub(super) fn curls(s: &mut Sheet<'_>) {
    for (x, y) in s.places(1.3) {
        let (color, start, sense) =
            (s.color(), s.range(0.0, TAU), if s.rng.chance(0.5) { 1.0 } else { -1.0 });
        let size = s.size;
        let points: Vec<_> = (0..14)
            .map(|i| {
                let (turn, r) = (start + sense * i as f32 * 0.7, size * (0.1 + 0.07 * i as f32));
                (x + r * turn.cos(), y + r * turn.sin())
            })
            .collect();
        s.line(&points, 0.16, with_alpha(color, 0.95));
    }
}

/// An almond from a place on in a direction.
fn almond(x: f32, y: f32, angle: f32, length: f32, width: f32) -> Shape {
    let (c, n) = ((angle.cos(), angle.sin()), (-angle.sin(), angle.cos()));
    let at = |along: f32, across: f32| (x + c.0 * along + n.0 * across, y + c.1 * along + n.1 * across);
    let (l, w) = (length, width / 2.0);
    Shape::blob(&[at(0.0, 0.0), at(l * 0.4, w), at(l, 0.0), at(l * 0.4, -w)])
}

pub(super) fn leaves(s: &mut Sheet<'_>) {
    for (x, y) in s.places(0.5) {
        let angle = s.direction(x, y, 0.8, 0.7);
        let (length, width, color) = (s.size * s.range(1.0, 1.8), s.size * 0.6, s.color());
        s.canvas.fill(&almond(x, y, angle, length, width), flat(color));
        let tip = (x + 0.85 * length * angle.cos(), y + 0.85 * length * angle.sin());
        s.line(&[(x, y), tip], 0.06, with_alpha(mix(color, [1.0; 3], 0.3), 0.8));
    }
}

pub(super) fn petals(s: &mut Sheet<'_>) {
    for (x, y) in s.places(1.3) {
        let (color, heart, turn) = (s.color(), s.color(), s.range(0.0, TAU));
        let n = 5 + s.rng.below(4);
        for i in 0..n {
            let angle = turn + TAU * i as f32 / n as f32;
            let shade = mix(color, [0.0; 3], s.range(0.0, 0.2));
            s.canvas.fill(&almond(x, y, angle, s.size, s.size * 0.6), flat(shade));
        }
        s.canvas.fill(&Shape::ellipse(x, y, s.size * 0.22, s.size * 0.22), flat(heart));
    }
}

pub(super) fn shards(s: &mut Sheet<'_>) {
    s.heap(0.7, |s, x, y| {
        let r = s.size * s.range(0.4, 1.6);
        let n = 3 + s.rng.below(3);
        let start = s.range(0.0, TAU);
        let corners: Vec<_> = (0..n)
            .map(|i| {
                let a = start + TAU * (i as f32 + s.range(0.0, 0.6)) / n as f32;
                (x + r * a.cos(), y + r * a.sin())
            })
            .collect();
        Shape::polygon(&corners)
    });
}

pub(super) fn discs(s: &mut Sheet<'_>) {
    s.heap(0.7, |s, x, y| {
        let r = s.size * s.range(0.3, 1.2);
        Shape::ellipse(x, y, r, r)
    });
}

pub(super) fn splatter(s: &mut Sheet<'_>) {
    s.heap(0.9, |s, x, y| {
        let r = s.size * 0.6 * s.range(0.1, 1.0).powi(2);
        let points: Vec<_> = (0..8)
            .map(|i| {
                let (a, r) = (TAU * i as f32 / 8.0, r * s.range(0.4, 1.6));
                (x + r * a.cos(), y + r * a.sin())
            })
            .collect();
        Shape::blob(&points)
    });
}

pub(super) fn bubbles(s: &mut Sheet<'_>) {
    for (x, y) in s.places(0.9) {
        let r = s.size * s.range(0.2, 0.8);
        let (color, size) = (s.color(), s.size);
        s.canvas.stroke(&Shape::ellipse(x, y, r, r), size * 0.12, flat(color));
    }
}

pub(super) fn knife(s: &mut Sheet<'_>) {
    for (x, y) in s.places(0.5) {
        let angle = s.direction(x, y, 0.5, 2.0);
        let (color, l, w) = (s.color(), s.size * s.range(0.6, 1.6), s.size * s.range(0.25, 0.5));
        let (c, n) = ((angle.cos(), angle.sin()), (-angle.sin(), angle.cos()));
        let corner = |a: f32, b: f32| (x + c.0 * a * l + n.0 * b * w, y + c.1 * a * l + n.1 * b * w);
        let shape =
            Shape::polygon(&[corner(-0.5, -0.5), corner(0.5, -0.5), corner(0.5, 0.5), corner(-0.5, 0.5)]);
        let (size, base) = (s.size, (x, y));
        // Paint is drawn thin along the way.
        s.canvas.fill(&shape, |px, py| {
            let along = ((px - base.0) * c.0 + (py - base.1) * c.1) / size;
            with_alpha(mix(color, [1.0; 3], 0.25 * (0.5 + along)), 0.95)
        });
    }
}

pub(super) fn lines(s: &mut Sheet<'_>) {
    for at in s.places(1.2) {
        let (angle, color) = (s.range(0.0, TAU), s.color());
        let l = s.size * s.range(1.0, 4.0);
        let end = (at.0 + l * angle.cos(), at.1 + l * angle.sin());
        let width = s.range(0.06, 0.3);
        s.line(&[at, end], width, with_alpha(color, 1.0));
    }
}

pub(super) fn script(s: &mut Sheet<'_>) {
    let ink = s.palette.at(1.0);
    let rows = (1.0 / (s.size * 1.6)).ceil().min(24.0) as usize;
    for row in 0..=rows {
        let mut x = s.range(-0.1, 0.1);
        while x < 1.0 {
            let y = row as f32 * s.size * 1.6;
            let points: Vec<_> =
                (0..5).map(|i| (x + s.size * 0.2 * i as f32, y + s.size * s.range(-0.5, 0.5))).collect();
            s.line(&points, 0.12, with_alpha(ink, 1.0));
            x += s.size * s.range(0.9, 1.6);
        }
    }
}

pub(super) fn grass(s: &mut Sheet<'_>) {
    let mut places = s.places(0.35);
    // From the back to the front.
    places.sort_by(|a, b| a.1.total_cmp(&b.1));
    for (x, y) in places {
        let (angle, color) = (-PI / 2.0 + s.range(-0.5, 0.5), s.color());
        let length = s.size * s.range(1.0, 2.2);
        s.canvas.fill(&almond(x, y, angle, length, s.size * 0.25), flat(color));
    }
}

pub(super) fn wash(s: &mut Sheet<'_>) {
    for (x, y) in s.places(1.0) {
        let (r, color, alpha) = (s.size * s.range(0.6, 1.8), s.color(), s.range(0.2, 0.6));
        let points: Vec<_> = (0..7)
            .map(|i| {
                let (a, r) = (TAU * i as f32 / 7.0, r * s.range(0.7, 1.2));
                (x + r * a.cos(), y + r * a.sin())
            })
            .collect();
        s.canvas.fill(&Shape::blob(&points), |_, _| with_alpha(color, alpha));
    }
}
