use super::grid::Rect;
use candle_core::{Result, Tensor};

/// A whole map (1, C, H, W) that is put together from parts.
#[derive(Debug)]
pub(super) struct Canvas {
    whole: Tensor,
}

impl Canvas {
    /// Zeros of height and width, with the channels, type and device of `like`.
    pub(super) fn new(like: &Tensor, (h, w): (usize, usize)) -> Result<Self> {
        let (n, c, _, _) = like.dims4()?;
        Ok(Self { whole: Tensor::zeros((n, c, h, w), like.dtype(), like.device())? })
    }

    /// Puts a part in its place, where nothing has been put yet.
    pub(super) fn put(&mut self, place: &Rect, part: &Tensor) -> Result<()> {
        if !self.whole.device().is_cpu() {
            return self.add(place, part);
        }
        self.each_channel(place, part, |_, part| Ok(part))
    }

    /// Adds a part to what is there.
    pub(super) fn add(&mut self, place: &Rect, part: &Tensor) -> Result<()> {
        let Rect { rows, columns } = place;
        if !self.whole.device().is_cpu() {
            // All channels at once, though it writes the whole anew: a device has the memory bandwidth for it, and would wait for
            // hundreds of small pieces to be put on their way.
            let (_, _, h, w) = self.whole.dims4()?;
            let tall = part.pad_with_zeros(2, rows.start, h - rows.end)?;
            self.whole = (&self.whole + tall.pad_with_zeros(3, columns.start, w - columns.end)?)?;
            return Ok(());
        }
        self.each_channel(place, part, |there, part| {
            (there.narrow(3, columns.start, columns.len())? + part)?.contiguous()
        })
    }

    /// Whole rows of one channel lie side by side in memory, so that they can be written to.
    fn each_channel(
        &self,
        place: &Rect,
        part: &Tensor,
        new: impl Fn(&Tensor, Tensor) -> Result<Tensor>,
    ) -> Result<()> {
        for channel in 0..self.whole.dim(1)? {
            let there = self.whole.narrow(1, channel, 1)?.narrow(2, place.rows.start, place.height())?;
            let part = part.narrow(1, channel, 1)?.contiguous()?;
            there.slice_set(&new(&there, part)?, 3, place.columns.start)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Tensor {
        self.whole
    }
}
