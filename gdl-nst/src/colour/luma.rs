use crate::losses::{in_f64, value};
use candle_core::{Device, Result, Tensor, bail};

/// Brightness as television has it: `Y = 0.299 R + 0.587 G + 0.114 B`, the first part of YIQ and of YCbCr.
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

/// A picture in grey: its luma in all three channels.
///
/// # Shape
/// (3, H, W) to the same, RGB in [0, 1].
///
/// # Errors
/// When `picture` is not such a tensor.
pub fn luma(picture: &Tensor) -> Result<Tensor> {
    y(picture)?.broadcast_as(picture.shape())?.contiguous()
}

/// A picture's luma with the chroma of another.
///
/// In YIQ as in YCbCr the chroma is linear in `RGB - Y`; so taking it over is `picture's Y + (other - other's Y)`,
/// clamped to [0, 1].
///
/// # Shape
/// Two pictures (3, H, W) of one shape, RGB in [0, 1], to that shape.
///
/// # Errors
/// When they are not.
///
/// # Source
/// Gatys et al. 2016, *Preserving Color in Neural Artistic Style Transfer*, section 3.2.
pub fn with_chroma_of(picture: &Tensor, other: &Tensor) -> Result<Tensor> {
    if picture.dims() != other.dims() {
        bail!("colours: a picture of {:?} with the chroma of one of {:?}", picture.dims(), other.dims())
    }
    other.broadcast_add(&(y(picture)? - y(other)?)?)?.clamp(0.0, 1.0)
}

/// [`luma`], with the mean and the deviation of another picture's.
pub(crate) fn luma_like(picture: &Tensor, other: &Tensor) -> Result<Tensor> {
    let moments = |x: &Tensor| -> Result<(f64, f64)> {
        let y = in_f64(&y(x)?)?;
        let mean = value(&y.mean_all()?)?;
        Ok((mean, value(&(y - mean)?.sqr()?.mean_all()?)?.sqrt()))
    };
    let ((mean, deviation), (to_mean, to_deviation)) = (moments(picture)?, moments(other)?);
    // Of one brightness: there is nothing to stretch.
    let factor = if deviation > 1e-6 { to_deviation / deviation } else { 1.0 };
    luma(picture)?.affine(factor, to_mean - factor * mean)?.clamp(0.0, 1.0)
}

/// (1, H, W)
fn y(picture: &Tensor) -> Result<Tensor> {
    let (c, h, w) = picture.dims3()?;
    if c != 3 {
        bail!("colours: a picture is (3, H, W), not {:?}", picture.dims())
    }
    let row = Tensor::new(&LUMA, &Device::Cpu)?.to_dtype(picture.dtype())?.to_device(picture.device())?;
    row.unsqueeze(0)?.matmul(&picture.reshape((c, h * w))?)?.reshape((1, h, w))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use gdl_train::SharedRng;

    #[test]
    fn chroma_and_luma_each_come_from_one() {
        let rng = SharedRng::seed(5);
        // Far from the ends, where nothing is clamped.
        let draw = || rng.rand((3, 4, 5), 0.4, 0.6, DType::F64, &Device::Cpu).unwrap();
        let (a, b) = (draw(), draw());
        let off = |x: &Tensor, y: &Tensor| -> f64 {
            (x - y).unwrap().abs().unwrap().sum_all().unwrap().to_scalar().unwrap()
        };
        let mixed = with_chroma_of(&a, &b).unwrap();
        assert!(off(&luma(&mixed).unwrap(), &luma(&a).unwrap()) < 1e-12);
        let chroma = |x: &Tensor| (x - luma(x).unwrap()).unwrap();
        assert!(off(&chroma(&mixed), &chroma(&b)) < 1e-12);
        assert!(off(&with_chroma_of(&a, &a).unwrap(), &a) < 1e-12);
        let like = luma_like(&a, &b).unwrap();
        let mean = |x: &Tensor| x.mean_all().unwrap().to_scalar::<f64>().unwrap();
        assert!((mean(&like) - mean(&luma(&b).unwrap())).abs() < 1e-9);
        assert!(with_chroma_of(&a, &b.narrow(1, 0, 2).unwrap()).is_err());
        let flat = Tensor::full(0.3f64, (3, 2, 2), &Device::Cpu).unwrap();
        assert!(off(&luma_like(&flat, &flat).unwrap(), &flat) < 1e-9);
    }
}
