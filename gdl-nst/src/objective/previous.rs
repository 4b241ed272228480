use crate::losses::temporal_loss;
use candle_core::{Result, Tensor, bail};

/// The frame before, as the temporal loss compares with it.
#[derive(Debug, Clone)]
pub(crate) struct Previous {
    /// What was painted, moved along, (1, 3, H, W).
    pub(crate) image: Tensor,
    /// 1 where the motion is known, 0 elsewhere, (1, 1, H, W).
    pub(crate) known: Tensor,
}

impl Previous {
    /// Checked against the picture's size.
    pub(crate) fn new(image: Tensor, known: Tensor, (h, w): (usize, usize)) -> Result<Self> {
        if image.dims() != [1, 3, h, w] || known.dims() != [1, 1, h, w] {
            bail!(
                "style transfer: a frame of {h}x{w}, the one before {:?} and known {:?}",
                image.dims(),
                known.dims()
            )
        }
        Ok(Self { image, known })
    }

    /// The temporal loss of a picture.
    pub(super) fn loss(&self, image: &Tensor) -> Result<Tensor> {
        temporal_loss(image, &self.image, &self.known)
    }
}
