//! Learning from a network that sees already.

use crate::{TrainConfig, material};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::Rng;
use gdl_vgg::{Tap, Vgg, VggWeights};

/// Pictures from which the size of the teacher's activations is taken.
const YARDSTICK: usize = 8;

/// A network to learn from, and what maps the learner's features to its.
///
/// The losses of style transfer see features through inner products alone: for features f of a picture and a of a style,
/// `|G - A|^2` is a sum of squares of `f_p . f_q`, `f_p . a_q` and `a_p . a_q` over positions p and q, and `|f_p - a_p|^2` is made
/// of the same. So what is matched is the kernel of inner products between positions, taken over all pictures of a step: a
/// narrower network with the teacher's kernel paints like the teacher. Up to a factor, which relative losses do not see; once as
/// it is, and once about the mean, which would otherwise outweigh all else. Beside it a linear map from the learner's features to the teacher's
/// is fitted, which says more about each single position early on; it is thrown away afterwards.
///
/// `L = mean over taps of |R s + b - t|^2 / |t - mean t|^2 + |K_s / |K_s| - K_t / |K_t||^2 + |C_s / |C_s| - C_t / |C_t||^2`
///
/// # Source
/// Hinton, Vinyals and Dean 2015; Romero et al., *FitNets*, 2015 (the regressors); Tung and Mori, *Similarity-Preserving Knowledge
/// Distillation*, 2019 (kernels of features); Li et al., *Demystifying Neural Style Transfer*, 2017 (the style loss is one of kernels).
#[derive(Debug)]
pub(crate) struct Teacher {
    vgg: Vgg,
    preprocess: gdl_vgg::Preprocess,
    taps: Vec<Tap>,
    /// One over the root of the mean square of its activations at each tap.
    scales: Vec<f64>,
    maps: Vec<(Tensor, Tensor)>,
}

impl Teacher {
    /// `vb` is where the linear maps come from.
    pub(crate) fn new(config: &TrainConfig, weights: &VggWeights, vb: &VarBuilder) -> Result<Self> {
        let taps: Vec<Tap> = config.taps().into_iter().filter(|t| weights.has(*t)).collect();
        let last = *taps.last().context("the teacher has none of the taps")?;
        let mut network = weights.config(last)?;
        network.first_padding = config.network().first_padding;
        let vgg = weights.vgg(&network, DType::F32, &Device::Cpu)?;
        let map = |tap: &Tap| -> candle_core::Result<_> {
            let vb = vb.pp(tap.to_string());
            let (from, to) = (config.widths[tap.block - 1], weights.widths()[tap.block - 1]);
            let init = candle_nn::Init::Randn { mean: 0.0, stdev: (1.0 / from as f64).sqrt() };
            Ok((
                vb.get_with_hints((to, from), "weight", init)?,
                vb.get_with_hints((to, 1), "bias", candle_nn::init::ZERO)?,
            ))
        };
        let maps = taps.iter().map(map).collect::<candle_core::Result<_>>()?;
        let preprocess = weights.preprocess().clone();
        let mut teacher = Self { vgg, preprocess, taps, scales: Vec::new(), maps };
        teacher.scales = teacher.measure(config)?;
        Ok(teacher)
    }

    fn measure(&self, config: &TrainConfig) -> Result<Vec<f64>> {
        let mut rng = Rng::stream(config.seed, "yardstick");
        let pictures: Vec<Tensor> = (0..YARDSTICK)
            .map(|_| Ok(material::draw(&mut rng, config.size)?.image))
            .collect::<candle_core::Result<_>>()?;
        let features = self.features(&Tensor::stack(&pictures, 0)?)?;
        let scale = |f: &Tensor| -> candle_core::Result<f64> {
            let square: f32 = f.sqr()?.mean_all()?.to_scalar()?;
            Ok(1.0 / f64::from(square.max(1e-20)).sqrt())
        };
        Ok(features.iter().map(scale).collect::<candle_core::Result<_>>()?)
    }

    fn features(&self, images: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        self.vgg.features(&self.preprocess.apply(images)?, &self.taps)
    }

    /// The taps at which the learner's features are wanted.
    pub(crate) fn taps(&self) -> &[Tap] {
        &self.taps
    }

    /// The loss, and the part of it that is about kernels, of the learner's features at [`taps`](Self::taps) for pictures (N, 3, H, W)
    /// in [0, 1].
    pub(crate) fn loss(
        &self,
        images: &Tensor,
        features: &[Tensor],
        positions: usize,
        rng: &mut Rng,
    ) -> candle_core::Result<(Tensor, f64)> {
        let (mut sum, mut kernels) = (Tensor::zeros((), DType::F32, images.device())?, 0.0);
        for (i, target) in self.features(images)?.iter().enumerate() {
            let (_, _, h, w) = target.dims4()?;
            let at: Vec<u32> = (0..positions).map(|_| rng.below(h * w) as u32).collect();
            let at = Tensor::new(at, images.device())?;
            let target = (gather(target, &at)? * self.scales[i])?.detach();
            let learner = gather(&features[i], &at)?;
            let (map, bias) = &self.maps[i];
            let off = (map.matmul(&learner)?.broadcast_add(bias)? - &target)?;
            let centred = centre(&target)?;
            sum = (sum + (off.sqr()?.sum_all()? / centred.sqr()?.sum_all()?)?)?;
            let off = |x: &Tensor, y: &Tensor| (kernel(x)? - kernel(y)?)?.sqr()?.sum_all();
            let kernel = (off(&learner, &target)? + off(&centre(&learner)?, &centred)?)?;
            kernels += f64::from(kernel.to_scalar::<f32>()?);
            sum = (sum + kernel)?;
        }
        let n = self.taps.len() as f64;
        Ok(((sum / n)?, kernels / n))
    }
}

/// Features (N, C, H, W) at some positions, the same in every picture: (C, N * positions).
fn gather(f: &Tensor, at: &Tensor) -> candle_core::Result<Tensor> {
    let (n, c, h, w) = f.dims4()?;
    let f = f.reshape((n, c, h * w))?.index_select(at, 2)?;
    f.transpose(0, 1)?.contiguous()?.reshape((c, n * at.dim(0)?))
}

fn centre(f: &Tensor) -> candle_core::Result<Tensor> {
    f.broadcast_sub(&f.mean_keepdim(1)?)
}

/// The inner products of features (C, P) between positions, (P, P), divided by their norm.
fn kernel(f: &Tensor) -> candle_core::Result<Tensor> {
    let kernel = f.t()?.matmul(f)?;
    // A floor for pictures in which nothing varies.
    let norm = (kernel.sqr()?.sum_all()? + 1e-12)?.sqrt()?;
    kernel.broadcast_div(&norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdl_train::ParamStore;
    use gdl_vgg::VggConfig;

    /// A teacher of few channels, a learner of the same widths, and pictures.
    fn class() -> (TrainConfig, VggWeights, Tensor) {
        let widths = [4, 6, 8, 8, 8];
        let config =
            TrainConfig { widths, upto: Tap::relu(2, 1), size: 16, positions: 9, ..TrainConfig::default() };
        let network = VggConfig { widths, upto: config.upto, arch: config.arch, ..VggConfig::default() };
        let images: Vec<_> = (0..2).map(|i| material::draw(&mut Rng::seed(i), 16).unwrap().image).collect();
        (config, VggWeights::random(&network, 1).unwrap(), Tensor::stack(&images, 0).unwrap())
    }

    #[test]
    fn the_kernels_of_the_teacher_itself_are_matched_and_no_others() {
        let (config, weights, images) = class();
        let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
        let teacher = Teacher::new(&config, &weights, &store.vb()).unwrap();
        let own: Vec<Tensor> = teacher
            .features(&images)
            .unwrap()
            .iter()
            .zip(&teacher.scales)
            .map(|(f, s)| (f * *s).unwrap())
            .collect();
        let kernels = |features: &[Tensor]| {
            let (loss, kernels) = teacher.loss(&images, features, 9, &mut Rng::seed(5)).unwrap();
            assert!(f64::from(loss.to_scalar::<f32>().unwrap()) > kernels);
            kernels
        };
        assert!(kernels(&own) < 1e-9);
        // Channels in another order have the same inner products; and the size of all does not matter.
        let turned: Vec<Tensor> = own
            .iter()
            .map(|f| {
                let order: Vec<u32> = (0..f.dim(1).unwrap() as u32).rev().collect();
                f.index_select(&Tensor::new(order, &Device::Cpu).unwrap(), 1).unwrap()
            })
            .collect();
        assert!(kernels(&turned) < 1e-9);
        let half: Vec<Tensor> = own.iter().map(|f| (f * 0.5).unwrap()).collect();
        assert!(kernels(&half) < 1e-9);
        // One channel alone has others.
        let one: Vec<Tensor> =
            own.iter().map(|f| f.narrow(1, 0, 1).unwrap().broadcast_as(f.shape()).unwrap()).collect();
        assert!(kernels(&one) > 0.02);
    }

    #[test]
    fn positions_of_all_pictures_stand_side_by_side() {
        let f = Tensor::arange(0f32, 2.0 * 3.0 * 4.0, &Device::Cpu).unwrap().reshape((2, 3, 2, 2)).unwrap();
        let at = Tensor::new(&[3u32, 0], &Device::Cpu).unwrap();
        let got: Vec<Vec<f32>> = gather(&f, &at).unwrap().to_vec2().unwrap();
        assert_eq!(got, [[3., 0., 15., 12.], [7., 4., 19., 16.], [11., 8., 23., 20.]]);
    }
}
