use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// The range in which a network takes and gives its pixels. Files are always [`Range::Unit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// [0, 1].
    #[default]
    Unit,
    /// [-1, 1], the range of a tanh: `2x - 1`.
    Symmetric,
}

impl Range {
    /// From [0, 1] to this range. Any shape, nothing is clamped.
    ///
    /// # Errors
    /// Only as the tensor operations fail.
    pub fn from_unit(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Unit => Ok(x.clone()),
            Self::Symmetric => x.affine(2.0, -1.0),
        }
    }

    /// From this range to [0, 1]. Any shape, nothing is clamped.
    ///
    /// # Errors
    /// Only as the tensor operations fail.
    pub fn to_unit(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Unit => Ok(x.clone()),
            Self::Symmetric => x.affine(0.5, 0.5),
        }
    }
}
