mod luma;

pub(crate) use luma::luma_like;
pub use luma::{luma, with_chroma_of};

use crate::{Style, StyleSource};
use candle_core::{DType, Device, Result, Tensor};
use gdl_train::SharedRng;
use serde::{Deserialize, Serialize};

/// The picture with the mean and the covariance of another's colours.
///
/// `x' = L_s L_c^-1 (x - mean_c) + mean_s` with the Cholesky factors L of the two covariances, clamped to [0, 1]
///
/// # Shape
/// Two pictures (3, H, W) of any sizes, RGB in [0, 1], to the first one's shape.
///
/// # Errors
/// When one is not such a tensor.
///
/// # Source
/// Gatys et al. 2016, *Preserving Color in Neural Artistic Style Transfer*, section 3.1, the other way round.
pub fn match_colours(picture: &Tensor, palette: &Tensor) -> Result<Tensor> {
    Palette::of(palette)?.recolour(picture)
}

type Matrix = [[f64; 3]; 3];

/// Mean and covariance of colours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Palette {
    mean: [f64; 3],
    covariance: Matrix,
}

impl Palette {
    /// Of one picture (3, H, W).
    pub(crate) fn of(picture: &Tensor) -> Result<Self> {
        let (c, h, w) = picture.dims3()?;
        if c != 3 || h * w == 0 {
            candle_core::bail!("colours: a picture is (3, H, W), not {:?}", picture.dims())
        }
        let planes =
            picture.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.reshape((3, h * w))?.to_vec2::<f64>()?;
        let n = (h * w) as f64;
        let mean: [f64; 3] = std::array::from_fn(|i| planes[i].iter().sum::<f64>() / n);
        let covariance = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let pairs = planes[i].iter().zip(&planes[j]);
                // A picture of one colour has no covariance to divide by.
                pairs.map(|(a, b)| (a - mean[i]) * (b - mean[j])).sum::<f64>() / n
                    + if i == j { 1e-5 } else { 0.0 }
            })
        });
        Ok(Self { mean, covariance })
    }

    /// Whether a picture can have these colours.
    pub(crate) fn is_sound(&self) -> bool {
        let within = |x: &f64| x.is_finite() && x.abs() <= 1.0;
        self.mean.iter().chain(self.covariance.iter().flatten()).all(within)
    }

    /// Of all the styles' pixels together, each style counting by its weight.
    pub(crate) fn of_styles(styles: &[Style]) -> Result<Self> {
        let sum: f64 = styles.iter().map(|s| s.weight).sum();
        let own = |style: &Style| match &style.source {
            StyleSource::Picture(image) => Self::of(image),
            StyleSource::Cache(cache) => Ok(cache.palette()),
        };
        let parts = styles.iter().map(|s| Ok((s.weight / sum, own(s)?))).collect::<Result<Vec<_>>>()?;
        let mean: [f64; 3] = std::array::from_fn(|i| parts.iter().map(|(w, p)| w * p.mean[i]).sum());
        let covariance = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let about = |p: &Self| p.covariance[i][j] + (p.mean[i] - mean[i]) * (p.mean[j] - mean[j]);
                parts.iter().map(|(w, p)| w * about(p)).sum()
            })
        });
        Ok(Self { mean, covariance })
    }

    /// The picture with this mean and covariance, clamped to [0, 1].
    pub(crate) fn recolour(&self, picture: &Tensor) -> Result<Tensor> {
        self.recolour_from(&Self::of(picture)?, picture)
    }

    /// The picture changed in the way that gives pictures with the colours `own` this mean and covariance, clamped to
    /// [0, 1].
    pub(crate) fn recolour_from(&self, own: &Self, picture: &Tensor) -> Result<Tensor> {
        let map = product(&cholesky(self.covariance), &inverse(&cholesky(own.covariance)));
        mapped(picture, &map, own.mean, self.mean)
    }

    /// Noise (3, H, W) with this mean and covariance, clamped to [0, 1].
    pub(crate) fn noise(&self, (h, w): (usize, usize), rng: &SharedRng) -> Result<Tensor> {
        let noise = rng.randn((3, h, w), DType::F32, &Device::Cpu)?;
        mapped(&noise, &cholesky(self.covariance), [0.0; 3], self.mean)
    }
}

/// `map (x - from) + to` for every pixel, clamped to [0, 1].
fn mapped(picture: &Tensor, map: &Matrix, from: [f64; 3], to: [f64; 3]) -> Result<Tensor> {
    let shift: Vec<f64> = (0..3).map(|i| to[i] - (0..3).map(|j| map[i][j] * from[j]).sum::<f64>()).collect();
    let (c, h, w) = picture.dims3()?;
    let flat: Vec<f64> = map.iter().flatten().copied().collect();
    let like = |t: Tensor| t.to_dtype(picture.dtype())?.to_device(picture.device());
    let map = like(Tensor::from_vec(flat, (3, 3), &Device::Cpu)?)?;
    let shift = like(Tensor::from_vec(shift, (3, 1), &Device::Cpu)?)?;
    map.matmul(&picture.reshape((c, h * w))?)?.broadcast_add(&shift)?.clamp(0.0, 1.0)?.reshape((c, h, w))
}

fn cholesky(a: Matrix) -> Matrix {
    let mut l = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            l[i][j] = if i == j { rest.max(1e-12).sqrt() } else { rest / l[j][j] };
        }
    }
    l
}

/// Of a lower triangular matrix.
fn inverse(l: &Matrix) -> Matrix {
    let mut inv = [[0.0; 3]; 3];
    for j in 0..3 {
        inv[j][j] = 1.0 / l[j][j];
        for i in j + 1..3 {
            inv[i][j] = -(j..i).map(|k| l[i][k] * inv[k][j]).sum::<f64>() / l[i][i];
        }
    }
    inv
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_covariance_become_the_palettes() {
        let rng = SharedRng::seed(3);
        let picture = rng.rand((3, 9, 11), 0.2, 0.8, DType::F64, &Device::Cpu).unwrap();
        let palette = rng.rand((3, 7, 5), 0.4, 0.6, DType::F64, &Device::Cpu).unwrap();
        let matched = match_colours(&picture, &palette).unwrap();
        let (got, want) = (Palette::of(&matched).unwrap(), Palette::of(&palette).unwrap());
        for i in 0..3 {
            assert!((got.mean[i] - want.mean[i]).abs() < 1e-9);
            for j in 0..3 {
                // The ridge of 1e-5 on both sides does not cancel exactly.
                let off = got.covariance[i][j] - want.covariance[i][j];
                assert!(off.abs() < 2e-5, "{got:?} {want:?}");
            }
        }
        let grey = Tensor::full(0.5f64, (3, 4, 4), &Device::Cpu).unwrap();
        assert!(match_colours(&grey, &palette).is_ok());
    }

    #[test]
    fn a_mixed_palette_is_that_of_the_pixels_together() {
        let rng = SharedRng::seed(4);
        let draw = |h, lo, hi| rng.rand((3, h, 6), lo, hi, DType::F64, &Device::Cpu).unwrap();
        let (a, b) = (draw(10, 0.1, 0.5), draw(5, 0.4, 0.9));
        let both = Palette::of(&Tensor::cat(&[&a, &b], 1).unwrap()).unwrap();
        let styles = [Style { weight: 2.0, ..Style::from(a) }, Style::from(b)];
        let mixed = Palette::of_styles(&styles).unwrap();
        for i in 0..3 {
            assert!((mixed.mean[i] - both.mean[i]).abs() < 1e-12);
            for j in 0..3 {
                assert!((mixed.covariance[i][j] - both.covariance[i][j]).abs() < 1e-12);
            }
        }
        let noise = mixed.noise((80, 90), &SharedRng::seed(1)).unwrap();
        let got = Palette::of(&noise).unwrap();
        for i in 0..3 {
            // Clamped, and of 7,200 draws.
            assert!((got.mean[i] - mixed.mean[i]).abs() < 0.02, "{got:?} {mixed:?}");
            assert!((got.covariance[i][i] / mixed.covariance[i][i] - 1.0).abs() < 0.15, "{got:?} {mixed:?}");
        }
    }
}
