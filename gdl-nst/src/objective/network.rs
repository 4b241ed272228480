use candle_core::{Result, Tensor, bail};
use gdl_vgg::{Preprocess, Tap, Vgg};
use std::collections::BTreeMap;

/// The network with how pictures are fed to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network<'a> {
    pub(super) vgg: &'a Vgg,
    pub(super) preprocess: &'a Preprocess,
}

pub(super) type Features = BTreeMap<Tap, Tensor>;

impl Network<'_> {
    /// The features of a picture (1, 3, H, W) at each of the taps.
    pub(super) fn features(&self, image: &Tensor, taps: impl Iterator<Item = Tap>) -> Result<Features> {
        let mut taps: Vec<Tap> = taps.collect();
        taps.sort_unstable();
        taps.dedup();
        if taps.is_empty() {
            return Ok(Features::new());
        }
        let found = self.vgg.features(&self.preprocess.apply(image)?, &taps)?;
        Ok(taps.into_iter().zip(found).collect())
    }
}

/// The features at a tap.
pub(super) fn at(features: &Features, tap: Tap) -> Result<&Tensor> {
    match features.get(&tap) {
        Some(f) => Ok(f),
        None => bail!("style transfer: no features at {tap}"),
    }
}
