use candle_core::{Result, Tensor, bail};
use candle_nn::{Init, Module, ModuleT, VarBuilder};
use gdl_conv::{Conv2d, Conv2dConfig, PadMode, Pool2dParams, max_pool2d};
use gdl_kernels::Activation;
use gdl_norm::{BatchNorm2d, BatchNormConfig};
use gdl_vgg::{ConvSpec, Stage, Tap, VggConfig};
use std::collections::BTreeMap;

/// Where the parameters of the norms are.
const NORMS: &str = "norms";

/// A VGG network with a batch norm between each convolution and its rectifier, with which it learns several times
/// faster; folded into the convolutions afterwards, so that a plain [`Vgg`](gdl_vgg::Vgg) remains.
///
/// # Parameters
/// `features.N.weight` as of a `Vgg`, without biases; `norms.N.weight`, `bias`, `running_mean`, `running_var`.
#[derive(Debug)]
pub(crate) struct Learner {
    layers: Vec<(ConvSpec, Conv2d, BatchNorm2d)>,
}

impl Learner {
    pub(crate) fn new(config: &VggConfig, vb: &VarBuilder) -> Result<Self> {
        let needed = |c: &ConvSpec| (c.block, c.index) <= (config.upto.block, config.upto.index);
        let layers = config.arch.convs().take_while(needed).map(|spec| {
            let (shape, _) = spec.shapes(&config.widths);
            let pad = if spec.feature == 0 { config.first_padding } else { PadMode::Zero };
            let conv = Conv2dConfig::new(shape[1], shape[0], 3).padding(1).pad_mode(pad).bias(false);
            // The norm takes the size of the weights away; it only sets how far a step turns them.
            let init = Init::Randn { mean: 0.0, stdev: (2.0 / (9 * shape[0]).max(1) as f64).sqrt() };
            let conv =
                Conv2d::new_with_init(&conv, init, Init::Const(0.0), vb.pp("features").pp(spec.feature))?;
            let norm = BatchNormConfig::new(shape[0]).momentum(0.03).activation(Activation::Relu);
            Ok((spec, conv, BatchNorm2d::new(&norm, vb.pp(NORMS).pp(spec.feature))?))
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// The features at rectified taps in their order in the network, for preprocessed pictures (N, 3, H, W); by the batch's
    /// statistics when `train`, which moves the running ones, else by those.
    pub(crate) fn features(&self, x: &Tensor, taps: &[Tap], train: bool) -> Result<Vec<Tensor>> {
        let mut x = x.clone();
        let (mut found, mut block) = (Vec::new(), 1);
        for (spec, conv, norm) in &self.layers {
            if spec.block > block {
                x = max_pool2d(&x, &Pool2dParams::new(2))?;
                block = spec.block;
            }
            x = norm.forward_t(&conv.forward(&x)?, train)?;
            if taps.contains(&Tap { block, index: spec.index, stage: Stage::Relu }) {
                found.push(x.clone());
            }
        }
        if found.len() != taps.len() {
            bail!("the network has {} of the taps {taps:?}", found.len())
        }
        Ok(found)
    }
}

/// The plain network that does what the [`Learner`] of these tensors does by its running statistics:
/// `w' = w g / s` and `b' = b - m g / s` for the norm's scale g and shift b, its running mean m and deviation s.
pub(crate) fn fold(
    config: &VggConfig,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>> {
    let mut folded = BTreeMap::new();
    for spec in config.arch.convs() {
        let [weight_key, bias_key] = spec.keys();
        let Some(weight) = tensors.get(&weight_key) else { break };
        let get = |name: &str| {
            let key = format!("{NORMS}.{}.{name}", spec.feature);
            tensors.get(&key).ok_or_else(|| candle_core::Error::Msg(format!("there is no tensor {key}")))
        };
        let channels = weight.dim(0)?;
        let eps = BatchNormConfig::new(channels).eps;
        let scale = (get("weight")? / (get("running_var")? + eps)?.sqrt()?)?;
        let bias = (get("bias")? - (get("running_mean")? * &scale)?)?;
        folded.insert(weight_key, weight.broadcast_mul(&scale.reshape((channels, 1, 1, 1))?)?.detach());
        folded.insert(bias_key, bias.detach());
    }
    Ok(folded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use gdl_train::{ParamStore, SharedRng};
    use gdl_vgg::{Preprocess, VggWeights};

    #[test]
    fn folded_it_is_a_plain_network_that_sees_the_same() {
        let config = VggConfig {
            widths: [4, 6, 8, 8, 8],
            upto: Tap::relu(3, 2),
            first_padding: PadMode::Replicate,
            ..VggConfig::default()
        };
        let store = ParamStore::new(DType::F32, &Device::Cpu, 3);
        let learner = Learner::new(&config, &store.vb()).unwrap();
        let taps = [Tap::relu(1, 2), Tap::relu(2, 1), Tap::relu(3, 2)];
        let x = SharedRng::seed(1).randn((2, 3, 13, 16), DType::F32, &Device::Cpu).unwrap();
        for _ in 0..20 {
            learner.features(&x, &taps, true).unwrap();
        }
        let own = learner.features(&x, &taps, false).unwrap();

        let mut metadata = Preprocess::torchvision().to_metadata();
        metadata.insert("widths".into(), "4,6,8,8,8".into());
        let tensors = fold(&config, &store.tensors()).unwrap();
        let weights = VggWeights::from_tensors("folded", tensors, &metadata).unwrap();
        assert_eq!(weights.last_tap(), config.upto);
        let vgg = weights.vgg(&config, DType::F32, &Device::Cpu).unwrap();
        for (a, b) in own.iter().zip(vgg.features(&x, &taps).unwrap()) {
            assert_eq!(a.dims(), b.dims());
            let (off, size) = ((a - &b).unwrap().abs().unwrap(), b.abs().unwrap());
            let off: f32 = off.max_all().unwrap().to_scalar().unwrap();
            let size: f32 = size.max_all().unwrap().to_scalar().unwrap();
            // The same sums in another order.
            assert!(size > 0.1 && off < 1e-4 * size, "{off} {size}");
        }
        assert!(learner.features(&x, &[Tap::relu(4, 1)], false).is_err());
    }
}
