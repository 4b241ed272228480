use crate::graph::{Described, Graph};
use crate::{GeneratorConfig, GeneratorKind};
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_blocks::{Grow, ResidualBlock, ResidualBlockConfig, Upsampling};
use gdl_conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, PadMode};
use gdl_kernels::{Activation, recomputed, rng::SharedRng};
use gdl_norm::{Norm2d, NormConfig};

/// The residual generator: 7x7 convolution, halvings (two, unless told otherwise), residual blocks, as many doublings, 7x7
/// convolution, tanh.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, H, W) for H and W that are multiples of
/// [`GeneratorConfig::multiple`] and at least [`GeneratorConfig::min_size`] (4 and 8 with two halvings).
///
/// # Parameters
///
/// With two halvings and n blocks: `model.1`, `model.4`, `model.7` (convolutions), `model.10` .. `model.{9+n}` (`.conv_block.1`, `.conv_block.5`, or
/// `.6` with dropout), `model.{10+n}`, `model.{13+n}` (doublings), `model.{17+n}` (convolution), each `weight` and, with instance norm and in the last, `bias`. With batch norm also its
/// [own](gdl_norm::BatchNorm2d) under the number after each convolution's, but the last.
///
/// # Source
///
/// Johnson et al. 2016; `ResnetGenerator` of the reference. A doubling with
/// [`Upsampling::Resize`] is a 3x3 convolution (out, in, 3, 3) under the same name.
#[derive(Debug, Clone)]
pub struct ResnetGenerator {
    stem: (Conv2d, Norm2d),
    downs: Vec<(Conv2d, Norm2d)>,
    blocks: Vec<ResidualBlock>,
    ups: Vec<(Grow, Norm2d)>,
    head: Conv2d,
    rng: Option<SharedRng>,
    recompute: bool,
}

impl ResnetGenerator {
    /// Builds the network. `rng` is what dropout draws from; training with dropout needs one.
    ///
    /// # Errors
    ///
    /// Where the configuration is another family's or impossible, or the store behind `vb` lacks a tensor of the right
    /// shape.
    pub fn new(config: &GeneratorConfig, rng: Option<SharedRng>, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let GeneratorKind::Resnet { blocks: count, downs: halvings } = config.kind else {
            bail!("ResnetGenerator: the configuration is that of a {:?}", config.kind)
        };
        let (vb, width, init) = (vb.pp("model"), config.base_channels, config.init);
        let conv = |at: usize, config: Conv2dConfig| {
            let (kh, kw) = config.kernel;
            let (weight, bias) = init.conv([config.out_channels, config.in_channels, kh, kw]);
            Conv2d::new_with_init(&config, weight, bias, vb.pp(at))
        };
        let norm = |at: usize, channels: usize| {
            let norm = NormConfig::new(config.norm, channels).activation(Activation::Relu).init(init);
            Norm2d::new(&norm, vb.pp(at))
        };
        // The indices count the reference's parts, of which paddings and activations are parts of their own.
        let seven = |from, to| Conv2dConfig::new(from, to, 7).padding(3).pad_mode(PadMode::Reflect);
        let biased = config.norm.conv_bias();
        let stem = (conv(1, seven(config.in_channels, width).bias(biased))?, norm(2, width)?);
        let halve = |at, from, to| -> Result<_> {
            Ok((
                conv(at, Conv2dConfig::new(from, to, 3).stride(2).padding(1).bias(biased))?,
                norm(at + 1, to)?,
            ))
        };
        let downs: Vec<_> =
            (0..halvings).map(|i| halve(4 + 3 * i, width << i, width << (i + 1))).collect::<Result<_>>()?;
        let block = ResidualBlockConfig::new(width << halvings)
            .pad_mode(config.pad_mode)
            .dropout(config.dropout)
            .norm(config.norm)
            .init(init);
        let blocks = (0..count)
            .map(|i| {
                let block = ResidualBlock::new(&block, vb.pp(4 + 3 * halvings + i))?;
                Ok(match &rng {
                    Some(rng) => block.with_rng(rng.clone()),
                    None => block,
                })
            })
            .collect::<Result<_>>()?;
        let double = |at: usize, from: usize, to: usize| -> Result<_> {
            let grow = match config.upsampling {
                Upsampling::Transposed => {
                    let (weight, bias) = init.conv([from, to, 3, 3]);
                    let config = ConvTranspose2dConfig::new(from, to, 3)
                        .stride(2)
                        .padding(1)
                        .output_padding(1)
                        .bias(biased);
                    Grow::Transposed(ConvTranspose2d::new_with_init(&config, weight, bias, vb.pp(at))?)
                }
                Upsampling::Resize => {
                    let config =
                        Conv2dConfig::new(from, to, 3).padding(1).pad_mode(PadMode::Reflect).bias(biased);
                    Grow::Resize(conv(at, config)?)
                }
            };
            Ok((grow, norm(at + 1, to)?))
        };
        let (after, last) = (4 + 3 * halvings + count, 5 + 6 * halvings + count);
        let ups: Vec<_> = (0..halvings)
            .map(|i| double(after + 3 * i, width << (halvings - i), width << (halvings - i - 1)))
            .collect::<Result<_>>()?;
        let head = conv(last, seven(width, config.out_channels))?;
        Ok(Self { stem, downs, blocks, ups, head, rng, recompute: false })
    }

    /// Whether the residual blocks are [recomputed] in the backward pass of a training; at first not.
    pub(crate) fn recompute(&mut self, on: bool) {
        self.recompute = on;
    }

    fn block(&self, block: &ResidualBlock, x: &Tensor, train: bool) -> Result<Tensor> {
        if !(self.recompute && train) {
            return block.forward_t(x, train);
        }
        let block = block.clone();
        recomputed(x, self.rng.as_ref(), move |x| block.forward_t(x, true))
    }
}

impl ModuleT for ResnetGenerator {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = self.stem.1.forward_t(&self.stem.0.forward(x)?, train)?; // (N, ngf, H, W)
        for (conv, norm) in &self.downs {
            y = norm.forward_t(&conv.forward(&y)?, train)?;
        } // (N, 2^downs ngf, H / 2^downs, W / 2^downs)
        for block in &self.blocks {
            y = self.block(block, &y, train)?;
        }
        for (grow, norm) in &self.ups {
            y = norm.forward_t(&grow.forward(&y)?, train)?;
        } // (N, ngf, H, W)
        self.head.forward(&y)?.tanh()
    }
}

impl Described for ResnetGenerator {
    fn graph(&self) -> Graph<'_> {
        let (mut graph, picture) = Graph::new(self.stem.0.config().in_channels);
        let mut y = graph.conv("stem", picture, &self.stem.0);
        let mut norm = &self.stem.1;
        let mut name = "stem".to_string();
        for (i, (conv, next)) in self.downs.iter().enumerate() {
            y = graph.norm(&format!("{name}.norm"), y, norm);
            name = format!("down{i}");
            y = graph.conv(&name, y, conv);
            graph.keep(y);
            norm = next;
        }
        // But the largest maps, those of the picture's size, all are kept: those are cheaper to compute again.
        y = graph.norm(&format!("{name}.norm"), y, norm);
        for (i, block) in self.blocks.iter().enumerate() {
            let x = y;
            for (n, (conv, norm)) in block.parts().into_iter().enumerate() {
                let name = format!("block{i}.conv{n}");
                y = graph.conv(&name, y, conv);
                graph.keep(y);
                y = graph.norm(&format!("{name}.norm"), y, norm);
            }
            y = graph.add(&format!("block{i}"), x, y);
            graph.keep(y);
        }
        for (i, (grow, norm)) in self.ups.iter().enumerate() {
            let name = format!("up{i}");
            y = graph.grow(&name, y, grow);
            if i + 1 < self.ups.len() {
                graph.keep(y);
            }
            y = graph.norm(&format!("{name}.norm"), y, norm);
        }
        y = graph.conv("head", y, &self.head);
        graph.activate("translation", y, Activation::Tanh);
        graph
    }
}
