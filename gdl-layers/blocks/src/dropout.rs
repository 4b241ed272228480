use candle_core::{Result, Tensor, bail};
use candle_nn::ModuleT;
use gdl_kernels::rng::{Dropout, SharedRng};

/// The probability of the reference implementation.
const PROBABILITY: f64 = 0.5;

/// Dropout that gets its generator after the layer has been built.
#[derive(Debug, Clone)]
pub(crate) struct LateDropout {
    layer: &'static str,
    rng: Option<SharedRng>,
}

impl LateDropout {
    pub(crate) fn new(layer: &'static str) -> Self {
        Self { layer, rng: None }
    }

    pub(crate) fn set_rng(&mut self, rng: SharedRng) {
        self.rng = Some(rng);
    }
}

impl ModuleT for LateDropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match &self.rng {
            _ if !train => Ok(x.clone()),
            Some(rng) => Dropout::new(PROBABILITY, rng.clone())?.forward_t(x, train),
            None => bail!(
                "{}: training with dropout needs a random number generator: build it with `.with_rng(rng)`",
                self.layer
            ),
        }
    }
}
