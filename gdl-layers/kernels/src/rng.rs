//! Random numbers from an explicit generator that can be saved.
//!
//! candle's CPU generator cannot be seeded, so nothing here uses it: the same seed gives the same numbers on every
//! machine.

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use rand::{Rng as _, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A seeded generator (ChaCha with 8 rounds) whose place in its stream can be saved.
#[derive(Debug, Clone, PartialEq)]
pub struct Rng(ChaCha8Rng);

/// Where a [`Rng`] stands: everything needed to go on from there.
///
/// The position is written as text because JSON numbers stop at 64 bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RngState {
    key: [u8; 32],
    stream: u64,
    position: String,
}

impl Rng {
    /// The generator of that seed.
    pub fn seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The generator of a named stream under a seed: independent of every other name's, and of when it is asked for.
    pub fn stream(seed: u64, name: &str) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(crate::Fnv1a::of(name));
        Self(rng)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// Uniform in `[lo, hi)`.
    pub fn range(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.uniform()
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Uniform among the whole numbers below `n`; 0 for `n = 0`.
    pub fn below(&mut self, n: usize) -> usize {
        // u64, not usize: the same numbers on 32-bit machines.
        if n == 0 { 0 } else { self.0.random_range(0..n as u64) as usize }
    }

    /// True with that probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Shuffles a slice (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// 64 random bits, for seeding something else.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Where the generator stands.
    pub fn state(&self) -> RngState {
        RngState {
            key: self.0.get_seed(),
            stream: self.0.get_stream(),
            position: self.0.get_word_pos().to_string(),
        }
    }

    /// A generator that goes on from a saved state.
    ///
    /// # Errors
    /// When the state's position is no number.
    pub fn from_state(state: &RngState) -> Result<Self> {
        let Ok(position) = state.position.parse() else {
            bail!("random state: the position {:?} is not a number", state.position)
        };
        let mut rng = ChaCha8Rng::from_seed(state.key);
        rng.set_stream(state.stream);
        rng.set_word_pos(position);
        Ok(Self(rng))
    }
}

/// A [`Rng`] that several layers draw from in turn; clones share the one generator.
#[derive(Debug, Clone)]
pub struct SharedRng(Arc<Mutex<Rng>>);

impl SharedRng {
    /// The generator of that seed.
    pub fn seed(seed: u64) -> Self {
        Rng::seed(seed).into()
    }

    fn lock(&self) -> MutexGuard<'_, Rng> {
        // A panic elsewhere cannot leave the generator half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` with the generator.
    pub fn with<R>(&self, f: impl FnOnce(&mut Rng) -> R) -> R {
        f(&mut self.lock())
    }

    /// Where the generator stands.
    pub fn state(&self) -> RngState {
        self.lock().state()
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// Those of [`Rng::from_state`].
    pub fn set_state(&self, state: &RngState) -> Result<()> {
        *self.lock() = Rng::from_state(state)?;
        Ok(())
    }

    /// A tensor of standard normal numbers.
    ///
    /// # Errors
    /// Those of making a tensor of that type on that device.
    pub fn randn(&self, shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
        self.fill(shape.into(), dtype, device, Rng::normal)
    }

    /// A tensor of numbers uniform in `[lo, hi)`.
    ///
    /// # Errors
    /// Those of making a tensor of that type on that device.
    pub fn rand(
        &self,
        shape: impl Into<Shape>,
        lo: f64,
        hi: f64,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        self.fill(shape.into(), dtype, device, |rng| rng.range(lo, hi))
    }

    fn fill(
        &self,
        shape: Shape,
        dtype: DType,
        device: &Device,
        draw: impl Fn(&mut Rng) -> f64,
    ) -> Result<Tensor> {
        let mut rng = self.lock();
        let n = shape.elem_count();
        if dtype == DType::F64 {
            let data: Vec<f64> = (0..n).map(|_| draw(&mut rng)).collect();
            return Tensor::from_vec(data, shape, device);
        }
        let data: Vec<f32> = (0..n).map(|_| draw(&mut rng) as f32).collect();
        Tensor::from_vec(data, shape, device)?.to_dtype(dtype)
    }
}

impl From<Rng> for SharedRng {
    fn from(rng: Rng) -> Self {
        Self(Arc::new(Mutex::new(rng)))
    }
}

/// Inverted dropout: in training each element is zeroed with probability `p` and the others are scaled by `1 / (1 - p)`.
///
/// # Source
/// Srivastava et al. 2014; the scaling is that of `torch.nn.Dropout`.
#[derive(Debug, Clone)]
pub struct Dropout {
    p: f64,
    rng: SharedRng,
}

impl Dropout {
    /// Dropout with probability `p` in [0, 1), drawing from `rng`.
    ///
    /// # Errors
    /// When `p` lies outside [0, 1).
    pub fn new(p: f64, rng: SharedRng) -> Result<Self> {
        if !(0.0..1.0).contains(&p) {
            bail!("dropout: the probability must lie in [0, 1), not {p}")
        }
        Ok(Self { p, rng })
    }

    /// A mask of that shape: 0 or `1 / (1 - p)`.
    ///
    /// # Errors
    /// Those of making a tensor of that type on that device.
    pub fn mask(&self, shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
        let keep = 1.0 / (1.0 - self.p);
        self.rng.fill(shape.into(), dtype, device, |rng| if rng.chance(self.p) { 0.0 } else { keep })
    }

    /// Drops the same features of a row at every step: x (N, T, C) with one mask (N, 1, C).
    ///
    /// # Errors
    /// When x has not three axes.
    ///
    /// # Source
    /// Gal and Ghahramani 2015, <https://arxiv.org/abs/1512.05287>; `LockedDropout` of AWD-LSTM.
    pub fn forward_locked(&self, x: &Tensor) -> Result<Tensor> {
        let (n, _, c) = x.dims3()?;
        x.broadcast_mul(&self.mask((n, 1, c), x.dtype(), x.device())?)
    }
}

impl candle_nn::ModuleT for Dropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if train && self.p > 0.0 { x * self.mask(x.shape(), x.dtype(), x.device())? } else { Ok(x.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::ModuleT;

    #[test]
    fn a_saved_state_goes_on_exactly() {
        let mut rng = Rng::stream(3, "weights");
        rng.normal();
        let json = serde_json::to_string(&rng.state()).unwrap();
        let mut back = Rng::from_state(&serde_json::from_str(&json).unwrap()).unwrap();
        for _ in 0..100 {
            assert_eq!(rng.normal().to_bits(), back.normal().to_bits());
            assert_eq!(rng.below(10), back.below(10));
        }
    }

    #[test]
    fn values_do_not_change_between_versions() {
        let mut rng = Rng::seed(42);
        let drawn: Vec<usize> = (0..8).map(|_| rng.below(1000)).collect();
        assert_eq!(drawn, VALUES_OF_SEED_42);
        assert_ne!(Rng::stream(42, "a").bits(), Rng::stream(42, "b").bits());
        assert_ne!(Rng::stream(42, "a").bits(), Rng::stream(43, "a").bits());
    }

    const VALUES_OF_SEED_42: [usize; 8] = [681, 950, 427, 627, 288, 149, 308, 803];

    #[test]
    fn dropout_keeps_the_mean() {
        let drop = Dropout::new(0.3, SharedRng::seed(1)).unwrap();
        let x = Tensor::ones(20_000, DType::F64, &Device::Cpu).unwrap();
        let mean: f64 = drop.forward_t(&x, true).unwrap().mean_all().unwrap().to_scalar().unwrap();
        // The mean of 20,000 draws has standard deviation sqrt(0.3 / 0.7 / 20000) = 0.0046; five of those.
        assert!((mean - 1.0).abs() < 0.023, "{mean}");
        let same: f64 = drop.forward_t(&x, false).unwrap().mean_all().unwrap().to_scalar().unwrap();
        assert_eq!(same, 1.0);
        assert!(Dropout::new(1.0, SharedRng::seed(1)).is_err());
    }
}
