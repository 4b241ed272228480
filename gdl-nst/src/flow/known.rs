use super::{Flow, grey, plane::Plane};
use candle_core::{Device, Result, Tensor, bail};

/// Pixels whose brightness changes by more than this on the way are not the same thing.
const SAME: f32 = 0.15;

impl Flow {
    /// Where the motion is known: 1 there, and 0 elsewhere.
    ///
    /// `self` goes from one picture to the other, `back` the other way. A pixel x with the move `u = self(x)`, and the way
    /// back `v = back(x + u)`, is unknown
    /// - when x + u is outside the picture;
    /// - when the way back leads elsewhere, which is what happens to something that was hidden: `|u + v|^2 > 0.01 (|u|^2 +
    ///   |v|^2) + 0.5`;
    /// - at the edge of something that moves, where the flow is blurred: `|grad u|^2 > 0.01 |u|^2 + 0.002`;
    /// - when the pictures differ there: `|luma of to at x + u - luma of from at x| > 0.15`.
    ///
    /// # Shape
    /// `from` and `to`, the pictures that `self` goes between, (3, H, W); to (1, H, W), in f32 on the CPU.
    ///
    /// # Errors
    /// When sizes differ.
    ///
    /// # Source
    /// Ruder, Dosovitskiy and Brox 2016, *Artistic style transfer for videos*, equations 5 and 6, after Sundaram, Brox and
    /// Keutzer 2010. The comparison of brightness is ours.
    pub fn known(&self, back: &Self, from: &Tensor, to: &Tensor) -> Result<Tensor> {
        let (h, w) = self.size();
        if back.size() != (h, w) || from.dims() != [3, h, w] || to.dims() != [3, h, w] {
            bail!(
                "flow: one of {h}x{w}, back {:?}, between {:?} and {:?}",
                back.size(),
                from.dims(),
                to.dims()
            )
        }
        let component =
            |k: usize| Plane { height: h, width: w, values: back.moves.iter().map(|m| m[k]).collect() };
        let (from, to) = (Plane::of(&grey(from)?)?, Plane::of(&grey(to)?)?);
        let (right, down) = (component(0), component(1));
        let mut known = vec![0f32; h * w];
        self.each(&mut known, |[x, y], [dx, dy], i| {
            if !to.holds(x, y) || (to.linear(x, y) - from.values[i]).abs() > SAME {
                return 0.0;
            }
            let (bx, by) = (right.linear(x, y), down.linear(x, y));
            let off = (dx + bx).powi(2) + (dy + by).powi(2);
            let size = dx * dx + dy * dy;
            let there_and_back = off <= 0.01 * (size + bx * bx + by * by) + 0.5;
            f32::from(u8::from(there_and_back && self.steepness(i) <= 0.01 * size + 0.002))
        });
        Tensor::from_vec(known, (1, h, w), &Device::Cpu)
    }

    /// `|grad u|^2` at a pixel, by the differences of its neighbours.
    fn steepness(&self, i: usize) -> f32 {
        let (w, x, y) = (self.width, i % self.width, i / self.width);
        let between = |a: usize, b: usize, apart: usize| {
            let [dx, dy] = [0, 1].map(|k| self.moves[b][k] - self.moves[a][k]);
            (dx * dx + dy * dy) / (apart.max(1) as f32).powi(2)
        };
        let (left, right) = (x.saturating_sub(1), (x + 1).min(w - 1));
        let (top, bottom) = (y.saturating_sub(1), (y + 1).min(self.height - 1));
        between(y * w + left, y * w + right, right - left)
            + between(top * w + x, bottom * w + x, bottom - top)
    }
}
