use candle_core::{Result, Tensor, bail};

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
    let (_, _, h, w) = image.dims4()?;
    let count = image.elem_count();
    if count == 0 {
        bail!("tv_loss: an image of shape {:?} has no elements", image.dims())
    }
    let mut sum = Tensor::zeros((), image.dtype(), image.device())?;
    for (dim, size) in [(2, h), (3, w)] {
        if size > 1 {
            let step = (image.narrow(dim, 1, size - 1)? - image.narrow(dim, 0, size - 1)?)?;
            sum = (sum + step.sqr()?.sum_all()?)?;
        }
    }
    sum / count as f64
}
