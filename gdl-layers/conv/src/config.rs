use crate::PadMode;
use serde::{Deserialize, Serialize};

/// One number for both axes, or a pair (height, width), wherever a layer's builder takes a size.
///
/// # Example
///
/// ```
/// use gdl_conv::Conv2dConfig;
/// assert_eq!(Conv2dConfig::new(3, 8, 3).kernel, (3, 3));
/// assert_eq!(Conv2dConfig::new(3, 8, (3, 5)).kernel, (3, 5));
/// ```
pub trait IntoPair {
    /// (height, width).
    fn into_pair(self) -> (usize, usize);
}

impl IntoPair for usize {
    fn into_pair(self) -> (usize, usize) {
        (self, self)
    }
}

impl IntoPair for (usize, usize) {
    fn into_pair(self) -> (usize, usize) {
        self
    }
}

/// What a [`Conv2d`](crate::Conv2d) layer looks like. Pairs are (height, width).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2dConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Size of the kernel.
    pub kernel: (usize, usize),
    /// Step of the kernel; 1 by default.
    #[serde(default = "one")]
    pub stride: (usize, usize),
    /// Rows and columns added on each side of the input; 0 by default.
    #[serde(default)]
    pub padding: (usize, usize),
    /// Distance between the kernel's taps; 1 (dense) by default.
    #[serde(default = "one")]
    pub dilation: (usize, usize),
    /// Groups of channels convolved apart from each other; 1 by default.
    #[serde(default = "one_group")]
    pub groups: usize,
    /// Whether a bias is added; true by default.
    #[serde(default = "yes")]
    pub bias: bool,
    /// What stands in the padding; zeros by default.
    #[serde(default)]
    pub pad_mode: PadMode,
}

impl Conv2dConfig {
    /// A dense convolution with stride 1, no padding and a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel: impl IntoPair) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: kernel.into_pair(),
            stride: one(),
            padding: (0, 0),
            dilation: one(),
            groups: 1,
            bias: true,
            pad_mode: PadMode::Zero,
        }
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: impl IntoPair) -> Self {
        self.stride = stride.into_pair();
        self
    }

    /// Sets the padding on each side.
    pub fn padding(mut self, padding: impl IntoPair) -> Self {
        self.padding = padding.into_pair();
        self
    }

    /// Sets the dilation.
    pub fn dilation(mut self, dilation: impl IntoPair) -> Self {
        self.dilation = dilation.into_pair();
        self
    }

    /// Sets the number of groups.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets whether a bias is added.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets what stands in the padding.
    pub fn pad_mode(mut self, pad_mode: PadMode) -> Self {
        self.pad_mode = pad_mode;
        self
    }
}

/// What a [`ConvTranspose2d`](crate::ConvTranspose2d) layer looks like. Pairs are (height, width).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvTranspose2dConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Size of the kernel.
    pub kernel: (usize, usize),
    /// Up-scaling step; 1 by default.
    #[serde(default = "one")]
    pub stride: (usize, usize),
    /// Rows and columns cut from each side of the output; 0 by default.
    #[serde(default)]
    pub padding: (usize, usize),
    /// Rows and columns added at the bottom and right of the output, to choose between the output sizes
    /// that one stride allows; 0 by default.
    #[serde(default)]
    pub output_padding: (usize, usize),
    /// Distance between the kernel's taps; 1 (dense) by default.
    #[serde(default = "one")]
    pub dilation: (usize, usize),
    /// Groups of channels treated apart from each other; 1 by default.
    #[serde(default = "one_group")]
    pub groups: usize,
    /// Whether a bias is added; true by default.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl ConvTranspose2dConfig {
    /// A dense transposed convolution with stride 1, no padding and a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel: impl IntoPair) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: kernel.into_pair(),
            stride: one(),
            padding: (0, 0),
            output_padding: (0, 0),
            dilation: one(),
            groups: 1,
            bias: true,
        }
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: impl IntoPair) -> Self {
        self.stride = stride.into_pair();
        self
    }

    /// Sets what is cut from each side of the output.
    pub fn padding(mut self, padding: impl IntoPair) -> Self {
        self.padding = padding.into_pair();
        self
    }

    /// Sets what is added at the bottom and right of the output.
    pub fn output_padding(mut self, output_padding: impl IntoPair) -> Self {
        self.output_padding = output_padding.into_pair();
        self
    }

    /// Sets the dilation.
    pub fn dilation(mut self, dilation: impl IntoPair) -> Self {
        self.dilation = dilation.into_pair();
        self
    }

    /// Sets the number of groups.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets whether a bias is added.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
}

fn one() -> (usize, usize) {
    (1, 1)
}

fn one_group() -> usize {
    1
}

fn yes() -> bool {
    true
}
