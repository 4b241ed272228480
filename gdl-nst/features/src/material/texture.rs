use super::family::{FAMILIES, Grain, Paint, Spot};
use super::marks::Sheet;
use super::palette::{Palette, factor, range};
use gdl_image_io::draw::{Canvas, Rgb, mix, noise};
use gdl_kernels::rng::Rng;
use std::f32::consts::TAU;

/// Where a texture lies in the picture's plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    /// Its turn in radians.
    pub(super) angle: f32,
    /// Features to the unit.
    pub(super) zoom: f32,
    stretch: f32,
    origin: (f32, f32),
    /// How far the plane is bent, in features.
    warp: f32,
    seed: u32,
}

impl Placement {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            angle: if rng.chance(0.3) { 0.0 } else { range(rng, 0.0, TAU) },
            zoom: factor(rng, 1.5, 20.0),
            stretch: if rng.chance(0.3) { factor(rng, 0.4, 2.5) } else { 1.0 },
            origin: (range(rng, 0.0, 1.0), range(rng, 0.0, 1.0)),
            warp: if rng.chance(0.35) { range(rng, 0.2, 1.2) } else { 0.0 },
            seed: (rng.bits() >> 40) as u32,
        }
    }

    fn map(&self, x: f32, y: f32) -> (f32, f32) {
        let (sin, cos) = self.angle.sin_cos();
        let (x, y) = ((x - self.origin.0) * self.zoom, (y - self.origin.1) * self.zoom);
        let (mut u, mut v) = (x * cos + y * sin, (y * cos - x * sin) * self.stretch);
        if self.warp > 0.0 {
            u += self.warp * (noise(self.seed, x * 0.5, y * 0.5) - 0.5) * 2.0;
            v += self.warp * (noise(self.seed ^ 1, x * 0.5, y * 0.5) - 0.5) * 2.0;
        }
        (u, v)
    }
}

/// A texture of one of the families, in its place and colours.
#[derive(Debug)]
pub(super) struct Texture {
    /// Its number among [`FAMILIES`].
    pub(super) family: usize,
    pub(super) place: Placement,
    look: Look,
}

#[derive(Debug)]
enum Look {
    Field { field: fn(&Grain, f32, f32) -> Spot, grain: Grain, palette: Palette },
    Painted(Canvas),
}

impl Texture {
    /// A texture of any family, for a square picture of so many pixels.
    pub(super) fn draw(rng: &mut Rng, pixels: usize) -> Self {
        let family = rng.below(FAMILIES.len());
        Self::of_family(family, rng, pixels)
    }

    pub(super) fn of_family(family: usize, rng: &mut Rng, pixels: usize) -> Self {
        let place = Placement::draw(rng);
        let palette = Palette::draw(rng);
        let grain = Grain::draw(rng);
        let look = match FAMILIES[family % FAMILIES.len()].paint {
            Paint::Field(field) => Look::Field { field, grain, palette },
            Paint::Marks(paint) => {
                let mut canvas = Canvas::new(pixels, pixels, pixels as f32, palette.at(0.0));
                let mut sheet = Sheet {
                    canvas: &mut canvas,
                    rng,
                    palette: &palette,
                    size: (0.7 / place.zoom).max(0.045),
                    angle: place.angle,
                    seed: grain.seed,
                };
                paint(&mut sheet);
                Look::Painted(canvas)
            }
        };
        Self { family, place, look }
    }

    pub(super) fn at(&self, x: f32, y: f32) -> Rgb {
        match &self.look {
            Look::Painted(canvas) => canvas.at(x, y),
            Look::Field { field, grain, palette } => {
                let (u, v) = self.place.map(x, y);
                let spot = field(grain, u, v);
                match spot.cell {
                    // The darkest that a joint gets is not black: grout, shadow.
                    Some(id) => mix([0.06; 3], palette.at(id), 0.15 + 0.85 * spot.tone),
                    None => palette.at(spot.tone),
                }
            }
        }
    }
}
