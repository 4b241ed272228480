use crate::Statistics;
use candle_core::{DType, Device, Result, Tensor};

impl Statistics {
    /// The names of the parts of these statistics, in their order, and whether each is a symmetric matrix of the
    /// channels or a number for each of them.
    pub(super) fn parts(self) -> &'static [(&'static str, Shape)] {
        match self {
            Self::Gram => &[("gram", Shape::Matrix)],
            Self::Covariance => &[("mean", Shape::Column), ("covariance", Shape::Matrix)],
            Self::MeanStd => &[("mean", Shape::Column), ("square", Shape::Column)],
            Self::Wasserstein => &[("mean", Shape::Column), ("moment", Shape::Matrix)],
        }
    }
}

/// What a part of a style's statistics is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// (1, C, 1)
    Column,
    /// (1, C, C), of which the upper triangle is kept.
    Matrix,
    /// (1, C, 1024)
    Quantiles,
}

/// Quantiles of a channel, as the histogram loss has them.
const LEVELS: usize = 1024;

impl Shape {
    /// Numbers kept of a part with so many channels.
    pub(super) fn len(self, channels: usize) -> usize {
        match self {
            Self::Column => channels,
            Self::Matrix => channels * (channels + 1) / 2,
            Self::Quantiles => channels * LEVELS,
        }
    }

    /// A part as it is kept.
    pub(super) fn packed(self, part: &Tensor) -> Result<Tensor> {
        let (_, c, _) = part.dims3()?;
        let flat = part.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?;
        if self != Self::Matrix {
            return Ok(flat);
        }
        let all = flat.to_vec1::<f32>()?;
        let upper: Vec<f32> = all.chunks(c).enumerate().flat_map(|(i, row)| row[i..].to_vec()).collect();
        Tensor::from_vec(upper, self.len(c), &Device::Cpu)
    }

    /// A part as it is used.
    ///
    /// # Errors
    /// When it is not of f32, of this many channels and finite: what it is instead.
    pub(super) fn unpacked(self, kept: &Tensor, channels: usize) -> std::result::Result<Tensor, String> {
        let (c, want) = (channels, self.len(channels));
        if kept.dims() != [want] || kept.dtype() != DType::F32 {
            return Err(format!("{:?} of {:?}, expected [{want}] of F32", kept.dims(), kept.dtype()));
        }
        let unpacked = self.spread(kept, c).map_err(|e| e.to_string())?;
        unpacked.ok_or_else(|| "numbers that are not finite".to_string())
    }

    /// None where something is not finite.
    fn spread(self, kept: &Tensor, c: usize) -> Result<Option<Tensor>> {
        let values = kept.to_vec1::<f32>()?;
        if values.iter().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Column => kept.reshape((1, c, 1))?,
            Self::Quantiles => kept.reshape((1, c, LEVELS))?,
            Self::Matrix => {
                let mut all = vec![0f32; c * c];
                let mut next = values.into_iter();
                for i in 0..c {
                    for (j, value) in (i..c).zip(next.by_ref()) {
                        (all[i * c + j], all[j * c + i]) = (value, value);
                    }
                }
                Tensor::from_vec(all, (1, c, c), &Device::Cpu)?
            }
        }))
    }
}
