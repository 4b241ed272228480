use gdl_conv::PadMode;
use gdl_kernels::init::InitScheme;
use gdl_norm::NormKind;
use serde::{Deserialize, Serialize};

/// What a [`ResidualBlock`](crate::ResidualBlock) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidualBlockConfig {
    /// Channels of input and output.
    pub channels: usize,
    /// What stands around the image in both convolutions; its reflection by default.
    #[serde(default = "reflect")]
    pub pad_mode: PadMode,
    /// Whether half of the values between the convolutions are dropped in training; false by default.
    #[serde(default)]
    pub dropout: bool,
    /// The norm; instance norm by default. The convolutions have a bias before instance norm alone.
    #[serde(default)]
    pub norm: NormKind,
    /// How the convolutions start; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

impl ResidualBlockConfig {
    /// A block with reflection padding and without dropout.
    pub fn new(channels: usize) -> Self {
        Self { channels, pad_mode: reflect(), dropout: false, norm: NormKind::default(), init: gan() }
    }

    /// Sets the padding.
    pub fn pad_mode(mut self, pad_mode: PadMode) -> Self {
        self.pad_mode = pad_mode;
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

    /// Sets how the convolutions start.
    pub fn init(mut self, init: InitScheme) -> Self {
        self.init = init;
        self
    }
}

/// Where in a U-Net a level stands; what it is made of depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnetPosition {
    /// Meets the images: no activation and norm on the way down, tanh in place of the norm on the way up, nothing
    /// concatenated.
    Outermost,
    /// All parts.
    Middle,
    /// The bottleneck: no norm on the way down, no dropout.
    Innermost,
}

/// How a U-Net's decoder doubles the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsampling {
    /// A transposed convolution, 4x4 with stride 2; the default.
    #[default]
    Transposed,
    /// Every pixel doubled, then a 3x3 convolution over the reflected image: no checkerboard (Odena et al. 2016).
    Resize,
}

/// What a [`UnetDown`](crate::UnetDown) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnetDownConfig {
    /// Where in the U-Net it stands.
    pub position: UnetPosition,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The norm; instance norm by default. The convolution has a bias before instance norm alone.
    #[serde(default)]
    pub norm: NormKind,
    /// How the convolution starts; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

impl UnetDownConfig {
    /// A step down at that position, with the default start.
    pub fn new(position: UnetPosition, in_channels: usize, out_channels: usize) -> Self {
        Self { position, in_channels, out_channels, norm: NormKind::default(), init: gan() }
    }
}

/// What a [`UnetUp`](crate::UnetUp) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnetUpConfig {
    /// Where in the U-Net it stands.
    pub position: UnetPosition,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// How the size is doubled; by a transposed convolution by default.
    #[serde(default)]
    pub upsampling: Upsampling,
    /// Whether half of the result is dropped in training; false by default. Only a middle step has dropout.
    #[serde(default)]
    pub dropout: bool,
    /// The norm; instance norm by default. The convolution has a bias before instance norm alone.
    #[serde(default)]
    pub norm: NormKind,
    /// How the convolution starts; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

impl UnetUpConfig {
    /// A step up at that position, by a transposed convolution, without dropout.
    pub fn new(position: UnetPosition, in_channels: usize, out_channels: usize) -> Self {
        Self {
            position,
            in_channels,
            out_channels,
            upsampling: Upsampling::Transposed,
            dropout: false,
            norm: NormKind::default(),
            init: gan(),
        }
    }
}

/// What one [`UnetLevel`](crate::UnetLevel) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnetLevelConfig {
    /// Channels of the level's input.
    pub in_channels: usize,
    /// Channels between this level and the one inside it.
    pub inner_channels: usize,
    /// Channels of the level's own result, before the input is concatenated to it; equal to `in_channels` but in an
    /// outermost level that translates between images with different numbers of channels.
    pub out_channels: usize,
    /// How the size is doubled on the way up; by a transposed convolution by default.
    #[serde(default)]
    pub upsampling: Upsampling,
    /// Whether half of the result is dropped in training; false by default. Only a middle level may have dropout.
    #[serde(default)]
    pub dropout: bool,
    /// The norm; instance norm by default. The convolutions have a bias before instance norm alone.
    #[serde(default)]
    pub norm: NormKind,
    /// How the convolutions start; normal with standard deviation 0.02 by default.
    #[serde(default = "gan")]
    pub init: InitScheme,
}

impl UnetLevelConfig {
    /// A level with that many channels outside and inside, with a transposed convolution and without dropout.
    pub fn new(channels: usize, inner_channels: usize) -> Self {
        Self {
            in_channels: channels,
            inner_channels,
            out_channels: channels,
            upsampling: Upsampling::Transposed,
            dropout: false,
            norm: NormKind::default(),
            init: gan(),
        }
    }

    /// Sets the channels of the result, for an outermost level.
    pub fn out_channels(mut self, out_channels: usize) -> Self {
        self.out_channels = out_channels;
        self
    }

    /// Sets how the size is doubled.
    pub fn upsampling(mut self, upsampling: Upsampling) -> Self {
        self.upsampling = upsampling;
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

    /// Sets how the convolutions start.
    pub fn init(mut self, init: InitScheme) -> Self {
        self.init = init;
        self
    }
}

fn reflect() -> PadMode {
    PadMode::Reflect
}

/// The start of CycleGAN and pix2pix.
fn gan() -> InitScheme {
    InitScheme::Normal(0.02)
}
