#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use candle_core::{Result, Tensor, bail};
use gdl_conv::{Pad, PadMode, pad2d};

/// Squared total variation: how much neighbouring pixels differ.
///
/// `TV = (sum of (x[i, j+1] - x[i, j])^2 + sum of (x[i+1, j] - x[i, j])^2) / (N C H W)`
///
/// Per pixel and channel, so that it does not grow with the picture.
///
/// # Shape
/// (N, C, H, W) to a scalar. A picture of one row or column has no neighbours in that direction.
///
/// # Errors
/// When `image` has not four dimensions, or no elements.
///
/// # Source
/// Mahendran and Vedaldi 2015, with beta = 2.
pub fn tv_loss(image: &Tensor) -> Result<Tensor> {
    of_differences(image, Power::Two)
}

/// Total variation: the absolute differences of neighbouring pixels. It flattens areas and leaves edges sharp, where
/// the squared one rounds them.
///
/// `TV = (sum of |x[i, j+1] - x[i, j]| + sum of |x[i+1, j] - x[i, j]|) / (N C H W)`
///
/// # Shape
/// As [`tv_loss`].
///
/// # Errors
/// As [`tv_loss`].
///
/// # Source
/// Rudin, Osher and Fatemi 1992 in its anisotropic form; as in neural-style-pt, which does not divide by the number of
/// pixels.
pub fn tv_l1_loss(image: &Tensor) -> Result<Tensor> {
    of_differences(image, Power::One)
}

/// Squared total variation over the nine-point stencil: diagonal neighbours count too, so that no direction is
/// smoothed more than another.
///
/// `TV = 2/3 (mean of (x[i, j+1] - x[i, j])^2 + mean of (x[i+1, j] - x[i, j])^2)`
/// `+ 1/6 (mean of (x[i+1, j+1] - x[i, j])^2 + mean of (x[i+1, j] - x[i, j+1])^2)`,
/// the picture continued by its border
///
/// # Shape
/// As [`tv_loss`].
///
/// # Errors
/// As [`tv_loss`].
///
/// # Source
/// crowsonkb/style-transfer-pytorch, `TVLoss`.
pub fn tv_nine_point_loss(image: &Tensor) -> Result<Tensor> {
    checked(image)?;
    let (_, _, h, w) = image.dims4()?;
    let x = pad2d(image, Pad::same(1), PadMode::Replicate)?;
    let part = |top, left, h, w| x.narrow(2, top, h)?.narrow(3, left, w);
    let difference = |a: Result<Tensor>, b: Result<Tensor>| (a? - b?)?.sqr()?.mean_all();
    let centre = || part(1, 1, h, w);
    let straight = (difference(part(1, 2, h, w), centre())? + difference(part(2, 1, h, w), centre())?)?;
    // The diagonals of every 2x2 square, those with the border included.
    let square = |top, left| part(top, left, h + 1, w + 1);
    let diagonal = (difference(square(1, 1), square(0, 0))? + difference(square(1, 0), square(0, 1))?)?;
    (straight * (2.0 / 3.0))? + (diagonal / 6.0)?
}

fn checked(image: &Tensor) -> Result<()> {
    image.dims4()?;
    if image.elem_count() == 0 {
        bail!("total variation: an image of shape {:?} has no elements", image.dims())
    }
    Ok(())
}

/// What is taken of the differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    One,
    Two,
}

/// The sum of a power of the differences of neighbours, per element.
fn of_differences(image: &Tensor, power: Power) -> Result<Tensor> {
    checked(image)?;
    #[cfg(feature = "cuda")]
    if gdl_kernels::cuda::takes(image) {
        return cuda::of_differences(image, power);
    }
    let mut sum = Tensor::zeros((), image.dtype(), image.device())?;
    for dim in [2, 3] {
        let n = image.dim(dim)?;
        if n > 1 {
            let step = (image.narrow(dim, 1, n - 1)? - image.narrow(dim, 0, n - 1)?)?;
            let sizes = match power {
                Power::One => step.abs()?,
                Power::Two => step.sqr()?,
            };
            sum = (sum + sizes.sum_all()?)?;
        }
    }
    sum / image.elem_count() as f64
}
