use gdl_kernels::init::InitScheme;
use gdl_norm::NormKind;
use serde::{Deserialize, Serialize};

/// What a [`PatchGan`](crate::PatchGan) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchGanConfig {
    /// Channels of the input; for a conditional discriminator those of both images together.
    pub in_channels: usize,
    /// Channels of the first convolution, doubled by each later one up to eight times as many; 64 by default.
    #[serde(default = "base_channels")]
    pub base_channels: usize,
    /// Convolutions with stride 2; 3 by default, each score then judging a patch of 70x70 pixels.
    #[serde(default = "n_layers")]
    pub n_layers: usize,
    /// The norm; instance norm by default.
    #[serde(default)]
    pub norm: NormKind,
    /// How the convolutions start; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

impl PatchGanConfig {
    /// The 70x70 PatchGAN of pix2pix and CycleGAN (`--netD basic`).
    pub fn new(in_channels: usize) -> Self {
        Self {
            in_channels,
            base_channels: base_channels(),
            n_layers: n_layers(),
            norm: NormKind::default(),
            init: gan(),
        }
    }

    /// Sets the channels of the first convolution.
    pub fn base_channels(mut self, base_channels: usize) -> Self {
        self.base_channels = base_channels;
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

    /// Sets how the convolutions start.
    pub fn init(mut self, init: InitScheme) -> Self {
        self.init = init;
        self
    }
}

/// What a [`PixelGan`](crate::PixelGan) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelGanConfig {
    /// Channels of the input; for a conditional discriminator those of both images together.
    pub in_channels: usize,
    /// Channels of the first convolution; 64 by default.
    #[serde(default = "base_channels")]
    pub base_channels: usize,
    /// The norm; instance norm by default.
    #[serde(default)]
    pub norm: NormKind,
    /// How the convolutions start; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

impl PixelGanConfig {
    /// The 1x1 discriminator of pix2pix (`--netD pixel`).
    pub fn new(in_channels: usize) -> Self {
        Self { in_channels, base_channels: base_channels(), norm: NormKind::default(), init: gan() }
    }

    /// Sets the channels of the first convolution.
    pub fn base_channels(mut self, base_channels: usize) -> Self {
        self.base_channels = base_channels;
        self
    }

    /// Sets the norm.
    pub fn norm(mut self, norm: NormKind) -> Self {
        self.norm = norm;
        self
    }

    /// Sets how the convolutions start.
    pub fn init(mut self, init: InitScheme) -> Self {
        self.init = init;
        self
    }
}

/// What a [`BookGan`](crate::BookGan) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookGanConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the first convolution; 32 by default.
    #[serde(default = "book_channels")]
    pub base_channels: usize,
    /// Convolutions with stride 2: 4, as the book's text has it (8x8 scores of a 128x128 image), by default; its code has 3
    /// (16x16).
    #[serde(default = "four")]
    pub halvings: usize,
    /// How the convolutions start; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

impl BookGanConfig {
    /// The discriminator of the book's text.
    pub fn new(in_channels: usize) -> Self {
        Self { in_channels, base_channels: book_channels(), halvings: four(), init: gan() }
    }

    /// Sets the channels of the first convolution.
    pub fn base_channels(mut self, base_channels: usize) -> Self {
        self.base_channels = base_channels;
        self
    }

    /// Sets the number of convolutions with stride 2: 3 or 4.
    pub fn halvings(mut self, halvings: usize) -> Self {
        self.halvings = halvings;
        self
    }

    /// Sets how the convolutions start.
    pub fn init(mut self, init: InitScheme) -> Self {
        self.init = init;
        self
    }
}

fn book_channels() -> usize {
    32
}

fn four() -> usize {
    4
}

fn base_channels() -> usize {
    64
}

fn n_layers() -> usize {
    3
}

/// The start of CycleGAN and pix2pix.
fn gan() -> InitScheme {
    InitScheme::Normal(0.02)
}
