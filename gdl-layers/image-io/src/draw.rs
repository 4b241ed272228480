//! Pictures drawn by code (feature `draw`): a canvas of f32 pixels on which `tiny-skia` rasterises antialiased shapes.
//!
//! Coordinates are in units, with `y` downwards; [`Canvas::new`] says how many pixels a unit has, so that the same
//! drawing comes out at any size. A shape is filled by a function of the place, which may be a flat colour, a
//! gradient or a texture.
//!
//! Everything here is arithmetic in Rust without any state: the same calls give the same picture.
//!
//! ```
//! use gdl_image_io::draw::{Canvas, Shape, flat, hex};
//!
//! let mut canvas = Canvas::new(64, 96, 64.0, hex(0x87b5d9)); // one unit high, one and a half wide
//! canvas.fill(&Shape::ellipse(0.75, 0.5, 0.3, 0.3), flat(hex(0xf4d35e)));
//! assert_eq!(canvas.to_tensor().unwrap().dims(), [3, 64, 96]);
//! ```

mod color;
mod noise;
mod shape;

pub use color::{Rgb, Rgba, flat, hex, hsv, mix, ramp, smoothstep, with_alpha};
pub use noise::{fbm, hash, noise};
pub use shape::Shape;

use candle_core::{Device, Result, Tensor};
use tiny_skia::{FillRule, LineCap, LineJoin, Mask, Path, Stroke, Transform};

/// A picture in the making. Colours are f32 and nothing is rounded before the file is written.
#[derive(Debug, Clone)]
pub struct Canvas {
    width: usize,
    height: usize,
    scale: f32,
    pixels: Vec<Rgb>,
}

impl Canvas {
    /// A canvas of `height` x `width` pixels with `scale` pixels to the unit, all of one colour.
    pub fn new(height: usize, width: usize, scale: f32, color: Rgb) -> Self {
        Self { width, height, scale, pixels: vec![color; width * height] }
    }

    /// The width in units.
    pub fn width(&self) -> f32 {
        self.width as f32 / self.scale
    }

    /// The height in units.
    pub fn height(&self) -> f32 {
        self.height as f32 / self.scale
    }

    /// The colour at a place in units; places outside take the nearest pixel.
    pub fn at(&self, x: f32, y: f32) -> Rgb {
        let index = |v: f32, n: usize| ((v * self.scale).max(0.0) as usize).min(n.saturating_sub(1));
        let i = index(y, self.height) * self.width + index(x, self.width);
        self.pixels.get(i).copied().unwrap_or_default()
    }

    /// Gives every pixel a colour by the place of its centre.
    pub fn shade(&mut self, paint: impl Fn(f32, f32) -> Rgb) {
        let scale = self.scale;
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = (i % self.width, i / self.width);
            *pixel = paint((x as f32 + 0.5) / scale, (y as f32 + 0.5) / scale);
        }
    }

    /// Fills a shape; `paint` gives colour and opacity by place.
    pub fn fill(&mut self, shape: &Shape, paint: impl Fn(f32, f32) -> Rgba) {
        if let Some(path) = shape.path().and_then(|p| p.clone().transform(self.to_pixels())) {
            self.composite(&path, paint);
        }
    }

    /// Draws the outline of a shape with a round pen `width` units wide.
    pub fn stroke(&mut self, shape: &Shape, width: f32, paint: impl Fn(f32, f32) -> Rgba) {
        let pen = Stroke {
            width: width * self.scale,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        let outline = shape
            .path()
            .and_then(|p| p.clone().transform(self.to_pixels()))
            .and_then(|p| p.stroke(&pen, 1.0));
        if let Some(path) = outline {
            self.composite(&path, paint);
        }
    }

    /// The picture as RGB in [0, 1].
    ///
    /// # Shape
    /// (3, height, width) in f32 on the CPU.
    ///
    /// # Errors
    /// Only as making a tensor fails.
    pub fn to_tensor(&self) -> Result<Tensor> {
        let planes: Vec<f32> =
            (0..3).flat_map(|c| self.pixels.iter().map(move |p| p[c].clamp(0.0, 1.0))).collect();
        Tensor::from_vec(planes, (3, self.height, self.width), &Device::Cpu)
    }

    fn to_pixels(&self) -> Transform {
        Transform::from_scale(self.scale, self.scale)
    }

    /// Lays paint over the pixels that a path (in pixels) covers. Only its bounding box is rasterised, so that thousands
    /// of small strokes on a large canvas stay cheap.
    fn composite(&mut self, path: &Path, paint: impl Fn(f32, f32) -> Rgba) {
        let bounds = path.bounds();
        let (left, top) = (bounds.left().floor().max(0.0), bounds.top().floor().max(0.0));
        let right = bounds.right().ceil().min(self.width as f32);
        let bottom = bounds.bottom().ceil().min(self.height as f32);
        if right <= left || bottom <= top {
            return;
        }
        let (box_w, box_h) = ((right - left) as u32, (bottom - top) as u32);
        let Some(mut mask) = Mask::new(box_w, box_h) else { return };
        mask.fill_path(path, FillRule::Winding, true, Transform::from_translate(-left, -top));
        let (left, top) = (left as usize, top as usize);
        for (row, line) in mask.data().chunks_exact(box_w as usize).enumerate() {
            let y = (top + row) as f32 + 0.5;
            let start = (top + row) * self.width + left;
            let pixels = &mut self.pixels[start..start + line.len()];
            for (i, (pixel, &coverage)) in pixels.iter_mut().zip(line).enumerate() {
                if coverage > 0 {
                    let x = (left + i) as f32 + 0.5;
                    let [r, g, b, a] = paint(x / self.scale, y / self.scale);
                    *pixel = mix(*pixel, [r, g, b], a * f32::from(coverage) / 255.0);
                }
            }
        }
    }
}
