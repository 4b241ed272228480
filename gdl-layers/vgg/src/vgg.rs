use crate::{ConvSpec, Pooling, Stage, Tap, VggConfig};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use gdl_conv::{Conv2d, Conv2dConfig, PadMode, Pool2dParams, avg_pool2d, l2_pool2d, max_pool2d};
use gdl_kernels::Activation;

/// The convolutional part of VGG-16 or VGG-19, up to the last tap needed.
///
/// Blocks of 3x3 convolutions with padding 1, each followed by a rectifier; pooling halves the image between blocks.
///
/// The weights are those of the `VarBuilder`: variables are trained, plain tensors (what
/// [`VggWeights::vgg`](crate::VggWeights::vgg) gives) are frozen and get no gradient.
///
/// # Parameters
/// `features.N.weight` (C_out, C_in, 3, 3), He-normal by fan-out when drawn; `features.N.bias` (C_out), zero when
/// drawn. N is the layer's number in torchvision's `vgg16`/`vgg19`, counting rectifiers and pooling.
///
/// # Example
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_vgg::{Tap, Vgg, VggConfig};
///
/// let config = VggConfig { upto: Tap::relu(2, 1), ..VggConfig::default() };
/// let vgg = Vgg::new(&config, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let x = Tensor::zeros((1, 3, 32, 48), DType::F32, &Device::Cpu)?;
/// let features = vgg.features(&x, &[Tap::relu(1, 2), Tap::relu(2, 1)])?;
/// assert_eq!(features[0].dims(), [1, 64, 32, 48]);
/// assert_eq!(features[1].dims(), [1, 128, 16, 24]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
/// Simonyan and Zisserman 2015; `torchvision.models.vgg16` and `vgg19`, their `features`.
#[derive(Debug, Clone)]
pub struct Vgg {
    config: VggConfig,
    convs: Vec<(ConvSpec, Conv2d)>,
}

impl Vgg {
    /// Builds the convolutions up to `config.upto`.
    ///
    /// # Errors
    /// When the network has no such tap, a width is 0, or `vb` lacks a tensor of the right shape.
    pub fn new(config: &VggConfig, vb: VarBuilder) -> Result<Self> {
        if !config.arch.has(config.upto) {
            bail!(
                "{}: there is no tap {}; the taps are {}",
                config.arch,
                config.upto,
                config.arch.tap_names()
            )
        }
        let vb = vb.pp("features");
        let needed = |c: &ConvSpec| (c.block, c.index) <= (config.upto.block, config.upto.index);
        let convs = config.arch.convs().take_while(needed).map(|spec| {
            let (weight, _) = spec.shapes(&config.widths);
            let pad_mode = if spec.feature == 0 { config.first_padding } else { PadMode::Zero };
            let conv = Conv2dConfig::new(weight[1], weight[0], 3).padding(1).pad_mode(pad_mode);
            let std = (2.0 / (9 * weight[0]).max(1) as f64).sqrt();
            let init = Init::Randn { mean: 0.0, stdev: std };
            let conv = Conv2d::new_with_init(&conv, init, Init::Const(0.0), vb.pp(spec.feature))?;
            Ok((spec, conv))
        });
        let convs = convs.collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), convs })
    }

    /// The configuration the network was built from.
    pub fn config(&self) -> &VggConfig {
        &self.config
    }

    /// The features at each tap, in the order asked for; nothing beyond the last is computed.
    ///
    /// # Shape
    /// `x` (N, 3, H, W), preprocessed as the weights want it (see [`Preprocess`](crate::Preprocess)). A tap of block
    /// `b` is (N, C, H / 2^(b-1), W / 2^(b-1)), rounded down at each halving.
    ///
    /// # Errors
    /// When a tap lies beyond the one the network was built up to, or the image is too small to be halved so often.
    pub fn features(&self, x: &Tensor, taps: &[Tap]) -> Result<Vec<Tensor>> {
        let Some(&last) = taps.iter().max() else { return Ok(Vec::new()) };
        if let Some(tap) = taps.iter().find(|t| **t > self.config.upto || !self.config.arch.has(**t)) {
            bail!("vgg: there is no tap {tap} in a {} built up to {}", self.config.arch, self.config.upto)
        }
        let (_, _, h, w) = x.dims4()?;
        let shrink = 1 << (last.block - 1);
        if h < shrink || w < shrink {
            bail!("vgg: an image of {h}x{w} is too small for {last}, which needs at least {shrink}x{shrink}")
        }
        let mut found: Vec<Option<Tensor>> = vec![None; taps.len()];
        let mut keep = |tap: Tap, x: &Tensor| {
            taps.iter()
                .zip(found.iter_mut())
                .filter(|(t, _)| **t == tap)
                .for_each(|(_, f)| *f = Some(x.clone()));
        };
        // In half precision where that was asked for; what the taps see is widened again.
        let given = x.dtype();
        let mut x = gdl_kernels::to_compute_dtype(x)?;
        for (i, (spec, conv)) in self.convs.iter().enumerate() {
            let tap = Tap { block: spec.block, index: spec.index, stage: Stage::Conv };
            if tap > last {
                break;
            }
            let relu = Tap { stage: Stage::Relu, ..tap };
            let next =
                self.convs.get(i + 1).map(|(next, _)| Tap { block: next.block, index: next.index, ..tap });
            let pooled = next.is_some_and(|next| next.block > tap.block && next <= last);
            if pooled && self.config.pooling == Pooling::Max && !taps.contains(&tap) && !taps.contains(&relu)
            {
                // Nobody wants the image before it is halved.
                x = conv.forward_pooled(&x, Activation::Relu)?;
                continue;
            }
            if taps.contains(&tap) {
                x = conv.forward(&x)?;
                keep(tap, &x);
                x = Activation::Relu.forward(&x)?;
            } else {
                x = conv.forward_activated(&x, Activation::Relu)?;
            }
            keep(relu, &x);
            if pooled {
                x = self.pool(&x)?;
            }
        }
        found
            .into_iter()
            .map(|f| match f {
                Some(f) => f.to_dtype(given),
                None => bail!("vgg: a tap was missed"),
            })
            .collect()
    }

    fn pool(&self, x: &Tensor) -> Result<Tensor> {
        let params = Pool2dParams::new(2);
        match self.config.pooling {
            Pooling::Max => max_pool2d(x, &params),
            Pooling::Average => avg_pool2d(x, &params),
            Pooling::L2 => l2_pool2d(x, &params)? * 0.5,
        }
    }
}
