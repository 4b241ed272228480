use candle_core::{Result, Tensor};

/// One channel of a picture, read between its pixels; beyond its border as at the border.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    /// Of (1, H, W), f32 on the CPU.
    pub(super) fn of(channel: &Tensor) -> Result<Self> {
        let (_, height, width) = channel.dims3()?;
        Ok(Self { height, width, values: channel.flatten_all()?.to_vec1()? })
    }

    /// The least and the largest value.
    pub(super) fn range(&self) -> (f32, f32) {
        self.values.iter().fold((f32::MAX, f32::MIN), |(l, u), &v| (l.min(v), u.max(v)))
    }

    /// Whether a place is within the picture: column and row from 0 to the last.
    pub(super) fn holds(&self, x: f32, y: f32) -> bool {
        // NaN is nowhere.
        x >= 0.0 && y >= 0.0 && x <= (self.width - 1) as f32 && y <= (self.height - 1) as f32
    }

    /// Between four pixels.
    pub(super) fn linear(&self, x: f32, y: f32) -> f32 {
        let ((x, fx), (y, fy)) = (split(x, self.width), split(y, self.height));
        let row = |y: isize| {
            let at = |x: isize| self.pixel(x, y);
            at(x) + (at(x + 1) - at(x)) * fx
        };
        let (above, below) = (row(y), row(y + 1));
        above + (below - above) * fy
    }

    /// Between sixteen pixels, by Catmull-Rom.
    pub(super) fn cubic(&self, x: f32, y: f32) -> f32 {
        let ((x, fx), (y, fy)) = (split(x, self.width), split(y, self.height));
        let row = |y: isize| catmull_rom([-1, 0, 1, 2].map(|k| self.pixel(x + k, y)), fx);
        catmull_rom([-1, 0, 1, 2].map(|k| row(y + k)), fy)
    }

    /// Half the difference of the neighbours, to the right and down.
    pub(super) fn slopes(&self) -> [Self; 2] {
        let mut slopes = [self.clone(), self.clone()];
        for i in 0..self.values.len() {
            let (x, y) = ((i % self.width) as isize, (i / self.width) as isize);
            slopes[0].values[i] = 0.5 * (self.pixel(x + 1, y) - self.pixel(x - 1, y));
            slopes[1].values[i] = 0.5 * (self.pixel(x, y + 1) - self.pixel(x, y - 1));
        }
        slopes
    }

    fn pixel(&self, x: isize, y: isize) -> f32 {
        let within = |i: isize, n: usize| i.clamp(0, n as isize - 1) as usize;
        self.values[within(y, self.height) * self.width + within(x, self.width)]
    }
}

/// The pixel before a place, and how far behind it the place is; within the picture.
fn split(at: f32, n: usize) -> (isize, f32) {
    // `max` first: NaN becomes 0.
    let at = at.max(0.0).min((n - 1) as f32);
    (at as isize, at.fract())
}

fn catmull_rom([a, b, c, d]: [f32; 4], t: f32) -> f32 {
    b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
}
