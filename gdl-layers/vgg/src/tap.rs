use crate::{Arch, Error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// On which side of its rectifier a [`Tap`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The convolution's output, before the rectifier.
    Conv,
    /// After the rectifier.
    Relu,
}

/// A named place in the network where features are read: `relu4_2` is the rectified second convolution of block 4.
///
/// Ordered from the image inwards. Written and read (also by serde) by its name.
///
/// # Example
/// ```
/// use gdl_vgg::Tap;
///
/// let tap: Tap = "relu4_2".parse()?;
/// assert_eq!((tap.block, tap.index, tap.to_string().as_str()), (4, 2, "relu4_2"));
/// assert!("relu9_1".parse::<Tap>().is_err());
/// # Ok::<(), gdl_vgg::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tap {
    /// The block, from 1 to 5; a pooling layer stands between two blocks.
    pub block: usize,
    /// The convolution within the block, from 1.
    pub index: usize,
    /// Before or after the rectifier.
    pub stage: Stage,
}

impl Tap {
    /// The tap after the rectifier of convolution `index` of `block`, both counted from 1.
    pub const fn relu(block: usize, index: usize) -> Self {
        Self { block, index, stage: Stage::Relu }
    }

    /// The tap before the rectifier of convolution `index` of `block`, both counted from 1.
    pub const fn conv(block: usize, index: usize) -> Self {
        Self { block, index, stage: Stage::Conv }
    }
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Conv => "conv",
            Stage::Relu => "relu",
        };
        write!(f, "{stage}{}_{}", self.block, self.index)
    }
}

impl FromStr for Tap {
    type Err = Error;

    /// Reads the name of any tap of VGG-19, which has all of VGG-16's and more.
    fn from_str(name: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownTap { name: name.to_string(), valid: Arch::Vgg19.tap_names() };
        let (stage, place) = match (name.strip_prefix("relu"), name.strip_prefix("conv")) {
            (Some(place), _) => (Stage::Relu, place),
            (_, Some(place)) => (Stage::Conv, place),
            _ => return Err(unknown()),
        };
        Arch::Vgg19
            .convs()
            .find(|c| place == format!("{}_{}", c.block, c.index))
            .map(|c| Self { block: c.block, index: c.index, stage })
            .ok_or_else(unknown)
    }
}

impl TryFrom<String> for Tap {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<Tap> for String {
    fn from(tap: Tap) -> Self {
        tap.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for conv in Arch::Vgg19.convs() {
            for tap in [Tap::conv(conv.block, conv.index), Tap::relu(conv.block, conv.index)] {
                assert_eq!(tap.to_string().parse::<Tap>().unwrap(), tap);
                let json = serde_json::to_string(&tap).unwrap();
                assert_eq!(json, format!("\"{tap}\""));
                assert_eq!(serde_json::from_str::<Tap>(&json).unwrap(), tap);
            }
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        for name in ["", "relu", "relu4", "relu1_3", "relu04_2", "pool4", "relu4_2 "] {
            let error = name.parse::<Tap>().unwrap_err().to_string();
            assert!(error.contains("relu1_1") && error.contains("relu5_4"), "{error}");
        }
    }

    #[test]
    fn the_order_is_that_of_the_network() {
        assert!(Tap::relu(1, 2) < Tap::conv(2, 1) && Tap::conv(2, 1) < Tap::relu(2, 1));
    }
}
