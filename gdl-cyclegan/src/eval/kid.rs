use super::estimate::{Estimate, moments};
use super::features::Features;
use candle_core::{Result, bail};
use gdl_kernels::gemm::{Mat, Threads, product};
use gdl_kernels::par;
use gdl_kernels::rng::Rng;
use serde::{Deserialize, Serialize};

/// How [`kid_estimate`] draws its subsets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KidConfig {
    /// How many subsets; 100.
    pub subsets: usize,
    /// Pictures in a subset of each set; by default half of the smaller set, and at most 1000.
    pub subset_size: Option<usize>,
    /// What they are drawn from; 0.
    pub seed: u64,
}

impl Default for KidConfig {
    fn default() -> Self {
        Self { subsets: 100, subset_size: None, seed: 0 }
    }
}

/// Kernel Inception distance, without the Inception network: the unbiased estimate of the squared maximum mean discrepancy
/// with the kernel `(x.y / d + 1)^3`, over all the pictures.
///
/// `sum_{i != j} k(xi, xj) / (m (m - 1)) + sum_{i != j} k(yi, yj) / (n (n - 1)) - 2 sum_ij k(xi, yj) / (m n)`. Being unbiased
/// it falls below 0 now and then for sets that are alike. See [the module](super) for what it may be compared with.
///
/// # Errors
/// When there are fewer than two vectors of each, they differ in length, or hold anything but finite numbers.
///
/// # Source
/// Binkowski, Sutherland, Arbel and Gretton, *Demystifying MMD GANs* (2018), equation 4 and section 4.
pub fn kid(x: &Features, y: &Features) -> Result<f64> {
    x.check(y, "kid")?;
    Ok(mmd2(x, y, Threads::All))
}

/// [`kid`] with a confidence interval: the mean over subsets, as the paper reports it.
///
/// The interval is that of the mean under resampling: the subsets are drawn without replacement, m of n pictures, so that
/// their spread times `sqrt(m / (n - m))` is the standard error of an estimate from all n (subsampling; with halves the spread itself),
/// where n is the smaller set. Where the sets are alike the error falls faster than that with n, and the interval is too wide.
/// There is none when a subset would be the whole set.
///
/// # Errors
/// Those of [`kid`], and when a subset would have fewer than 2 pictures or more than there are.
pub fn kid_estimate(x: &Features, y: &Features, config: &KidConfig) -> Result<Estimate> {
    x.check(y, "kid")?;
    let n = x.len().min(y.len());
    let m = config.subset_size.unwrap_or((n / 2).clamp(2, 1000));
    if m < 2 || m > n || config.subsets < 2 {
        bail!(
            "kid: at least 2 subsets of 2 to {n} pictures are needed, not {} of {m}, of {} and {} pictures",
            config.subsets,
            x.len(),
            y.len()
        )
    }
    let mut rng = Rng::stream(config.seed, "kid");
    let mut draw = |of: &Features| {
        let mut all: Vec<usize> = (0..of.len()).collect();
        rng.shuffle(&mut all);
        all.truncate(m);
        all
    };
    let subsets: Vec<_> = (0..config.subsets).map(|_| (draw(x), draw(y))).collect();
    let values = par::map(subsets.len(), |i| {
        let (from_x, from_y) = &subsets[i];
        mmd2(&x.select(from_x), &y.select(from_y), Threads::One)
    });
    let (mean, spread) = moments(&values);
    let error = (m < n).then(|| spread * (m as f64 / (n - m) as f64).sqrt());
    Ok(Estimate::normal(mean, error))
}

fn mmd2(x: &Features, y: &Features, threads: Threads) -> f64 {
    let (m, n) = (x.len() as f64, y.len() as f64);
    within(x, threads) / (m * (m - 1.0)) + within(y, threads) / (n * (n - 1.0))
        - 2.0 * kernels(x, y, threads).iter().sum::<f64>() / (m * n)
}

/// The kernel of every two different vectors of a set, summed.
fn within(x: &Features, threads: Threads) -> f64 {
    let n = x.len();
    let all = kernels(x, x, threads);
    (0..n).map(|i| all[i * n..i * n + i].iter().chain(&all[i * n + i + 1..(i + 1) * n]).sum::<f64>()).sum()
}

fn kernels(x: &Features, y: &Features, threads: Threads) -> Vec<f64> {
    let d = x.dim();
    let (a, b) = (Mat::new(x.rows(), x.len(), d), Mat::new(y.rows(), y.len(), d).t());
    let mut dots = product(a, b, threads);
    dots.iter_mut().for_each(|dot| *dot = (*dot / d as f64 + 1.0).powi(3));
    dots
}
