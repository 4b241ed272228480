use crate::pixels::with_slice;
use candle_core::{DType, Device, Result, Tensor};

/// The kernel with which pictures are resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// The mean over the area of a new pixel.
    Box,
    /// Linear ("bilinear"): smooth, no overshoot.
    Triangle,
    /// Catmull-Rom ("bicubic", a = -1/2): sharper, what training on pictures usually takes.
    #[default]
    CatmullRom,
    /// Lanczos with three lobes: the sharpest.
    Lanczos3,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Triangle => 1.0,
            Self::CatmullRom => 2.0,
            Self::Lanczos3 => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let a = x.abs();
        let sinc = |t: f64| {
            if t == 0.0 { 1.0 } else { (std::f64::consts::PI * t).sin() / (std::f64::consts::PI * t) }
        };
        match self {
            // Half open, so that a sample on the border between two pixels counts once.
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Triangle => (1.0 - a).max(0.0),
            Self::CatmullRom if a < 1.0 => (1.5 * a - 2.5) * a * a + 1.0,
            Self::CatmullRom if a < 2.0 => ((-0.5 * a + 2.5) * a - 4.0) * a + 2.0,
            Self::Lanczos3 if a < 3.0 => sinc(a) * sinc(a / 3.0),
            _ => 0.0,
        }
    }
}

/// Scales a picture to `height` x `width`.
///
/// Separable, with half-pixel centres; the filter is widened by the scale when shrinking (antialiasing) and its weights
/// are normalised at the borders. The result is clamped to the range of the input, which only a filter with
/// negative lobes could leave.
///
/// # Shape
/// (C, H, W) to (C, height, width), f32, on the input's device.
///
/// # Errors
/// A size of zero, or a tensor that has not three dimensions.
///
/// # Source
/// Pillow's `Resample.c`; equal to `torch.nn.functional.interpolate(mode="bilinear" | "bicubic", antialias=True)`.
pub fn resize(x: &Tensor, height: usize, width: usize, filter: Filter) -> Result<Tensor> {
    let (c, h, w) = x.dims3()?;
    if h == 0 || w == 0 || height == 0 || width == 0 {
        candle_core::bail!("resize: sizes must be at least 1, got {h}x{w} to {height}x{width}")
    }
    let x = x.to_dtype(DType::F32)?;
    if (h, w) == (height, width) {
        return Ok(x);
    }
    let host = x.to_device(&Device::Cpu)?;
    let resized: Result<_> = with_slice(&host, |x| Ok(resample(x, (c, h, w), (height, width), filter)));
    Tensor::from_vec(resized?, (c, height, width), x.device())
}

fn resample(
    source: &[f32],
    (c, h, w): (usize, usize, usize),
    (height, width): (usize, usize),
    filter: Filter,
) -> Vec<f32> {
    let (low, high) = source.iter().fold((f32::MAX, f32::MIN), |(l, u), &v| (l.min(v), u.max(v)));

    let columns = taps(w, width, filter);
    let mut wide = vec![0f32; c * h * width];
    for (row, out) in source.chunks_exact(w).zip(wide.chunks_exact_mut(width)) {
        for ((first, weights), o) in columns.iter().zip(out) {
            *o = weights.iter().zip(&row[*first..]).map(|(k, v)| k * v).sum();
        }
    }
    let rows = taps(h, height, filter);
    let mut result = vec![0f32; c * height * width];
    for (plane, out) in wide.chunks_exact(h * width).zip(result.chunks_exact_mut(height * width)) {
        for ((first, weights), line) in rows.iter().zip(out.chunks_exact_mut(width)) {
            for (k, from) in weights.iter().zip(plane[first * width..].chunks_exact(width)) {
                line.iter_mut().zip(from).for_each(|(o, v)| *o += k * v);
            }
        }
    }
    // `max` then `min` instead of `clamp`: a picture of NaNs has no range, and must not panic.
    result.iter_mut().for_each(|v| *v = v.max(low).min(high));
    result
}

/// Scales a picture so that its shorter side has `size` pixels, keeping its shape.
///
/// # Shape
/// (C, H, W) to (C, size, round(size W / H)) or the other way round, f32.
///
/// # Errors
/// As [`resize`].
pub fn resize_shorter_side(x: &Tensor, size: usize, filter: Filter) -> Result<Tensor> {
    let (_, h, w) = x.dims3()?;
    by_side(x, size, h.min(w), filter)
}

/// Scales a picture so that its longer side has `size` pixels, keeping its shape (no side gets less than one pixel).
///
/// # Shape
/// (C, H, W) to (C, size, round(size W / H)) or the other way round, f32.
///
/// # Errors
/// As [`resize`].
pub fn resize_longer_side(x: &Tensor, size: usize, filter: Filter) -> Result<Tensor> {
    let (_, h, w) = x.dims3()?;
    by_side(x, size, h.max(w), filter)
}

fn by_side(x: &Tensor, size: usize, side: usize, filter: Filter) -> Result<Tensor> {
    let (_, h, w) = x.dims3()?;
    if size == 0 || side == 0 {
        candle_core::bail!("resize: sizes must be at least 1, got {h}x{w} to {size} on one side")
    }
    let scaled = |n: usize| ((n as f64 * size as f64 / side as f64).round() as usize).max(1);
    resize(x, scaled(h), scaled(w), filter)
}

/// For each new sample the first old one it takes from, and the weights from there on.
fn taps(from: usize, to: usize, filter: Filter) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    (0..to)
        .map(|i| {
            let center = (i as f64 + 0.5) * scale;
            let first = ((center - support + 0.5).max(0.0) as usize).min(from - 1);
            let last = ((center + support + 0.5) as usize).clamp(first + 1, from);
            let raw: Vec<f64> =
                (first..last).map(|j| filter.weight((j as f64 + 0.5 - center) / stretch)).collect();
            let sum: f64 = raw.iter().sum();
            (first, raw.iter().map(|k| (k / sum) as f32).collect())
        })
        .collect()
}
