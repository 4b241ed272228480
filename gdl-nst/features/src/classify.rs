//! Learning without another network: by telling the drawn textures apart.

use crate::{TrainConfig, material};
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use gdl_vgg::Tap;
use material::Picture;

/// Questions about a picture that are answered at every tap from mean and standard deviation of its channels, which are what
/// style losses look at: which family of textures it is, how it is turned, how fine it is.
///
/// `L = mean over taps of CE(family) + |(cos 2a, sin 2a) - answer|^2 / 2 + (log zoom - answer)^2 / 2`
#[derive(Debug)]
pub(crate) struct Questions {
    taps: Vec<Tap>,
    heads: Vec<Linear>,
}

/// Answers beside the family: twice the angle as cosine and sine, for a texture turned by half a turn is most often the same;
/// and the zoom.
const MEASURES: usize = 3;

impl Questions {
    /// `vb` is where the linear answers come from.
    pub(crate) fn new(config: &TrainConfig, vb: &VarBuilder) -> Result<Self> {
        let taps = config.taps();
        let answers = material::families().len() + MEASURES;
        let heads = taps
            .iter()
            .map(|tap| candle_nn::linear(2 * config.widths[tap.block - 1], answers, vb.pp(tap.to_string())))
            .collect::<Result<_>>()?;
        Ok(Self { taps, heads })
    }

    /// The taps at which the learner's features are wanted.
    pub(crate) fn taps(&self) -> &[Tap] {
        &self.taps
    }

    /// The loss, and the part of the families that the last tap tells rightly.
    pub(crate) fn loss(&self, pictures: &[Picture], features: &[Tensor]) -> Result<(Tensor, f64)> {
        let device = Device::Cpu;
        let families: Vec<u32> = pictures.iter().map(|p| p.family as u32).collect();
        let families = Tensor::new(families, &device)?;
        let measures: Vec<f32> = pictures
            .iter()
            .flat_map(|p| [(2.0 * p.angle).cos(), (2.0 * p.angle).sin(), p.log_zoom])
            .collect();
        let measures = Tensor::from_vec(measures, (pictures.len(), MEASURES), &device)?;
        let mut sum = Tensor::zeros((), DType::F32, &device)?;
        let mut right = 0.0;
        for (f, head) in features.iter().zip(&self.heads) {
            let answers = head.forward(&statistics(f)?)?;
            let n = answers.dim(1)? - MEASURES;
            let names = answers.narrow(1, 0, n)?;
            sum = (sum + candle_nn::loss::cross_entropy(&names, &families)?)?;
            let off = (answers.narrow(1, n, MEASURES)? - &measures)?;
            sum = (sum + (off.sqr()?.sum(1)?.mean_all()? * 0.5)?)?;
            let told = names.argmax(D::Minus1)?.eq(&families)?.to_dtype(DType::F32)?;
            right = f64::from(told.mean_all()?.to_scalar::<f32>()?);
        }
        Ok(((sum / self.heads.len() as f64)?, right))
    }
}

/// Mean and standard deviation of each channel, (N, 2 C).
fn statistics(f: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = f.dims4()?;
    let f = f.reshape((n, c, h * w))?;
    let mean = f.mean_keepdim(2)?;
    let deviation = (f.broadcast_sub(&mean)?.sqr()?.mean_keepdim(2)? + 1e-5)?.sqrt()?;
    Tensor::cat(&[mean, deviation], 1)?.squeeze(2)
}
