//! Pictures to learn from, drawn by code: textures of many families, and shapes before them, in any colours.

mod family;
mod grain;
mod marks;
mod palette;
mod texture;
mod tiles;

use candle_core::{Device, Result, Tensor};
use family::FAMILIES;
use gdl_image_io::draw::{Canvas, Rgb, Shape, flat, mix, with_alpha};
use gdl_image_io::{Filter, resize};
use gdl_kernels::rng::Rng;
use palette::{Palette, factor, range};
use std::f32::consts::TAU;
use texture::Texture;

/// A drawn picture, and what is known of it because it was drawn.
#[derive(Debug, Clone)]
pub struct Picture {
    /// (3, size, size), RGB in [0, 1], f32 on the CPU.
    pub image: Tensor,
    /// The family of the texture that covers most of it, below [`families`]`().len()`.
    pub family: usize,
    /// That texture's turn in radians.
    pub angle: f32,
    /// The natural logarithm of how many of its features lie side by side in the picture.
    pub log_zoom: f32,
}

/// The names of the families of textures.
pub fn families() -> Vec<&'static str> {
    FAMILIES.iter().map(|f| f.name).collect()
}

/// Draws a picture: a texture alone, or with shapes before it, or with a heap of things, in some light.
///
/// # Errors
/// When `size` is 0.
pub fn draw(rng: &mut Rng, size: usize) -> Result<Picture> {
    compose(rng, size, None)
}

/// A plain sample of one family, for looking at.
///
/// # Errors
/// When `size` is 0.
pub fn sample(family: usize, rng: &mut Rng, size: usize) -> Result<Tensor> {
    Ok(compose(rng, size, Some(family))?.image)
}

fn compose(rng: &mut Rng, size: usize, alone: Option<usize>) -> Result<Picture> {
    if size == 0 {
        candle_core::bail!("material: the size of a picture must be at least 1, got 0")
    }
    // Half of the pictures are smoothed by being drawn larger, half have the hard edges of single samples.
    let pixels = if rng.chance(0.5) { 2 * size } else { size };
    let ground = match alone {
        Some(family) => Texture::of_family(family, rng, pixels),
        None => Texture::draw(rng, pixels),
    };
    let mut canvas = Canvas::new(pixels, pixels, pixels as f32, [0.0; 3]);
    canvas.shade(|x, y| ground.at(x, y));
    if alone.is_none() {
        match rng.below(20) {
            0..=6 => {}
            7..=14 => shapes(&mut canvas, rng, pixels),
            _ => heap(&mut canvas, rng),
        }
    }
    if rng.chance(0.5) {
        light(&mut canvas, rng);
    }
    let image = resize(&canvas.to_tensor()?, size, size, Filter::Box)?;
    let image = if alone.is_none() { treat(image, rng)? } else { image };
    Ok(Picture { image, family: ground.family, angle: ground.place.angle, log_zoom: ground.place.zoom.ln() })
}

/// One to four things with textures of their own, some with a shadow or an outline.
fn shapes(canvas: &mut Canvas, rng: &mut Rng, pixels: usize) {
    for _ in 0..1 + rng.below(4) {
        let center = (range(rng, 0.0, 1.0), range(rng, 0.0, 1.0));
        let radius = factor(rng, 0.08, 0.35);
        let outline = outline(rng, center, radius);
        let shape = Shape::blob(&outline);
        let shape = if rng.chance(0.5) { Shape::polygon(&outline) } else { shape };
        if rng.chance(0.3) {
            let (dx, dy) = (radius * range(rng, -0.15, 0.15), radius * range(rng, 0.05, 0.2));
            let below: Vec<_> = outline.iter().map(|&(x, y)| (x + dx, y + dy)).collect();
            canvas.fill(&Shape::polygon(&below), flat_shadow);
        }
        if rng.chance(0.4) {
            // A smooth thing, lit from one side: what skies, walls and skin are made of.
            let palette = Palette::draw(rng);
            let (sin, cos) = range(rng, 0.0, TAU).sin_cos();
            canvas.fill(&shape, |x, y| {
                let along = ((x - center.0) * cos + (y - center.1) * sin) / radius;
                with_alpha(palette.at(0.5 + 0.4 * along), 1.0)
            });
        } else {
            let texture = Texture::draw(rng, pixels);
            canvas.fill(&shape, |x, y| with_alpha(texture.at(x, y), 1.0));
        }
        if rng.chance(0.3) {
            let ink: Rgb = if rng.chance(0.7) { [0.05; 3] } else { [0.97; 3] };
            let width = factor(rng, 0.008, 0.04);
            canvas.stroke(&shape, width, flat(ink));
        }
    }
}

fn flat_shadow(_: f32, _: f32) -> [f32; 4] {
    [0.0, 0.0, 0.0, 0.4]
}

/// Corners around a centre: a round, long or jagged thing.
fn outline(rng: &mut Rng, (x, y): (f32, f32), radius: f32) -> Vec<(f32, f32)> {
    let n = 3 + rng.below(8);
    let (turn, long, jagged) = (range(rng, 0.0, TAU), factor(rng, 0.4, 1.0), range(rng, 0.0, 0.6));
    let (sin, cos) = turn.sin_cos();
    (0..n)
        .map(|i| {
            let a = TAU * (i as f32 + range(rng, -0.2, 0.2)) / n as f32;
            let r = radius * (1.0 - jagged * range(rng, 0.0, 1.0));
            let (u, v) = (r * a.cos(), r * long * a.sin());
            (x + u * cos - v * sin, y + u * sin + v * cos)
        })
        .collect()
}

/// Things of all sizes, one before another, each flat or shaded: their edges have the statistics of photographs.
fn heap(canvas: &mut Canvas, rng: &mut Rng) {
    let palette = Palette::draw(rng);
    let mut radii: Vec<f32> = (0..40).map(|_| factor(rng, 0.015, 0.3)).collect();
    radii.sort_by(|a, b| b.total_cmp(a));
    for radius in radii {
        let center = (range(rng, 0.0, 1.0), range(rng, 0.0, 1.0));
        let corners = outline(rng, center, radius);
        let shape = if rng.chance(0.5) { Shape::polygon(&corners) } else { Shape::blob(&corners) };
        let (a, b) = (palette.any(rng), palette.any(rng));
        let (sin, cos) = range(rng, 0.0, TAU).sin_cos();
        canvas.fill(&shape, |x, y| {
            let along = ((x - center.0) * cos + (y - center.1) * sin) / radius;
            with_alpha(mix(a, b, 0.5 + 0.5 * along), 1.0)
        });
    }
}

/// Light from a side or about a place, with shade elsewhere.
fn light(canvas: &mut Canvas, rng: &mut Rng) {
    let (sin, cos) = range(rng, 0.0, TAU).sin_cos();
    let (cx, cy) = (range(rng, 0.0, 1.0), range(rng, 0.0, 1.0));
    let (depth, round) = (range(rng, 0.2, 0.8), rng.chance(0.5));
    let before = canvas.clone();
    canvas.shade(|x, y| {
        let (dx, dy) = (x - cx, y - cy);
        let away = if round { 1.4 * dx.hypot(dy) } else { 0.5 + dx * cos + dy * sin };
        before.at(x, y).map(|c| c * (1.15 - depth * away.clamp(0.0, 1.2)))
    });
}

/// What happens to pictures on their way: exposure, contrast, a cast, loss of colour, blur, noise.
fn treat(image: Tensor, rng: &mut Rng) -> Result<Tensor> {
    let (_, h, w) = image.dims3()?;
    let mut image = image;
    if rng.chance(0.25) {
        let by = rng.range(1.3, 3.0);
        let small = |n: usize| ((n as f64 / by).round() as usize).max(1);
        image = resize(&resize(&image, small(h), small(w), Filter::Triangle)?, h, w, Filter::CatmullRom)?;
    }
    let mut pixels = image.flatten_all()?.to_vec1::<f32>()?;
    let plane = h * w;
    if rng.chance(0.08) {
        for i in 0..plane {
            let grey = 0.3 * pixels[i] + 0.59 * pixels[plane + i] + 0.11 * pixels[2 * plane + i];
            (0..3).for_each(|c| pixels[c * plane + i] = grey);
        }
    }
    let gamma = factor(rng, 0.6, 1.6);
    let contrast = range(rng, 0.6, 1.2);
    let level = range(rng, 0.35, 0.65);
    let noise = if rng.chance(0.2) { range(rng, 0.01, 0.08) } else { 0.0 };
    let cast: [f32; 3] = std::array::from_fn(|_| range(rng, -0.06, 0.06));
    for (i, p) in pixels.iter_mut().enumerate() {
        let grain = if noise > 0.0 { noise * rng.normal() as f32 } else { 0.0 };
        let v = p.max(0.0).powf(gamma);
        *p = (level + (v - level) * contrast + cast[i / plane] + grain).clamp(0.0, 1.0);
    }
    Tensor::from_vec(pixels, (3, h, w), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(t: &Tensor) -> Vec<f32> {
        t.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn every_family_shows_something() {
        for (i, family) in FAMILIES.iter().enumerate() {
            // Some samples of a family may be nearly plain, not all.
            let spread = (0..3).map(|n| {
                let v = pixels(&sample(i, &mut Rng::stream(n, family.name), 24).unwrap());
                assert!(v.iter().all(|p| (0.0..=1.0).contains(p)), "{}", family.name);
                let mean = v.iter().sum::<f32>() / v.len() as f32;
                v.iter().map(|p| (p - mean).abs()).sum::<f32>() / v.len() as f32
            });
            let spread = spread.fold(0.0f32, f32::max);
            assert!(spread > 0.03, "{}: {spread}", family.name);
        }
    }

    #[test]
    fn names_are_unlike_and_pictures_are_those_of_their_seed() {
        let mut names = families();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() == FAMILIES.len() && names.len() >= 70);
        let draw = |seed| draw(&mut Rng::seed(seed), 20).unwrap();
        let (a, again, other) = (draw(3), draw(3), draw(4));
        assert_eq!(a.image.dims(), [3, 20, 20]);
        assert_eq!((pixels(&a.image), a.family), (pixels(&again.image), again.family));
        assert_ne!(pixels(&a.image), pixels(&other.image));
        assert!(super::draw(&mut Rng::seed(1), 0).is_err());
    }
}
