use candle_core::{Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_blocks::NormKind;
use gdl_kernels::in_compute_dtype;
use gdl_kernels::init::InitScheme;
use gdl_patchgan::{BookGan, BookGanConfig, PatchGan, PatchGanConfig, PixelGan, PixelGanConfig};
use serde::{Deserialize, Serialize};

/// The family of a discriminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscriminatorKind {
    /// One score for each of many overlapping patches (`--netD basic` and `n_layers`); the default.
    #[default]
    Patch,
    /// One score for each pixel, from its colour alone (`--netD pixel`).
    Pixel,
    /// That of the book's text: 8x8 scores of a 128x128 picture; see [`BookGan`]. It always has Keras's instance norm.
    Book,
    /// That of the book's code: 16x16 scores of a 128x128 picture.
    BookCode,
}

/// What a [`Discriminator`] looks like.
///
/// # Example
/// ```
/// use gdl_cyclegan::{DiscriminatorConfig, NormKind};
///
/// let config = DiscriminatorConfig::basic(3).norm(NormKind::Batch);
/// assert_eq!((config.base_channels, config.n_layers), (64, 3));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorConfig {
    /// The family; patches by default.
    #[serde(default)]
    pub kind: DiscriminatorKind,
    /// Channels of the input; for a conditional discriminator those of both pictures together.
    pub in_channels: usize,
    /// Channels of the first convolution (`ndf`); 64 by default.
    #[serde(default = "ndf")]
    pub base_channels: usize,
    /// Convolutions with stride 2 (`n_layers_D`); 3 by default, each score then judging a patch of 70x70 pixels. Only
    /// [`DiscriminatorKind::Patch`] looks at it.
    #[serde(default = "three")]
    pub n_layers: usize,
    /// The norm; instance norm by default. The book's have [`NormKind::Keras`] and no other.
    #[serde(default)]
    pub norm: NormKind,
    /// How the convolutions start; normal with standard deviation 0.02 by default.
    #[serde(default = "crate::config::gan")]
    pub init: InitScheme,
}

fn ndf() -> usize {
    64
}

fn three() -> usize {
    3
}

impl DiscriminatorConfig {
    /// The 70x70 PatchGAN (`--netD basic`).
    pub fn basic(in_channels: usize) -> Self {
        Self {
            kind: DiscriminatorKind::Patch,
            in_channels,
            base_channels: ndf(),
            n_layers: three(),
            norm: NormKind::default(),
            init: crate::config::gan(),
        }
    }

    /// The 1x1 discriminator (`--netD pixel`).
    pub fn pixel(in_channels: usize) -> Self {
        Self { kind: DiscriminatorKind::Pixel, ..Self::basic(in_channels) }
    }

    /// The book's: of its text, with 8x8 scores of a 128x128 picture, and 32 channels in the first convolution.
    pub fn book(in_channels: usize) -> Self {
        let basic = Self::basic(in_channels);
        Self { kind: DiscriminatorKind::Book, base_channels: 32, norm: NormKind::Keras, ..basic }
    }

    /// The book's: of its code, with 16x16 scores of a 128x128 picture.
    pub fn book_code(in_channels: usize) -> Self {
        Self { kind: DiscriminatorKind::BookCode, ..Self::book(in_channels) }
    }

    /// Sets the channels of the first convolution.
    pub fn base_channels(mut self, channels: usize) -> Self {
        self.base_channels = channels;
        self
    }

    /// Sets the number of convolutions with stride 2.
    pub fn n_layers(mut self, n_layers: usize) -> Self {
        self.n_layers = n_layers;
        self
    }

    /// Sets the norm.
    pub fn norm(mut self, norm: NormKind) -> Self {
        self.norm = norm;
        self
    }

    /// The smallest height and width that give a score.
    pub fn min_size(&self) -> usize {
        match self.kind {
            // Halved by each layer, then two 4x4 convolutions that each take one pixel away.
            DiscriminatorKind::Patch => 3usize << self.n_layers.clamp(1, 40),
            DiscriminatorKind::Pixel => 1,
            // Instance norm of a single pixel is nothing.
            DiscriminatorKind::Book => 17,
            DiscriminatorKind::BookCode => 9,
        }
    }

    /// Checks settings that came from outside.
    ///
    /// # Errors
    /// Naming the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        if self.in_channels == 0 || self.base_channels == 0 {
            bail!("discriminator: channels must not be 0, got {self:?}")
        }
        let is_book = matches!(self.kind, DiscriminatorKind::Book | DiscriminatorKind::BookCode);
        if is_book != (self.norm == NormKind::Keras) {
            bail!(
                "discriminator: the book's has keras norm, and no other has, got {:?} with {:?}",
                self.kind,
                self.norm
            )
        }
        Ok(())
    }
}

/// A network that tells real pictures from translated ones.
///
/// # Shape
/// (N, in_channels, H, W) -> (N, 1, H', W'): one score per patch or pixel.
///
/// # Parameters
/// Those of [`PatchGan`] or [`PixelGan`], under the reference's names, or of [`BookGan`].
#[derive(Debug, Clone)]
pub struct Discriminator {
    network: Network,
}

#[derive(Debug, Clone)]
enum Network {
    Patch(PatchGan),
    Pixel(PixelGan),
    Book(BookGan),
}

impl Discriminator {
    /// Builds the network that the configuration names.
    ///
    /// # Errors
    /// Where the configuration is impossible or the store behind `vb` lacks a tensor of the right shape.
    pub fn new(config: &DiscriminatorConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let &DiscriminatorConfig { kind, in_channels, base_channels, n_layers, norm, init } = config;
        let network = match kind {
            DiscriminatorKind::Patch => {
                let config = PatchGanConfig { in_channels, base_channels, n_layers, norm, init };
                Network::Patch(PatchGan::new(&config, vb)?)
            }
            DiscriminatorKind::Pixel => {
                let config = PixelGanConfig { in_channels, base_channels, norm, init };
                Network::Pixel(PixelGan::new(&config, vb)?)
            }
            DiscriminatorKind::Book | DiscriminatorKind::BookCode => {
                let halvings = if kind == DiscriminatorKind::Book { 4 } else { 3 };
                let config = BookGanConfig { in_channels, base_channels, halvings, init };
                Network::Book(BookGan::new(&config, vb)?)
            }
        };
        Ok(Self { network })
    }
}

impl Module for Discriminator {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        in_compute_dtype(x, |x| match &self.network {
            Network::Patch(network) => network.forward(x),
            Network::Pixel(network) => network.forward(x),
            Network::Book(network) => network.forward(x),
        })
    }
}

impl gdl_patchgan::Discriminator for Discriminator {
    fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        match &self.network {
            Network::Patch(network) => network.forward_jvp(x, dx),
            Network::Pixel(network) => network.forward_jvp(x, dx),
            Network::Book(network) => network.forward_jvp(x, dx),
        }
    }
}
