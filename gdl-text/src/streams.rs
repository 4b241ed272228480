use crate::{Error, Result, Tokens};
use candle_core::{Device, Tensor};
use std::ops::Range;

/// Token ids laid out for truncated backpropagation through time: `batch` contiguous streams read side by side,
/// `seq` tokens at a time, so that the state after one step is the state before the next.
///
/// Stream b starts at b * floor((len - 1) / batch); the target of each token is the one after it. What does not fill a
/// last step of `seq` is left out.
///
/// # Example
/// ```
/// use candle_core::Device;
/// use gdl_text::Streams;
///
/// let streams = Streams::new(Vec::from_iter(0..13), 2, 3, "numbers", "it has")?;
/// assert_eq!(streams.steps(), 2);
/// let (inputs, targets) = streams.get(1, &Device::Cpu)?;
/// assert_eq!(inputs.to_vec2::<u32>()?, [[3, 4, 5], [9, 10, 11]]);
/// assert_eq!(targets.to_vec2::<u32>()?, [[4, 5, 6], [10, 11, 12]]);
/// # Ok::<(), gdl_text::Error>(())
/// ```
///
/// # Source
/// The order of char-rnn and of PyTorch's word language model example.
#[derive(Debug, Clone)]
pub struct Streams {
    tokens: Tokens,
    batch: usize,
    seq: usize,
    steps: usize,
}

impl Streams {
    /// Lays out the tokens; `origin` and `part` name them in errors.
    ///
    /// # Errors
    /// [`Error::Setting`] when `batch` or `seq` is 0, [`Error::TooShort`] when there is not one full step.
    pub fn new(
        tokens: impl Into<Tokens>,
        batch: usize,
        seq: usize,
        origin: &str,
        part: &'static str,
    ) -> Result<Self> {
        let tokens = tokens.into();
        for (key, value) in [("batch", batch), ("seq", seq)] {
            if value == 0 {
                return Err(Error::setting(key, "must be at least 1, got 0"));
            }
        }
        let steps = tokens.len().saturating_sub(1) / batch / seq;
        if steps == 0 {
            let need = batch.saturating_mul(seq).saturating_add(1);
            return Err(Error::TooShort {
                origin: origin.into(),
                part,
                have: tokens.len(),
                need,
                batch,
                seq,
            });
        }
        Ok(Self { tokens, batch, seq, steps })
    }

    /// Steps in one pass.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Tokens of each stream that are predicted in one pass, at most.
    pub(crate) fn stream_len(&self) -> usize {
        (self.tokens.len() - 1) / self.batch
    }

    /// Tokens of each stream in one step.
    pub(crate) fn seq(&self) -> usize {
        self.seq
    }

    /// What each step of a pass reads of each stream.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.steps).map(|step| step * self.seq..(step + 1) * self.seq)
    }

    /// Inputs and targets of a step below [`steps`](Self::steps), each (batch, seq).
    ///
    /// # Errors
    /// When there is no such step, or the device cannot allocate.
    pub fn get(&self, step: usize, device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
        if step >= self.steps {
            candle_core::bail!("Streams: there are {} steps, step {step} was asked for", self.steps)
        }
        self.read(step * self.seq..(step + 1) * self.seq, device)
    }

    /// The tokens of each stream at those places as inputs, and those behind each as targets, both (batch, length).
    pub(crate) fn read(&self, range: Range<usize>, device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
        let (length, t) = (self.stream_len(), range.len());
        let (mut inputs, mut targets) =
            (Vec::with_capacity(self.batch * t), Vec::with_capacity(self.batch * t));
        for b in 0..self.batch {
            let start = b * length + range.start;
            let row = self.tokens.read(start..start + t + 1).map_err(candle_core::Error::wrap)?;
            inputs.extend_from_slice(&row[..t]);
            targets.extend_from_slice(&row[1..]);
        }
        let shape = (self.batch, t);
        Ok((Tensor::from_vec(inputs, shape, device)?, Tensor::from_vec(targets, shape, device)?))
    }
}
