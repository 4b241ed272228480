use candle_core::{Result, bail};
use gdl_blocks::{NormKind, Upsampling};
use gdl_conv::PadMode;
use gdl_kernels::init::InitScheme;
use serde::{Deserialize, Serialize};

/// The family of a generator and its depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GeneratorKind {
    /// Down-samplings, residual blocks, as many up-samplings.
    Resnet {
        /// Number of residual blocks.
        blocks: usize,
        /// Number of down-samplings; 2 by default, as always in the reference. Small pictures do better with 1.
        #[serde(default = "two")]
        downs: usize,
    },
    /// Down-samplings to the bottom and back, with a skip connection at every level.
    Unet {
        /// Number of down-samplings: the image is `2^downs` times smaller at the bottom.
        downs: usize,
    },
    /// The book's U-Net: four down-samplings (8x8 at the bottom for 128x128), nearest up-sampling with convolution.
    BookUnet,
}

/// What a [`Generator`](crate::Generator) looks like.
///
/// # Example
/// ```
/// use gdl_cyclegan::GeneratorConfig;
///
/// let config = GeneratorConfig::resnet9();
/// assert_eq!((config.base_channels, config.multiple()), (64, 4));
/// assert_eq!(GeneratorConfig::unet128().multiple(), 128);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Family and depth.
    pub kind: GeneratorKind,
    /// Channels of the input; 3 by default.
    #[serde(default = "rgb")]
    pub in_channels: usize,
    /// Channels of the output; 3 by default.
    #[serde(default = "rgb")]
    pub out_channels: usize,
    /// Channels after the first convolution (`ngf`); 64 by default.
    #[serde(default = "ngf")]
    pub base_channels: usize,
    /// Whether half of the values are dropped in training, in the residual blocks, or in those levels of the U-Net that
    /// have 8 `base_channels` on both sides, but the innermost; false by default.
    #[serde(default)]
    pub dropout: bool,
    /// The norm after each convolution but the first (of the U-Net) and the last; instance norm by default. The
    /// convolutions before it have a bias with instance norm alone.
    #[serde(default)]
    pub norm: NormKind,
    /// How maps grow; by transposed convolution by default.
    #[serde(default)]
    pub upsampling: Upsampling,
    /// Padding of the residual blocks; reflection by default. The U-Net pads with zeros.
    #[serde(default = "reflect")]
    pub pad_mode: PadMode,
    /// How the convolutions start; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

fn two() -> usize {
    2
}

fn rgb() -> usize {
    3
}

fn ngf() -> usize {
    64
}

fn reflect() -> PadMode {
    PadMode::Reflect
}

pub(crate) fn gan() -> InitScheme {
    InitScheme::Normal(0.02)
}

impl GeneratorConfig {
    fn new(kind: GeneratorKind) -> Self {
        Self {
            kind,
            in_channels: rgb(),
            out_channels: rgb(),
            base_channels: ngf(),
            dropout: false,
            norm: NormKind::default(),
            upsampling: Upsampling::Transposed,
            pad_mode: reflect(),
            init: gan(),
        }
    }

    /// A residual generator with that many blocks, between two down-samplings and two up-samplings.
    pub fn resnet(blocks: usize) -> Self {
        Self::new(GeneratorKind::Resnet { blocks, downs: two() })
    }

    /// A U-Net with that many down-samplings.
    pub fn unet(downs: usize) -> Self {
        Self::new(GeneratorKind::Unet { downs })
    }

    /// `resnet_9blocks`, for images from 256x256.
    pub fn resnet9() -> Self {
        Self::resnet(9)
    }

    /// `resnet_6blocks`, for images of 128x128.
    pub fn resnet6() -> Self {
        Self::resnet(6)
    }

    /// `unet_256`, for images whose sides are multiples of 256.
    pub fn unet256() -> Self {
        Self::unet(8)
    }

    /// `unet_128`, for images whose sides are multiples of 128.
    pub fn unet128() -> Self {
        Self::unet(7)
    }

    /// A U-Net of six halvings, for images whose sides are multiples of 64; the reference has no name for it.
    pub fn unet64() -> Self {
        Self::unet(6)
    }

    /// The U-Net of the book, with 32 channels after the first convolution, for images whose sides are multiples of 16.
    pub fn book_unet() -> Self {
        let config = Self::new(GeneratorKind::BookUnet);
        Self { base_channels: 32, norm: NormKind::Keras, upsampling: Upsampling::Resize, ..config }
    }

    /// Sets the number of down-samplings; the book's U-Net has its own.
    pub fn downs(mut self, n: usize) -> Self {
        match &mut self.kind {
            GeneratorKind::Resnet { downs, .. } | GeneratorKind::Unet { downs } => *downs = n,
            GeneratorKind::BookUnet => {}
        }
        self
    }

    /// Sets the channels after the first convolution.
    pub fn base_channels(mut self, channels: usize) -> Self {
        self.base_channels = channels;
        self
    }

    /// Sets whether there is dropout.
    pub fn dropout(mut self, dropout: bool) -> Self {
        self.dropout = dropout;
        self
    }

    /// Sets the norm.
    pub fn norm(mut self, norm: NormKind) -> Self {
        self.norm = norm;
        self
    }

    /// Sets how maps grow.
    pub fn upsampling(mut self, upsampling: Upsampling) -> Self {
        self.upsampling = upsampling;
        self
    }

    /// What height and width must be multiples of for the output to have the size of the input.
    pub fn multiple(&self) -> usize {
        match self.kind {
            GeneratorKind::Resnet { downs, .. } | GeneratorKind::Unet { downs } => 1 << downs.min(30),
            GeneratorKind::BookUnet => 16,
        }
    }

    /// The smallest height and width that can be processed.
    ///
    /// The residual generator reflects three pixels of the image and one of its smallest maps: it takes one more of each.
    pub fn min_size(&self) -> usize {
        match self.kind {
            GeneratorKind::Resnet { .. } => (2 * self.multiple()).max(4),
            GeneratorKind::Unet { .. } | GeneratorKind::BookUnet => self.multiple(),
        }
    }

    /// Checks settings that came from outside.
    ///
    /// # Errors
    /// Naming the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        if self.in_channels == 0 || self.out_channels == 0 || self.base_channels == 0 {
            bail!("generator: channels must not be 0, got {self:?}")
        }
        let is_book = self.kind == GeneratorKind::BookUnet;
        if is_book
            && (self.norm, self.upsampling, self.dropout) != (NormKind::Keras, Upsampling::Resize, false)
        {
            bail!(
                "generator: the book's U-Net has keras norm, resize-convolution and no dropout, got {self:?}"
            )
        }
        if !is_book && self.norm == NormKind::Keras {
            bail!("generator: only the book's U-Net has keras norm, got {:?}", self.kind)
        }
        match self.kind {
            GeneratorKind::Unet { downs } if !(2..=12).contains(&downs) => {
                bail!("generator: a U-Net has from 2 to 12 down-samplings, got {downs}")
            }
            GeneratorKind::Resnet { downs, .. } if downs > 12 => {
                bail!("generator: at most 12 down-samplings are possible, got {downs}")
            }
            _ => Ok(()),
        }
    }
}
