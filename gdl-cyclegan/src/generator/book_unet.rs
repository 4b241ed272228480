use crate::graph::{Described, Graph, NodeId};
use crate::{GeneratorConfig, GeneratorKind};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_conv::{Conv2d, Conv2dConfig, Pad, PadMode, pad2d, upsample_nearest2d};
use gdl_kernels::{Activation, recomputed};
use gdl_norm::{Norm2d, NormConfig};

/// The U-Net of the book *Generative Deep Learning*: four halvings by 4x4 convolutions, three doublings by nearest up-sampling and 4x4
/// convolution, each joined with the map of its size on the way down, and a fourth that gives the picture through tanh.
///
/// Each convolution but the last is followed by Keras-contrib's instance norm and ReLU.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, H, W) for H and W that are multiples of 16; at 128x128 the bottom is 8x8.
///
/// # Parameters
///
/// `down.N` (N = 0..3), `up.N` (N = 0..2) and `out`, each `weight` (out, in, 4, 4) and `bias` (out).
///
/// # Source
///
/// `build_generator_unet` in `models/cycleGAN.py` of davidADSP/GDL_code, with Keras's padding. There the weights start uniform
/// (Glorot); here as [`GeneratorConfig::init`] says.
#[derive(Debug, Clone)]
pub struct BookUnetGenerator {
    downs: Vec<Step>,
    ups: Vec<Step>,
    out: Conv2d,
    recompute: bool,
}

type Step = (Conv2d, Norm2d);

impl BookUnetGenerator {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// Where the configuration is another family's or impossible, or the store behind `vb` lacks a tensor of the right
    /// shape.
    pub fn new(config: &GeneratorConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        if config.kind != GeneratorKind::BookUnet {
            bail!("BookUnetGenerator: the configuration is that of a {:?}", config.kind)
        }
        let width = config.base_channels;
        let conv = |from: usize, to: usize, stride: usize, vb: VarBuilder| {
            let (weight, bias) = config.init.conv([to, from, 4, 4]);
            Conv2d::new_with_init(&Conv2dConfig::new(from, to, 4).stride(stride), weight, bias, vb)
        };
        let step = |from, to, stride, vb: VarBuilder| -> Result<Step> {
            let norm = NormConfig::new(config.norm, to).activation(Activation::Relu);
            Ok((conv(from, to, stride, vb.clone())?, Norm2d::new(&norm, vb)?))
        };
        let inputs = [config.in_channels, width, 2 * width, 4 * width];
        let downs =
            (0..4).map(|i| step(inputs[i], width << i, 2, vb.pp("down").pp(i))).collect::<Result<_>>()?;
        // The bottom's map, and then two maps at a time.
        let inputs = [8 * width, 8 * width, 4 * width];
        let ups = (0..3).map(|i| step(inputs[i], (4 * width) >> i, 1, vb.pp("up").pp(i)));
        let ups = ups.collect::<Result<_>>()?;
        Ok(Self { downs, ups, out: conv(2 * width, config.out_channels, 1, vb.pp("out"))?, recompute: false })
    }

    /// Whether the steps are [recomputed] in the backward pass of a training; at first not.
    pub(crate) fn recompute(&mut self, on: bool) {
        self.recompute = on;
    }

    fn step(&self, step: &Step, x: &Tensor, grow: bool, train: bool) -> Result<Tensor> {
        let (conv, norm) = step.clone();
        let run = move |x: &Tensor| {
            let x = if grow { upsample_nearest2d(x, 2)? } else { x.clone() };
            norm.forward_t(&same(&conv, &x)?, true)
        };
        if self.recompute && train { recomputed(x, None, run) } else { run(x) }
    }
}

/// A convolution over a map padded as Keras pads it.
fn same(conv: &Conv2d, x: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let (kernel, stride) = (conv.config().kernel.0, conv.config().stride.0);
    conv.forward(&pad2d(x, Pad::keras_same((h, w), kernel, stride), PadMode::Zero)?)
}

/// With neither dropout nor running statistics it computes the same in training and out of it.
impl ModuleT for BookUnetGenerator {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut maps = vec![x.clone()];
        for step in &self.downs {
            let map = maps.last().unwrap_or(x);
            maps.push(self.step(step, map, false, train)?);
        } // the last (N, 8 base, H / 16, W / 16)
        let mut y = maps.pop().unwrap_or_else(|| x.clone());
        for (step, skip) in self.ups.iter().zip(maps.iter().rev()) {
            let grown = self.step(step, &y, true, train)?;
            y = Tensor::cat(&[&grown, skip], 1)?;
        } // (N, 2 base, H / 2, W / 2)
        same(&self.out, &upsample_nearest2d(&y, 2)?)?.tanh()
    }
}

impl Described for BookUnetGenerator {
    fn graph(&self) -> Graph<'_> {
        let in_channels = self.downs.first().map_or(0, |(conv, _)| conv.config().in_channels);
        let (mut graph, mut y) = Graph::new(in_channels);
        let mut maps = Vec::new();
        for (i, (conv, norm)) in self.downs.iter().enumerate() {
            let name = format!("down{i}");
            y = same_node(&mut graph, &name, y, conv);
            graph.keep(y);
            y = graph.norm(&format!("{name}.norm"), y, norm);
            maps.push(y);
        }
        for (i, ((conv, norm), skip)) in self.ups.iter().zip(maps.iter().rev().skip(1)).enumerate() {
            let name = format!("up{i}");
            y = graph.upsample(&format!("{name}.resize"), y);
            y = same_node(&mut graph, &name, y, conv);
            graph.keep(y);
            y = graph.norm(&format!("{name}.norm"), y, norm);
            y = graph.concat(&format!("{name}.joined"), y, *skip);
        }
        y = graph.upsample("out.resize", y);
        y = same_node(&mut graph, "out", y, &self.out);
        graph.activate("translation", y, Activation::Tanh);
        graph
    }
}

/// As [`same`]: whatever the height and width, they are multiples of the stride, which is all that the padding depends on.
fn same_node<'a>(graph: &mut Graph<'a>, name: &str, x: NodeId, conv: &'a Conv2d) -> NodeId {
    let (kernel, stride) = (conv.config().kernel.0, conv.config().stride.0);
    graph.conv_padded(name, x, conv, Pad::keras_same((kernel * stride, kernel * stride), kernel, stride))
}
