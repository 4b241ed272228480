use super::{inverse_or_one, place_weighted, value};
use candle_core::{DType, Device, Result, Tensor, WithDType, bail};
use gdl_kernels::par;

/// How finely a channel's distribution is kept: the tails of a thousandth matter, they are the highlights.
const LEVELS: usize = 1024;

/// The values of each channel in order: its quantiles at `(k + 1/2) / 1024`.
///
/// # Shape
/// (1, C, H, W) to (1, C, 1024).
///
/// # Errors
/// When `f` is not such a tensor.
pub fn quantiles(f: &Tensor) -> Result<Tensor> {
    per_channel(f, None, None, |channel| {
        let mut at = 0;
        (0..LEVELS).map(|k| channel.quantile((k as f64 + 0.5) / LEVELS as f64, &mut at)).collect()
    })
}

/// How far the distribution of each channel is from that of the style picture.
///
/// `E = mean((F - R(F))^2) / mean(F_s^2)`, where R gives each value the one of the same rank in the style picture's channel
///
/// R is held constant in the gradient, which is exact: a small change of F changes no rank. Equal values, like the
/// zeros behind a rectifier, all get the mean of what their ranks get. Relative to the target's mean square.
///
/// # Shape
/// `features` (1, C, H, W), `target` (1, C, 1024) as [`quantiles`] gives it, `places` (1, 1, H, W) of mean 1 or none, to a
/// scalar.
///
/// # Errors
/// When the shapes do not fit.
///
/// # Source
/// Risser, Wilmot and Barnes 2017, *Stable and Controllable Neural Texture Synthesis and Style Transfer Using
/// Histogram Losses*, section 4.1, which matches by histograms of 256 bins instead of by rank.
pub fn histogram_loss(features: &Tensor, target: &Tensor, places: Option<&Tensor>) -> Result<Tensor> {
    let scale = histogram_scale(target)?;
    let off = (features - matched(features, target, places)?)?;
    place_weighted(&off, places)?.sqr()?.mean_all()? * scale
}

/// What the mean squared distance to the matched features is multiplied with, which depends on the target alone.
pub(crate) fn histogram_scale(target: &Tensor) -> Result<f64> {
    Ok(inverse_or_one(value(&target.sqr()?.mean_all()?)?))
}

/// `R(F)` of [`histogram_loss`], of F's shape.
fn matched(features: &Tensor, target: &Tensor, places: Option<&Tensor>) -> Result<Tensor> {
    let (_, c, _, _) = features.dims4()?;
    if target.dims() != [1, c, LEVELS] {
        bail!("histogram loss: features of {:?}, a target of {:?}", features.dims(), target.dims())
    }
    per_channel(&features.detach(), places, Some(target), |channel| channel.matched())?
        .reshape(features.shape())
}

/// Puts `R(F)` in the place of F, a few channels at a time: the ranks of one take six times its memory.
pub(crate) fn match_in_place(features: &Tensor, target: &Tensor, places: Option<&Tensor>) -> Result<()> {
    let (_, c, h, w) = features.dims4()?;
    let together = (AT_ONCE / (h * w).max(1)).clamp(1, c.max(1));
    for first in (0..c).step_by(together) {
        let n = together.min(c - first);
        let channels = features.narrow(1, first, n)?.contiguous()?;
        let found = matched(&channels, &target.narrow(1, first, n)?, places)?;
        features.slice_set(&found, 1, first)?;
    }
    Ok(())
}

/// Values whose ranks [`match_in_place`] looks for at once, where a channel has no more.
pub(crate) const AT_ONCE: usize = 1 << 20;

/// One channel, its values in order.
struct Channel<'a> {
    /// Value and position.
    sorted: Vec<(f64, usize)>,
    /// The probability below the middle of each value.
    middles: Vec<f64>,
    /// The other's quantiles.
    target: &'a [f64],
}

impl Channel<'_> {
    /// The value below which `p` lies, between the middles of two linearly. `at` goes up with `p`.
    fn quantile(&self, p: f64, at: &mut usize) -> f64 {
        while self.middles.get(*at).is_some_and(|m| *m < p) {
            *at += 1;
        }
        let value = |i: usize| self.sorted[i].0;
        match (*at, self.middles.get(*at)) {
            (0, _) => value(0),
            (i, None) => value(i - 1),
            (i, Some(&above)) => {
                let below = self.middles[i - 1];
                value(i - 1) + (value(i) - value(i - 1)) * (p - below) / (above - below)
            }
        }
    }

    /// What each position gets, in the order of the positions.
    fn matched(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.sorted.len()];
        let last = LEVELS - 1;
        let of = |p: f64| {
            let x = (p * LEVELS as f64 - 0.5).clamp(0.0, last as f64);
            let (i, rest) = (x as usize, x.fract());
            self.target[i] + (self.target[(i + 1).min(last)] - self.target[i]) * rest
        };
        let mut start = 0;
        for equal in self.sorted.chunk_by(|a, b| a.0 == b.0) {
            let places = start..start + equal.len();
            let mean = places.map(|i| of(self.middles[i])).sum::<f64>() / equal.len() as f64;
            equal.iter().for_each(|(_, position)| out[*position] = mean);
            start += equal.len();
        }
        out
    }
}

/// Runs `f` for each channel and stacks what it gives: (1, C, n).
fn per_channel(
    features: &Tensor,
    places: Option<&Tensor>,
    target: Option<&Tensor>,
    f: impl Fn(Channel<'_>) -> Vec<f64> + Send + Sync,
) -> Result<Tensor> {
    let (n, c, h, w) = features.dims4()?;
    let p = h * w;
    if n != 1 || c * p == 0 || places.is_some_and(|t| t.elem_count() != p) {
        bail!("histogram: features of {:?}, places of {:?}", features.dims(), places.map(Tensor::dims))
    }
    let weights = places.map(numbers::<f64>).transpose()?;
    let target = target.map(numbers::<f64>).transpose()?.unwrap_or_default();
    let channel = |values: &mut dyn Iterator<Item = f64>, i: usize| {
        let mut sorted: Vec<_> = values.zip(0..p).collect();
        // By value and then by position: the order does not depend on the sort.
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let weight = |position: usize| weights.as_ref().map_or(1.0, |w| w[position]) / p as f64;
        let mut below = 0.0;
        let middles = sorted
            .iter()
            .map(|(_, position)| {
                below += weight(*position);
                below - 0.5 * weight(*position)
            })
            .collect();
        f(Channel { sorted, middles, target: target.get(i * LEVELS..(i + 1) * LEVELS).unwrap_or(&[]) })
    };
    let rows = match features.dtype() {
        DType::F64 => {
            let values = numbers::<f64>(features)?;
            par::map(c, |i| channel(&mut values[i * p..(i + 1) * p].iter().copied(), i))
        }
        _ => {
            let values = numbers::<f32>(features)?;
            par::map(c, |i| channel(&mut values[i * p..(i + 1) * p].iter().map(|v| f64::from(*v)), i))
        }
    };
    let length = rows[0].len();
    let flat = rows.concat();
    Tensor::from_vec(flat, (1, c, length), &Device::Cpu)?
        .to_dtype(features.dtype())?
        .to_device(features.device())
}

fn numbers<T: WithDType>(t: &Tensor) -> Result<Vec<T>> {
    t.to_device(&Device::Cpu)?.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1()
}
