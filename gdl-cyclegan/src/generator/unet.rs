use crate::graph::{Described, Graph, NodeId};
use crate::{GeneratorConfig, GeneratorKind};
use candle_core::{Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_blocks::{UnetLevel, UnetLevelConfig};
use gdl_kernels::{Activation, rng::SharedRng};

/// The U-Net generator: `downs` halvings to the bottom and as many doublings, level joined to level by concatenation.
///
/// Level i has `min(2^i, 8) * base_channels` channels inside.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, out_channels, H, W) for H and W that are multiples of `2^downs`.
///
/// # Parameters
///
/// Nested as in the reference: `model.model.0` (first convolution), `model.model.1.model.1`, `model.model.1.model.3.model.1`, ..,
/// `model.model.3` (last transposed convolution), each `weight` and, with instance norm and in the last, `bias`; batch norm's own
/// beside them, see [`UnetLevel`].
///
/// # Source
///
/// Isola et al. 2017; `UnetGenerator` of the reference, which has at least 5 levels; here fewer are
/// possible, for small images.
#[derive(Debug, Clone)]
pub struct UnetGenerator {
    outermost: UnetLevel,
}

impl UnetGenerator {
    /// Builds the network. `rng` is what dropout draws from; training with dropout needs one.
    ///
    /// # Errors
    ///
    /// Where the configuration is another family's or impossible, or the store behind `vb` lacks a tensor of the right
    /// shape.
    pub fn new(config: &GeneratorConfig, rng: Option<SharedRng>, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let GeneratorKind::Unet { downs } = config.kind else {
            bail!("UnetGenerator: the configuration is that of a {:?}", config.kind)
        };
        let width = |level: usize| config.base_channels << level.min(3);
        let levels: Vec<_> = (0..downs)
            .map(|i| match i {
                0 => UnetLevelConfig::new(config.in_channels, width(0)).out_channels(config.out_channels),
                // The reference gives dropout to the levels that it adds between the growing ones and the innermost.
                _ => UnetLevelConfig::new(width(i - 1), width(i))
                    .dropout(config.dropout && (4..downs - 1).contains(&i)),
            })
            .map(|level| level.upsampling(config.upsampling).norm(config.norm).init(config.init))
            .collect();
        let mut outermost = UnetLevel::nest(&levels, vb.pp("model"))?;
        if let Some(rng) = rng {
            outermost = outermost.with_rng(rng);
        }
        Ok(Self { outermost })
    }

    /// As of [`UnetLevel::recompute`].
    pub(crate) fn recompute(&mut self, on: bool) {
        self.outermost.recompute(on);
    }
}

impl ModuleT for UnetGenerator {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.outermost.forward_t(x, train)
    }
}

impl Described for UnetGenerator {
    fn graph(&self) -> Graph<'_> {
        let (mut graph, picture) = Graph::new(self.outermost.down().conv().config().in_channels);
        describe(&mut graph, picture, &self.outermost, 0);
        graph
    }
}

/// A level and those inside it, as [`UnetLevel`] computes them. What the convolutions give is kept: each map serves twice.
fn describe<'a>(graph: &mut Graph<'a>, x: NodeId, level: &'a UnetLevel, depth: usize) -> NodeId {
    let (down, up) = (level.down(), level.up());
    let name = format!("down{depth}");
    let mut y = graph.activate(&format!("{name}.activation"), x, down.activation());
    y = graph.conv(&name, y, down.conv());
    graph.keep(y);
    if let Some(norm) = down.norm() {
        y = graph.norm(&format!("{name}.norm"), y, norm);
    }
    if let Some(inside) = level.inside() {
        y = describe(graph, y, inside, depth + 1);
    }
    let name = format!("up{depth}");
    y = graph.activate(&format!("{name}.activation"), y, Activation::Relu);
    y = graph.grow(&name, y, up.grow());
    let Some(norm) = up.norm() else {
        return graph.activate("translation", y, Activation::Tanh);
    };
    graph.keep(y);
    y = graph.norm(&format!("{name}.norm"), y, norm);
    graph.concat(&format!("{name}.joined"), x, y)
}
