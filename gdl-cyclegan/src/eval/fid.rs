use super::estimate::{Estimate, moments};
use super::features::Features;
use super::nuclear_norm::nuclear_norm;
use candle_core::{Result, bail};
use gdl_kernels::gemm::{Mat, Threads, product};
use gdl_kernels::par;
use gdl_kernels::rng::Rng;
use serde::{Deserialize, Serialize};

/// How [`fid_estimate`] resamples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FidConfig {
    /// How many times; 100.
    pub resamples: usize,
    /// What is drawn from; 0.
    pub seed: u64,
}

impl Default for FidConfig {
    fn default() -> Self {
        Self { resamples: 100, seed: 0 }
    }
}

/// Frechet Inception distance, without the Inception network: that of the two normal distributions with the sets' means and
/// (with n - 1) covariances.
///
/// `|m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))`. With `S1 = F1^T F1` and `S2 = F2^T F2` the last trace is the sum of the
/// singular values of `F1 F2^T`: no root of a matrix is taken, and singular covariances, of fewer pictures than features, do no
/// harm. F is the centred set itself where there are no more pictures than features, else a Cholesky factor with
/// pivoting. See [the module](super) for what the value may be compared with, and for its bias.
///
/// # Errors
/// When there are fewer than two vectors of each, they differ in length, or hold anything but finite numbers.
///
/// # Source
/// Heusel et al., *GANs Trained by a Two Time-Scale Update Rule* (2017).
pub fn fid(x: &Features, y: &Features) -> Result<f64> {
    x.check(y, "fid")?;
    distance(x, y, Threads::All)
}

/// [`fid`] with a confidence interval from the bootstrap: both sets are drawn anew from themselves with replacement, and the
/// standard deviation of the values is taken for the standard error.
///
/// The interval tells how far FID moves with the choice of so many pictures. It holds no correction of the bias: the FID of
/// infinitely many pictures lies below it when there are few. Its lower end is at least 0.
///
/// # Errors
/// Those of [`fid`], and when there are fewer than 2 resamples.
///
/// # Source
/// Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), the standard interval.
pub fn fid_estimate(x: &Features, y: &Features, config: &FidConfig) -> Result<Estimate> {
    if config.resamples < 2 {
        bail!("fid: at least 2 resamples are needed, not {}", config.resamples)
    }
    let value = fid(x, y)?;
    let mut rng = Rng::stream(config.seed, "fid");
    let mut draw = |of: &Features| (0..of.len()).map(|_| rng.below(of.len())).collect::<Vec<_>>();
    let resamples: Vec<_> = (0..config.resamples).map(|_| (draw(x), draw(y))).collect();
    let values = par::map(resamples.len(), |i| {
        let (from_x, from_y) = &resamples[i];
        distance(&x.select(from_x), &y.select(from_y), Threads::One)
    });
    let (_, error) = moments(&values.into_iter().collect::<Result<Vec<_>>>()?);
    let mut estimate = Estimate::normal(value, Some(error));
    if let Some([low, _]) = &mut estimate.interval {
        *low = low.max(0.0);
    }
    Ok(estimate)
}

fn distance(x: &Features, y: &Features, threads: Threads) -> Result<f64> {
    let d = x.dim();
    let (x, y) = (Gaussian::of(x, threads), Gaussian::of(y, threads));
    let apart: f64 = x.mean.iter().zip(&y.mean).map(|(a, b)| (a - b) * (a - b)).sum();
    let trace = |g: &Gaussian| g.factor.iter().map(|v| v * v).sum::<f64>();
    let (m, n) = (x.factor.len() / d, y.factor.len() / d);
    let cross = product(Mat::new(&x.factor, m, d), Mat::new(&y.factor, n, d).t(), threads);
    // Never negative, but for rounding.
    Ok((apart + trace(&x) + trace(&y) - 2.0 * nuclear_norm(cross, m, n)?).max(0.0))
}

/// Mean and covariance of a set, the covariance as `factor^T factor`.
struct Gaussian {
    mean: Vec<f64>,
    /// (r, d), row-major.
    factor: Vec<f64>,
}

impl Gaussian {
    fn of(x: &Features, threads: Threads) -> Self {
        let (n, d) = (x.len(), x.dim());
        let mut mean = vec![0.0; d];
        for row in x.rows().chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n as f64);
        }
        let scale = 1.0 / (n as f64 - 1.0).sqrt();
        let centred: Vec<f64> = x
            .rows()
            .chunks_exact(d)
            .flat_map(|row| row.iter().zip(&mean).map(|(v, m)| (v - m) * scale))
            .collect();
        if n <= d {
            return Self { mean, factor: centred };
        }
        let centred = Mat::new(&centred, n, d);
        Self { mean, factor: cholesky(product(centred.t(), centred, threads), d) }
    }
}

/// F with `F^T F` the given symmetric, non-negative d x d matrix: (rank, d), row-major.
///
/// The largest remaining diagonal element is taken at each step, until what remains is rounding.
fn cholesky(mut rest: Vec<f64>, d: usize) -> Vec<f64> {
    let largest = |rest: &[f64]| {
        (0..d)
            .map(|i| (i, rest[i * d + i]))
            .fold((0, 0.0), |best, this| if this.1 > best.1 { this } else { best })
    };
    let floor = largest(&rest).1 * d as f64 * f64::EPSILON;
    let mut factor = Vec::new();
    for _ in 0..d {
        let (pivot, diagonal) = largest(&rest);
        if diagonal <= floor {
            break;
        }
        let root = diagonal.sqrt();
        let row: Vec<f64> = rest[pivot * d..(pivot + 1) * d].iter().map(|v| v / root).collect();
        for (line, f) in rest.chunks_exact_mut(d).zip(&row) {
            line.iter_mut().zip(&row).for_each(|(r, g)| *r -= f * g);
        }
        // Exactly, so that it is not taken again.
        (0..d).for_each(|i| (rest[pivot * d + i], rest[i * d + pivot]) = (0.0, 0.0));
        factor.extend(row);
    }
    factor
}
