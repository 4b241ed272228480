use super::layout::{Band, Hill, Kind, Scene, Thing};
use super::look::{Class, INK, color};
use super::{Domain, texture};
use candle_core::{Result, Tensor};
use gdl_image_io::draw::{Canvas, Shape, with_alpha};
use gdl_image_io::{Filter, resize};

/// Drawn so many times larger and averaged, so that textures are antialiased as well as edges.
const SUPERSAMPLING: usize = 3;

/// The width of B's ink lines.
const LINE: f32 = 0.011;

struct Painter {
    canvas: Canvas,
    domain: Domain,
}

impl Painter {
    /// Fills a shape with a class by its texture, and outlines it where the look has outlines.
    fn put(&mut self, shape: &Shape, class: Class, texture: impl Fn(f32, f32) -> f32) {
        let domain = self.domain;
        self.canvas.fill(shape, |x, y| with_alpha(color(domain, class, texture(x, y)), 1.0));
        if domain == Domain::B && !matches!(class, Class::Sun | Class::Snow | Class::Path) {
            self.canvas.stroke(shape, LINE, |_, _| with_alpha(INK, 0.85));
        }
    }
}

impl Scene {
    /// The scene in one look.
    ///
    /// # Shape
    /// (3, size, size), in [0, 1], f32 on the CPU.
    ///
    /// # Errors
    /// When `size` is 0.
    pub fn draw(&self, domain: Domain, size: usize) -> Result<Tensor> {
        if size == 0 {
            candle_core::bail!("Scene: the size of a picture must be at least 1, got 0")
        }
        let large = size * SUPERSAMPLING;
        let canvas = Canvas::new(large, large, large as f32, [0.0; 3]);
        let mut painter = Painter { canvas, domain };
        self.paint_sky(&mut painter);
        self.paint_mountains(&mut painter);
        self.paint_land(&mut painter);
        resize(&painter.canvas.to_tensor()?, size, size, Filter::Box)
    }

    fn paint_sky(&self, p: &mut Painter) {
        let domain = p.domain;
        p.canvas.shade(|x, y| color(domain, Class::Sky, texture::sky(self, x, y)));
        let sun = Shape::ellipse(self.sun.x, self.sun.y, self.sun.radius, self.sun.radius);
        p.put(&sun, Class::Sun, |x, y| texture::sun(self, x, y));
        for cloud in &self.clouds {
            // One outline around all the puffs: first the ink of each, then the paint of all.
            let puffs: Vec<_> =
                cloud.puffs.iter().map(|&(x, y, rx, ry)| Shape::ellipse(x, y, rx, ry)).collect();
            outline_first(p, &puffs, Class::Cloud, |x, y| texture::cloud(cloud, self.grain, x, y));
        }
    }

    fn paint_mountains(&self, p: &mut Painter) {
        for m in &self.mountains {
            let (left, right) = ((m.left, m.foot), (m.right, m.foot));
            let shape = Shape::polygon(&[left, m.peak, right]);
            p.put(&shape, Class::Mountain, |x, y| texture::mountain(m, self.grain, x, y));
            // The snow is the part of the mountain above its line: cut the two edges there.
            let edge = |foot: (f32, f32), t: f32| {
                (m.peak.0 + (foot.0 - m.peak.0) * t, m.peak.1 + (foot.1 - m.peak.1) * t)
            };
            let (from, to) = (edge(left, 0.24), edge(right, 0.24));
            let mut snow = vec![m.peak];
            for i in 0..=8 {
                let x = to.0 + (from.0 - to.0) * i as f32 / 8.0;
                let inside = if i == 0 || i == 8 { from.1 } else { texture::snow_line(m, self.grain, x) };
                snow.push((x, inside));
            }
            p.put(&Shape::polygon(&snow), Class::Snow, |x, y| texture::mountain(m, self.grain, x, y));
        }
    }

    fn paint_land(&self, p: &mut Painter) {
        for (layer, hill) in self.hills.iter().enumerate() {
            let last = layer + 1 == self.hills.len();
            let class = match (layer, last) {
                (_, true) => Class::NearHill,
                (0, _) => Class::FarHill,
                _ => Class::MiddleHill,
            };
            p.put(&land(hill), class, |x, y| texture::hill(hill, self.grain, layer, x, y));
            if let (true, Some(band)) = (last, &self.band) {
                self.paint_band(p, band);
            }
            // What stands on this hill may be hidden by the next one.
            let next = self.hills.get(layer + 1);
            let before = |t: &&Thing| t.foot >= hill.ridge(t.x) && next.is_none_or(|n| t.foot < n.ridge(t.x));
            for thing in self.things.iter().filter(before) {
                self.paint_thing(p, thing);
            }
        }
    }

    fn paint_band(&self, p: &mut Painter, band: &Band) {
        let mut outline: Vec<(f32, f32)> = band.edges.iter().map(|&(left, _, y)| (left, y)).collect();
        outline.extend(band.edges.iter().rev().map(|&(_, right, y)| (right, y)));
        let shape = Shape::polygon(&outline);
        match band.water {
            true => p.put(&shape, Class::Water, |x, y| texture::water(self.grain, x, y)),
            false => p.put(&shape, Class::Path, |x, y| texture::path(self.grain, x, y)),
        }
    }

    fn paint_thing(&self, p: &mut Painter, thing: &Thing) {
        let &Thing { ref kind, x, foot, height } = thing;
        let trunk = |p: &mut Painter, width: f32, top: f32| {
            let shape = Shape::rect(x - width / 2.0, top, width, foot - top);
            p.put(&shape, Class::Trunk, |px, _| 0.5 + (px - x) / width);
        };
        match kind {
            Kind::House { .. } => paint_house(p, thing),
            Kind::Round { width, lumps } => {
                trunk(p, width * 0.16, foot - height * 0.45);
                let (cy, h) = (foot - height * 0.64, height * 0.72);
                let mut shapes = vec![Shape::ellipse(x, cy, width * 0.34, h * 0.34)];
                shapes.extend(
                    lumps
                        .iter()
                        .map(|&(dx, dy, r)| Shape::ellipse(x + dx * width, cy + dy * h, r * width, r * h)),
                );
                outline_first(p, &shapes, Class::RoundLeaves, |px, py| {
                    texture::leaves(self.grain, (px - x) / width * 2.0, (py - cy) / h * 2.0, px, py)
                });
            }
            Kind::Poplar { width } => {
                trunk(p, width * 0.24, foot - height * 0.25);
                let (top, low, w) = (foot - height, foot - height * 0.1, width / 2.0);
                let (upper, middle) = (foot - height * 0.72, foot - height * 0.34);
                let crown = [
                    (x, top),
                    (x + w * 0.75, upper),
                    (x + w, middle),
                    (x, low),
                    (x - w, middle),
                    (x - w * 0.75, upper),
                ];
                p.put(&Shape::blob(&crown), Class::PoplarLeaves, |px, py| {
                    texture::leaves(self.grain, (px - x) / w, (py - foot) / height * 2.0 + 1.0, px, py)
                });
            }
            Kind::Fir { width, tiers } => {
                trunk(p, width * 0.13, foot - height * 0.25);
                let n = *tiers as f32;
                let mut outline = vec![(x, foot - height)];
                let mut left = Vec::new();
                for i in 1..=*tiers {
                    let t = i as f32 / n;
                    let (y, half) = (foot - height * (1.0 - 0.86 * t), width / 2.0 * (0.35 + 0.65 * t));
                    outline.push((x + half, y));
                    left.push((x - half, y));
                    if i < *tiers {
                        outline.push((x + half * 0.5, y - 0.01 * height));
                        left.push((x - half * 0.5, y - 0.01 * height));
                    }
                }
                outline.extend(left.into_iter().rev());
                p.put(&Shape::polygon(&outline), Class::FirLeaves, |px, py| {
                    texture::leaves(
                        self.grain,
                        (px - x) / width * 2.0,
                        (py - foot) / height * 2.0 + 1.0,
                        px,
                        py,
                    )
                });
            }
        }
    }
}

/// The paint of several overlapping shapes over the ink of all of them.
fn outline_first(p: &mut Painter, shapes: &[Shape], class: Class, texture: impl Fn(f32, f32) -> f32) {
    if p.domain == Domain::B {
        for shape in shapes {
            p.canvas.stroke(shape, 2.0 * LINE, |_, _| with_alpha(INK, 1.0));
        }
    }
    let domain = p.domain;
    for shape in shapes {
        p.canvas.fill(shape, |x, y| with_alpha(color(domain, class, texture(x, y)), 1.0));
    }
}

fn land(hill: &Hill) -> Shape {
    let mut outline: Vec<(f32, f32)> = (0..=48)
        .map(|i| {
            let x = i as f32 / 40.0 - 0.1;
            (x, hill.ridge(x))
        })
        .collect();
    outline.extend([(1.1, 1.1), (-0.1, 1.1)]);
    Shape::polygon(&outline)
}

fn paint_house(p: &mut Painter, thing: &Thing) {
    let &Thing { ref kind, x, foot, height } = thing;
    let &Kind::House { width, roof, windows, chimney, door } = kind else { return };
    let (left, top) = (x - width / 2.0, foot - height);
    let down = |y: f32| (y - top) / height;
    if chimney.is_finite() {
        let (w, cx) = (width * 0.11, x + chimney * width);
        let shape = Shape::rect(cx - w / 2.0, top - roof * 1.3, w, roof * 1.2);
        p.put(&shape, Class::Roof, |_, _| 1.0);
    }
    let wall = Shape::rect(left, top, width, height);
    p.put(&wall, Class::Wall, |px, py| texture::rows((px - x) / width, down(py), 3.0));
    let eaves = width * 0.1;
    let gable = [
        (left - eaves, top + 0.02 * height),
        (left + width * 0.16, top - roof),
        (left + width * 0.84, top - roof),
        (left + width + eaves, top + 0.02 * height),
    ];
    p.put(&Shape::polygon(&gable), Class::Roof, |px, py| texture::rows((px - x) / width, down(py), 5.0));

    // The door takes one place in a row of equal ones, the windows the others.
    let places = windows + 1;
    let at_door = ((door * places as f32) as usize).min(windows);
    for i in 0..places {
        let cx = left + width * (i as f32 + 0.5) / places as f32;
        let w = (width / places as f32 * 0.56).min(height * 0.36);
        if i == at_door {
            let shape = Shape::rect(cx - w / 2.0, foot - height * 0.58, w, height * 0.58);
            p.put(&shape, Class::Door, |_, py| down(py));
        } else {
            let shape = Shape::rect(cx - w / 2.0, foot - height * 0.72, w, height * 0.4);
            p.put(&shape, Class::Window, |_, py| down(py));
        }
    }
}
