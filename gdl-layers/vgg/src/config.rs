use crate::{Arch, STANDARD_WIDTHS, Tap};
use gdl_conv::PadMode;
use serde::{Deserialize, Serialize};

/// What stands between two blocks. All halve height and width, rounding down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The largest of each 2x2 window, as the network was trained.
    #[default]
    Max,
    /// The average: smoother gradients, which Gatys et al. preferred for pictures.
    Average,
    /// The Euclidean norm of the window, halved, so that a constant stays as it is.
    L2,
}

/// What a [`Vgg`](crate::Vgg) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VggConfig {
    /// Which network; VGG-19 by default.
    pub arch: Arch,
    /// Channels of the five blocks; [`STANDARD_WIDTHS`] by default. Smaller networks of the same build exist.
    pub widths: [usize; 5],
    /// What stands between the blocks; the maximum by default.
    pub pooling: Pooling,
    /// What stands around the image for the first convolution; zeros by default, as the network was trained.
    /// Replication keeps a dark rim from appearing in pictures optimised through the network.
    pub first_padding: PadMode,
    /// The last tap needed: nothing beyond it is built or asked of the weights. `relu5_1` by default.
    pub upto: Tap,
}

impl Default for VggConfig {
    fn default() -> Self {
        Self {
            arch: Arch::default(),
            widths: STANDARD_WIDTHS,
            pooling: Pooling::default(),
            first_padding: PadMode::Zero,
            upto: Tap::relu(5, 1),
        }
    }
}
