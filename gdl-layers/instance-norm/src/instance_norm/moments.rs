use super::cpu::{Params, Stats, mean_and_variance, with_slice};
use super::reference::{scale, shift};
use crate::Definition;
use candle_core::{DType, Device, Module, Result, Tensor, WithDType, bail};
use gdl_kernels::{Activation, gemm::Float, par, read};

/// Mean and variance of each channel of an image, gathered part by part: for images of which never more than a part is
/// in memory.
///
/// In f64, by the formula of Chan, Golub and LeVeque for the union of two samples; of an image in one part they are what
/// [`instance_norm`](crate::instance_norm) computes.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_instance_norm::Moments;
///
/// let mut moments = Moments::new(1);
/// moments.add(&Tensor::new(&[[[[1f32, 2.]]]], &Device::Cpu)?)?;
/// moments.add(&Tensor::new(&[[[[6f32]]]], &Device::Cpu)?)?;
/// assert_eq!((moments.mean(), moments.variance()), (&[3.0][..], vec![14.0 / 3.0]));
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    count: f64,
    mean: Vec<f64>,
    /// Sums of the squared differences to the mean.
    squares: Vec<f64>,
}

impl Moments {
    /// Of no pixels yet.
    pub fn new(channels: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Takes in a part, of any height and width.
    ///
    /// # Shape
    ///
    /// (1, channels, h, w).
    ///
    /// # Errors
    ///
    /// Where the part has another shape, no pixels, or no floating-point numbers.
    pub fn add(&mut self, part: &Tensor) -> Result<()> {
        let pixels = self.check(part)?;
        let of_part: Vec<(f64, f64)> = match part.dtype() {
            DType::F32 if part.device().is_cpu() => by_kernel::<f32>(part, pixels)?,
            DType::F64 if part.device().is_cpu() => by_kernel::<f64>(part, pixels)?,
            _ => composed(part)?,
        };
        let added = pixels as f64;
        let count = self.count + added;
        for ((mean, squares), (part_mean, part_var)) in
            self.mean.iter_mut().zip(&mut self.squares).zip(of_part)
        {
            let apart = part_mean - *mean;
            *squares += part_var * added + apart * apart * self.count * added / count;
            *mean += apart * added / count;
        }
        self.count = count;
        Ok(())
    }

    /// The mean of each channel; 0 before the first part.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The biased variance of each channel; 0 before the first part.
    pub fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| squares / self.count.max(1.0)).collect()
    }

    /// The number of pixels of a part that fits.
    fn check(&self, part: &Tensor) -> Result<usize> {
        let channels = self.mean.len();
        match *part.dims() {
            [1, c, h, w] if c == channels && h * w > 0 => Ok(h * w),
            _ => bail!(
                "Moments: expected a part of shape (1, {channels}, h, w) with at least one pixel, got {:?}",
                part.dims()
            ),
        }
    }
}

fn by_kernel<T: Float>(part: &Tensor, pixels: usize) -> Result<Vec<(f64, f64)>> {
    with_slice::<T, _>(part, |x| {
        Ok(par::map(x.len() / pixels, |i| mean_and_variance(&x[i * pixels..(i + 1) * pixels])))
    })
}

fn composed(part: &Tensor) -> Result<Vec<(f64, f64)>> {
    let x = part.flatten_from(2)?.squeeze(0)?; // (C, P)
    let x = if x.dtype() == DType::F64 { x } else { x.to_dtype(DType::F32)? };
    let mean = x.mean_keepdim(1)?;
    let var = x.broadcast_sub(&mean)?.sqr()?.mean(1)?;
    let both = read(&[mean, var])?;
    let (mean, var) = both.split_at(both.len() / 2);
    Ok(mean.iter().copied().zip(var.iter().copied()).collect())
}

/// [`instance_norm`](crate::instance_norm) of a part of an image, by mean and variance of the whole.
///
/// `y[0,c,·] = activation(weight[c] * (x[0,c,·] - mean[c]) / d[c] + bias[c])`. Nothing is kept for gradients.
///
/// # Shape
///
/// `x` (1, C, h, w), `weight` and `bias` (C); the result is as `x`.
///
/// # Errors
///
/// Where a shape does not fit, or nothing has been added to the moments.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_instance_norm::{Definition, Moments, instance_norm_by};
/// use gdl_kernels::Activation;
///
/// let x = Tensor::new(&[[[[1f32, 3.]]]], &Device::Cpu)?;
/// let mut moments = Moments::new(1);
/// moments.add(&x)?;
/// let left = x.narrow(3, 0, 1)?; // alone it would be its own mean
/// let y = instance_norm_by(&left, &moments, None, None, 0.0, Definition::Torch, Activation::Identity)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [-1.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn instance_norm_by(
    x: &Tensor,
    moments: &Moments,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
    definition: Definition,
    activation: Activation,
) -> Result<Tensor> {
    let pixels = moments.check(x)?;
    super::check(x, weight, bias)?;
    if moments.count == 0.0 {
        bail!("instance_norm_by: the moments are of no pixels; add the image's parts first")
    }
    let slope = activation.slope();
    let params = Params { eps, definition, slope };
    let variance = moments.variance();
    let stats: Vec<Stats> =
        moments.mean.iter().zip(&variance).map(|(&mean, &var)| Stats::new(mean, var, &params)).collect();
    let y = match x.dtype() {
        DType::F32 if x.device().is_cpu() => apply::<f32>(x, pixels, &stats, (weight, bias), slope)?,
        DType::F64 if x.device().is_cpu() => apply::<f64>(x, pixels, &stats, (weight, bias), slope)?,
        _ => return activation.forward(&apply_composed(x, &stats, (weight, bias))?),
    };
    if slope.is_some() { Ok(y) } else { activation.forward(&y) }
}

type Affine<'a> = (Option<&'a Tensor>, Option<&'a Tensor>);

fn apply<T: Float + WithDType>(
    x: &Tensor,
    pixels: usize,
    stats: &[Stats],
    (weight, bias): Affine<'_>,
    slope: Option<f64>,
) -> Result<Tensor> {
    let numbers = |t: Option<&Tensor>, or: f64| match t {
        Some(t) => t.to_dtype(DType::F64)?.to_vec1::<f64>(),
        None => Ok(vec![or; stats.len()]),
    };
    let (weight, bias) = (numbers(weight, 1.0)?, numbers(bias, 0.0)?);
    let out = with_slice::<T, _>(x, |x| {
        Ok(par::build(x.len(), pixels, |c, out| {
            stats[c].apply(&x[c * pixels..][..pixels], out, (weight[c], bias[c]), slope);
        }))
    })?;
    Tensor::from_vec(out, x.shape(), x.device())
}

fn apply_composed(x: &Tensor, stats: &[Stats], (weight, bias): Affine<'_>) -> Result<Tensor> {
    let per_channel = |value: fn(&Stats) -> f64| {
        // Narrowed on the CPU: not every device knows double precision.
        let values: Vec<f64> = stats.iter().map(value).collect();
        Tensor::from_vec(values, (1, stats.len(), 1), &Device::Cpu)?
            .to_dtype(x.dtype())?
            .to_device(x.device())
    };
    let unit = x.flatten_from(2)?.broadcast_sub(&per_channel(Stats::mean)?)?;
    let unit = unit.broadcast_mul(&per_channel(Stats::inv)?)?;
    shift(scale(unit, x, weight)?, bias)?.reshape(x.shape())
}
