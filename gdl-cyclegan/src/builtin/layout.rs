use gdl_kernels::rng::Rng;

/// What stands where in one landscape; how it looks is decided when it is drawn.
///
/// The picture is the unit square, `y` downwards.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Seeds the textures.
    pub(super) grain: u32,
    pub(super) sun: Sun,
    pub(super) clouds: Vec<Cloud>,
    pub(super) mountains: Vec<Mountain>,
    pub(super) hills: Vec<Hill>,
    pub(super) band: Option<Band>,
    /// Houses and trees, the farthest first.
    pub(super) things: Vec<Thing>,
}

#[derive(Debug, Clone)]
pub(super) struct Sun {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
}

#[derive(Debug, Clone)]
pub(super) struct Cloud {
    /// Centre and radii of the puffs.
    pub(super) puffs: Vec<(f32, f32, f32, f32)>,
    pub(super) top: f32,
    pub(super) bottom: f32,
}

#[derive(Debug, Clone)]
pub(super) struct Mountain {
    pub(super) peak: (f32, f32),
    pub(super) left: f32,
    pub(super) right: f32,
    pub(super) foot: f32,
    /// Where the lit side ends at the foot.
    pub(super) fold: f32,
}

/// Land below a wavy ridge. The first hill is the farthest.
#[derive(Debug, Clone)]
pub(super) struct Hill {
    pub(super) base: f32,
    /// Amplitude, waves per unit and phase of each wave.
    pub(super) waves: [(f32, f32, f32); 2],
    /// Stripes per unit of height, and how much they lean.
    pub(super) stripes: f32,
    pub(super) lean: f32,
}

impl Hill {
    pub(super) fn ridge(&self, x: f32) -> f32 {
        let wave = |&(a, k, p): &(f32, f32, f32)| a * (std::f32::consts::TAU * (k * x + p)).sin();
        self.base + self.waves.iter().map(wave).sum::<f32>()
    }
}

/// A river or a path that winds down the nearest hill.
#[derive(Debug, Clone)]
pub(super) struct Band {
    pub(super) water: bool,
    /// Left edge, right edge and height, from far to near.
    pub(super) edges: Vec<(f32, f32, f32)>,
}

#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    pub(super) x: f32,
    /// Where it stands.
    pub(super) foot: f32,
    pub(super) height: f32,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    House { width: f32, roof: f32, windows: usize, chimney: f32, door: f32 },
    Round { width: f32, lumps: Vec<(f32, f32, f32)> },
    Poplar { width: f32 },
    Fir { width: f32, tiers: usize },
}

/// Draws in f32, which is what the canvas works in.
struct Draws(Rng);

impl Draws {
    fn range(&mut self, low: f32, high: f32) -> f32 {
        self.0.range(f64::from(low), f64::from(high)) as f32
    }

    fn count(&mut self, low: usize, high: usize) -> usize {
        low + self.0.below(high - low + 1)
    }

    fn chance(&mut self, probability: f32) -> bool {
        self.0.chance(f64::from(probability))
    }
}

impl Scene {
    /// Scene number `index` under a seed.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut d = Draws(Rng::stream(seed, &format!("scene/{index}")));
        let horizon = d.range(0.44, 0.62);
        let sun =
            Sun { x: d.range(0.12, 0.88), y: d.range(0.11, horizon - 0.16), radius: d.range(0.055, 0.095) };
        let clouds = (0..d.count(0, 3)).map(|_| cloud(&mut d, horizon)).collect();
        let mountains = match d.chance(0.7) {
            true => (0..d.count(1, 3)).map(|_| mountain(&mut d, horizon)).collect(),
            false => Vec::new(),
        };
        let hills = hills(&mut d, horizon);
        let band = if d.chance(0.6) { hills.last().map(|h| band(&mut d, h)) } else { None };
        let things = things(&mut d, &hills, band.as_ref());
        let grain = d.0.bits() as u32;
        Self { grain, sun, clouds, mountains, hills, band, things }
    }
}

fn cloud(d: &mut Draws, horizon: f32) -> Cloud {
    let (x, y, size) = (d.range(0.05, 0.95), d.range(0.08, horizon * 0.6), d.range(0.05, 0.085));
    let n = d.count(3, 5);
    let puffs: Vec<_> = (0..n)
        .map(|i| {
            let along = i as f32 - (n - 1) as f32 / 2.0;
            let bulge = 1.0 - 0.22 * along.abs();
            let r = size * bulge * d.range(0.75, 1.1);
            (x + along * size * 0.95, y - 0.35 * r + size * 0.12 * along.abs(), r, r * 0.72)
        })
        .collect();
    let top = puffs.iter().map(|p| p.1 - p.3).fold(f32::MAX, f32::min);
    Cloud { puffs, top, bottom: y + size * 0.3 }
}

fn mountain(d: &mut Draws, horizon: f32) -> Mountain {
    let (x, height) = (d.range(0.0, 1.0), d.range(0.12, 0.3));
    let (left, right) = (height * d.range(0.9, 1.6), height * d.range(0.9, 1.6));
    Mountain {
        peak: (x, horizon + 0.04 - height),
        left: x - left,
        right: x + right,
        foot: horizon + 0.12,
        fold: x + height * d.range(-0.25, 0.35),
    }
}

fn hills(d: &mut Draws, horizon: f32) -> Vec<Hill> {
    let n = d.count(2, 3);
    (0..n)
        .map(|i| {
            let depth = i as f32 / n as f32;
            let base = horizon + depth * (0.94 - horizon) + d.range(-0.015, 0.015);
            let waves = [
                (d.range(0.015, 0.05), d.range(0.5, 1.1), d.range(0.0, 1.0)),
                (d.range(0.004, 0.014), d.range(1.5, 2.6), d.range(0.0, 1.0)),
            ];
            let sign = if d.chance(0.5) { 1.0 } else { -1.0 };
            Hill { base, waves, stripes: d.range(9.0, 13.0), lean: sign * d.range(0.15, 0.8) }
        })
        .collect()
}

fn band(d: &mut Draws, hill: &Hill) -> Band {
    let water = d.chance(0.55);
    let (start, end) = (d.range(0.2, 0.8), d.range(0.1, 0.9));
    let (swing, turns, phase) = (d.range(0.04, 0.13), d.range(0.8, 1.4), d.range(0.0, 1.0));
    let widest = if water { d.range(0.2, 0.34) } else { d.range(0.1, 0.17) };
    let top = hill.ridge(start) + 0.004;
    let edges = (0..=16)
        .map(|i| {
            let t = i as f32 / 16.0;
            // Perspective: slow and narrow far away, fast and wide near by.
            let y = top + (1.08 - top) * t.powf(1.3);
            let bend = swing * ((std::f32::consts::TAU * (turns * t + phase)).sin()) * (0.25 + t);
            let (x, half) = (start + (end - start) * t + bend, widest * 0.5 * (0.06 + t.powf(1.2)));
            (x - half, x + half, y)
        })
        .collect();
    Band { water, edges }
}

fn things(d: &mut Draws, hills: &[Hill], band: Option<&Band>) -> Vec<Thing> {
    let mut found: Vec<Thing> = Vec::new();
    let houses = if d.chance(0.85) { d.count(1, 2) } else { 0 };
    let trees = d.count(3, 8);
    for i in 0..houses + trees {
        // A few tries to find a free place; a crowded scene stays without.
        for _ in 0..12 {
            let layer = d.0.below(hills.len());
            let hill = &hills[layer];
            let x = d.range(0.05, 0.95);
            let below = hills.get(layer + 1).map_or(0.97, |next| next.ridge(x));
            let ridge = hill.ridge(x);
            let foot = ridge + 0.015 + (below - ridge - 0.02).max(0.0) * d.range(0.05, 0.6);
            // Nearer things are larger.
            let near = 0.45 + 0.75 * ((foot - hills[0].base) / (1.0 - hills[0].base)).clamp(0.0, 1.0);
            let (kind, height) = if i < houses { house(d, near) } else { tree(d, near) };
            let half = width(&kind) / 2.0;
            let apart = |t: &Thing| {
                (t.x - x).abs() > 0.9 * (half + width(&t.kind) / 2.0) || (t.foot - foot).abs() > 0.22
            };
            if found.iter().all(apart) && !on_band(band, x, half * 0.6, foot) {
                found.push(Thing { kind, x, foot, height });
                break;
            }
        }
    }
    found.sort_by(|a, b| a.foot.total_cmp(&b.foot));
    found
}

fn on_band(band: Option<&Band>, x: f32, half: f32, foot: f32) -> bool {
    let crosses = |w: &[(f32, f32, f32)]| {
        let inside = x + half > w[0].0.min(w[1].0) && x - half < w[0].1.max(w[1].1);
        inside && foot + 0.03 > w[0].2 && foot - 0.02 < w[1].2
    };
    band.is_some_and(|b| b.edges.windows(2).any(crosses))
}

fn width(kind: &Kind) -> f32 {
    match kind {
        Kind::House { width, .. }
        | Kind::Round { width, .. }
        | Kind::Poplar { width }
        | Kind::Fir { width, .. } => *width,
    }
}

fn house(d: &mut Draws, near: f32) -> (Kind, f32) {
    let height = near * d.range(0.13, 0.19);
    let width = height * d.range(1.2, 1.9);
    let kind = Kind::House {
        width,
        roof: height * d.range(0.6, 0.95),
        windows: d.count(1, 3),
        chimney: if d.chance(0.6) { d.range(-0.28, 0.28) } else { f32::NAN },
        door: d.range(0.0, 1.0),
    };
    (kind, height)
}

fn tree(d: &mut Draws, near: f32) -> (Kind, f32) {
    match d.0.below(4) {
        0 => {
            let height = near * d.range(0.26, 0.38);
            (Kind::Poplar { width: height * d.range(0.26, 0.36) }, height)
        }
        1 => {
            let height = near * d.range(0.2, 0.32);
            (Kind::Fir { width: height * d.range(0.5, 0.66), tiers: d.count(2, 4) }, height)
        }
        _ => {
            let height = near * d.range(0.18, 0.3);
            let width = height * d.range(0.75, 1.0);
            let n = d.count(5, 7);
            let lumps = (0..n)
                .map(|i| {
                    let angle = std::f32::consts::TAU * (i as f32 + d.range(-0.2, 0.2)) / n as f32;
                    (0.26 * angle.cos(), 0.22 * angle.sin(), d.range(0.2, 0.27))
                })
                .collect();
            (Kind::Round { width, lumps }, height)
        }
    }
}
