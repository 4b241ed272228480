use crate::Tap;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Channels of the five blocks of VGG: 64, 128, 256, 512, 512.
pub const STANDARD_WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];

/// Which VGG: how many 3x3 convolutions each of the five blocks has.
///
/// # Source
/// Simonyan and Zisserman 2015, configurations D (16) and E (19); numbering of the layers as in torchvision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 2, 2, 3, 3, 3 convolutions.
    Vgg16,
    /// 2, 2, 4, 4, 4 convolutions: what style transfer is usually done with.
    #[default]
    Vgg19,
}

/// One convolution of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSpec {
    /// Its block, from 1.
    pub block: usize,
    /// Its place in the block, from 1.
    pub index: usize,
    /// Its number N in the keys `features.N.weight` and `features.N.bias`.
    pub feature: usize,
}

impl ConvSpec {
    /// The two keys of its tensors.
    pub fn keys(&self) -> [String; 2] {
        [format!("features.{}.weight", self.feature), format!("features.{}.bias", self.feature)]
    }

    /// Shapes of weight and bias, given the channels of each block.
    pub fn shapes(&self, widths: &[usize; 5]) -> (Vec<usize>, Vec<usize>) {
        let out = widths[self.block - 1];
        let input = match (self.block, self.index) {
            (1, 1) => 3,
            (block, 1) => widths[block - 2],
            _ => out,
        };
        (vec![out, input, 3, 3], vec![out])
    }
}

impl Arch {
    /// The number of convolutions in each block.
    pub fn depths(&self) -> [usize; 5] {
        match self {
            Self::Vgg16 => [2, 2, 3, 3, 3],
            Self::Vgg19 => [2, 2, 4, 4, 4],
        }
    }

    /// All convolutions, from the image inwards.
    pub fn convs(&self) -> impl Iterator<Item = ConvSpec> {
        let mut feature = 0;
        self.depths().into_iter().enumerate().flat_map(move |(b, depth)| {
            // Each convolution is followed by its rectifier, each block by its pooling.
            let first = feature;
            feature += 2 * depth + 1;
            (0..depth).map(move |i| ConvSpec { block: b + 1, index: i + 1, feature: first + 2 * i })
        })
    }

    /// Whether the network has that tap.
    pub fn has(&self, tap: Tap) -> bool {
        (1..=5).contains(&tap.block) && (1..=self.depths()[tap.block - 1]).contains(&tap.index)
    }

    /// How many pixels of the picture beyond its own block of `2^(tap.block - 1)` squared a feature at that tap sees in
    /// each direction.
    ///
    /// # Example
    /// ```
    /// use gdl_vgg::{Arch, Tap};
    ///
    /// assert_eq!(Arch::Vgg19.reach(Tap::relu(1, 1)), 1);
    /// assert_eq!(Arch::Vgg19.reach(Tap::relu(2, 1)), 1 + 1 + 2);
    /// ```
    pub fn reach(&self, tap: Tap) -> usize {
        let before = self.convs().filter(|c| (c.block, c.index) <= (tap.block, tap.index));
        // A convolution sees one more of its input's positions; the pooling's windows lie side by side.
        before.map(|c| 1 << (c.block - 1)).sum()
    }

    /// The names of its rectified taps, for messages.
    pub(crate) fn tap_names(&self) -> String {
        let names: Vec<_> = self.convs().map(|c| Tap::relu(c.block, c.index).to_string()).collect();
        names.join(", ")
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vgg16 => "vgg16",
            Self::Vgg19 => "vgg19",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_numbered_as_in_torchvision() {
        let numbers = |a: Arch| a.convs().map(|c| c.feature).collect::<Vec<_>>();
        assert_eq!(numbers(Arch::Vgg16), [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]);
        assert_eq!(numbers(Arch::Vgg19), [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]);
    }
}
