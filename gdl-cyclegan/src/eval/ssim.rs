use candle_core::{DType, Result, Tensor, bail};

/// The window's radius and deviation, and the two constants, of the paper.
const RADIUS: usize = 5;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// Structural similarity of pictures in [0, 1]: mean over channels and over all places where the window fits.
///
/// `((2 ma mb + C1) (2 sab + C2)) / ((ma^2 + mb^2 + C1) (sa^2 + sb^2 + C2))`, with means and (co)variances under a Gaussian window of
/// 11x11 pixels and deviation 1.5, C1 = 0.01^2 and C2 = 0.03^2.
///
/// # Shape
/// (C, H, W), at least 11x11 pixels.
///
/// # Errors
/// When the shapes differ or are smaller.
///
/// # Source
/// Wang, Bovik, Sheikh and Simoncelli, *Image Quality Assessment* (2004).
pub fn ssim(a: &Tensor, b: &Tensor) -> Result<f64> {
    let side = 2 * RADIUS + 1;
    match *a.dims() {
        [_, h, w] if a.dims() == b.dims() && h >= side && w >= side => {}
        _ => bail!(
            "ssim: two pictures (C, H, W) of one size and at least {side}x{side} are needed, got {:?} and {:?}",
            a.dims(),
            b.dims()
        ),
    }
    let (a, b) = (a.to_dtype(DType::F64)?, b.to_dtype(DType::F64)?);
    let (ma, mb) = (blurred(&a)?, blurred(&b)?);
    let (maa, mbb, mab) = (ma.sqr()?, mb.sqr()?, (&ma * &mb)?);
    let saa = (blurred(&a.sqr()?)? - &maa)?;
    let sbb = (blurred(&b.sqr()?)? - &mbb)?;
    let sab = (blurred(&(&a * &b)?)? - &mab)?;
    let above = (mab.affine(2.0, C1)? * sab.affine(2.0, C2)?)?;
    let below = (((maa + mbb)? + C1)? * ((saa + sbb)? + C2)?)?;
    (above / below)?.mean_all()?.to_scalar()
}

/// Means under the window, where it fits: (C, H, W) to (C, H - 10, W - 10).
fn blurred(x: &Tensor) -> Result<Tensor> {
    let weights: Vec<f64> = (0..=2 * RADIUS)
        .map(|i| (-(i as f64 - RADIUS as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    let mut y = x.clone();
    // The window is a product: first down, then across.
    for axis in [1, 2] {
        let len = y.dim(axis)? - 2 * RADIUS;
        let shifted = weights.iter().enumerate().map(|(i, weight)| y.narrow(axis, i, len)? * (weight / sum));
        let shifted: Vec<Tensor> = shifted.collect::<Result<_>>()?;
        y = shifted[1..].iter().try_fold(shifted[0].clone(), |sum, part| sum + part)?;
    }
    Ok(y)
}
