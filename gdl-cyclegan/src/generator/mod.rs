mod book_unet;
mod resnet;
mod unet;

pub use book_unet::BookUnetGenerator;
pub use resnet::ResnetGenerator;
pub use unet::UnetGenerator;

use crate::graph::{Described, Graph};
use crate::{GeneratorConfig, GeneratorKind};
use candle_core::{Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use gdl_conv::{Pad, PadMode, pad2d};
use gdl_kernels::in_compute_dtype;
use gdl_kernels::rng::SharedRng;

/// A network that turns pictures of one domain into pictures of another.
///
/// # Shape
///
/// [`forward_t`](ModuleT::forward_t): (N, in_channels, H, W) -> (N, out_channels, H, W) in [-1, 1], for H and W that are multiples of
/// [`GeneratorConfig::multiple`]. [`translate`](Generator::translate): any H and W.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_cyclegan::{Generator, GeneratorConfig};
/// use gdl_train::ParamStore;
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
/// let generator = Generator::new(&GeneratorConfig::resnet(1).base_channels(4), None, store.vb())?;
/// let picture = Tensor::zeros((1, 3, 13, 22), DType::F32, &Device::Cpu)?;
/// assert_eq!(generator.translate(&picture)?.dims(), [1, 3, 13, 22]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Generator {
    config: GeneratorConfig,
    network: Network,
}

#[derive(Debug, Clone)]
enum Network {
    Resnet(ResnetGenerator),
    Unet(UnetGenerator),
    BookUnet(BookUnetGenerator),
}

impl Generator {
    /// Builds the network that the configuration names. `rng` is what dropout draws from; training with dropout needs one.
    ///
    /// # Errors
    ///
    /// Where the configuration is impossible or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &GeneratorConfig, rng: Option<SharedRng>, vb: VarBuilder) -> Result<Self> {
        let network = match config.kind {
            GeneratorKind::Resnet { .. } => Network::Resnet(ResnetGenerator::new(config, rng, vb)?),
            GeneratorKind::Unet { .. } => Network::Unet(UnetGenerator::new(config, rng, vb)?),
            GeneratorKind::BookUnet => Network::BookUnet(BookUnetGenerator::new(config, vb)?),
        };
        Ok(Self { config: config.clone(), network })
    }

    /// The configuration the network was built from.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// Whether the backward pass of a training computes parts of the network again instead of keeping what is inside them: the
    /// residual blocks, or the steps down and up of a U-Net; at first not. The gradients are the same, and must be asked for
    /// by [`Gradients`](gdl_kernels::Gradients); see [`recomputed`](gdl_kernels::recomputed).
    pub fn recompute_blocks(&mut self, on: bool) {
        match &mut self.network {
            Network::Resnet(network) => network.recompute(on),
            Network::Unet(network) => network.recompute(on),
            Network::BookUnet(network) => network.recompute(on),
        }
    }

    /// Translates pictures of any size, without dropout: padded to the network's multiple, and cut back.
    ///
    /// The padding is the picture's reflection, or its border repeated where the picture is too small to be reflected.
    ///
    /// # Shape
    ///
    /// (N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1].
    ///
    /// # Errors
    ///
    /// Where the input has not that shape or no pixels.
    pub fn translate(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, h, w) = x.dims4()?;
        let (pad, mode) = self.padding(h, w);
        let padded = pad2d(x, pad, mode)?;
        let y = self.forward_t(&padded, false)?;
        y.narrow(2, pad.top, h)?.narrow(3, pad.left, w)?.contiguous()
    }

    /// What a picture of that size is padded with for [`translate`](Self::translate).
    pub(crate) fn padding(&self, h: usize, w: usize) -> (Pad, PadMode) {
        let grown = |n: usize| n.max(self.config.min_size()).next_multiple_of(self.config.multiple()) - n;
        let (rows, columns) = (grown(h), grown(w));
        let pad =
            Pad { left: columns / 2, right: columns.div_ceil(2), top: rows / 2, bottom: rows.div_ceil(2) };
        let fits = rows.div_ceil(2) < h && columns.div_ceil(2) < w;
        (pad, if fits { PadMode::Reflect } else { PadMode::Replicate })
    }

    /// Its operations as for inference.
    pub(crate) fn graph(&self) -> Graph<'_> {
        match &self.network {
            Network::Resnet(network) => network.graph(),
            Network::Unet(network) => network.graph(),
            Network::BookUnet(network) => network.graph(),
        }
    }
}

impl ModuleT for Generator {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        in_compute_dtype(x, |x| match &self.network {
            Network::Resnet(network) => network.forward_t(x, train),
            Network::Unet(network) => network.forward_t(x, train),
            Network::BookUnet(network) => network.forward_t(x, train),
        })
    }
}
