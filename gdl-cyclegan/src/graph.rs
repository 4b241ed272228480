//! A generator as a list of operations: what is walked through to translate in tiles and to export.

use gdl_blocks::Grow;
use gdl_conv::{Conv2d, ConvTranspose2d, Pad};
use gdl_kernels::Activation;
use gdl_norm::Norm2d;

/// The operations of one network as for inference, each after those that it reads. The last one gives the translation.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    /// Unique within the graph.
    pub(crate) name: String,
    pub(crate) op: Op<'a>,
    /// The operations whose results it reads.
    pub(crate) inputs: Vec<NodeId>,
    /// Channels of the result.
    pub(crate) channels: usize,
    /// Height and width of the result are those of the picture, halved so often.
    pub(crate) halvings: usize,
    /// Whether the result is worth its memory, when a picture is translated in tiles: it is small beside what computing it
    /// again costs.
    pub(crate) kept: bool,
}

/// The place of an operation in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) usize);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Op<'a> {
    /// The picture in [-1, 1].
    Picture,
    /// Padding in the convolution's mode and the convolution.
    Conv {
        conv: &'a Conv2d,
        pad: Pad,
    },
    Transposed(&'a ConvTranspose2d),
    /// Every pixel twice along both axes.
    Upsample,
    /// The norm with its activation.
    Norm(&'a Norm2d),
    Activate(Activation),
    Add,
    /// Along the channels.
    Concat,
}

impl<'a> Graph<'a> {
    /// A graph that has but the picture, and where that stands.
    pub(crate) fn new(channels: usize) -> (Self, NodeId) {
        let mut graph = Self { nodes: Vec::new() };
        let picture = graph.push("picture", Op::Picture, &[], channels, 0);
        (graph, picture)
    }

    /// The operations in order.
    pub(crate) fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// One of them.
    pub(crate) fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0]
    }

    /// Every place in order.
    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The place of the translation.
    pub(crate) fn last(&self) -> NodeId {
        NodeId(self.nodes.len().saturating_sub(1))
    }

    /// A convolution with the padding that its configuration names.
    pub(crate) fn conv(&mut self, name: &str, x: NodeId, conv: &'a Conv2d) -> NodeId {
        let (top, left) = conv.config().padding;
        self.conv_padded(name, x, conv, Pad { left, right: left, top, bottom: top })
    }

    /// A convolution over a map padded otherwise.
    pub(crate) fn conv_padded(&mut self, name: &str, x: NodeId, conv: &'a Conv2d, pad: Pad) -> NodeId {
        let halvings = self.node(x).halvings + usize::from(conv.config().stride.0 == 2);
        self.push(name, Op::Conv { conv, pad }, &[x], conv.config().out_channels, halvings)
    }

    /// A doubling.
    pub(crate) fn grow(&mut self, name: &str, x: NodeId, grow: &'a Grow) -> NodeId {
        match grow {
            Grow::Transposed(conv) => {
                let halvings = self.node(x).halvings - 1;
                self.push(name, Op::Transposed(conv), &[x], conv.config().out_channels, halvings)
            }
            Grow::Resize(conv) => {
                let doubled = self.upsample(&format!("{name}.resize"), x);
                self.conv(name, doubled, conv)
            }
        }
    }

    pub(crate) fn upsample(&mut self, name: &str, x: NodeId) -> NodeId {
        let Node { channels, halvings, .. } = *self.node(x);
        self.push(name, Op::Upsample, &[x], channels, halvings - 1)
    }

    pub(crate) fn norm(&mut self, name: &str, x: NodeId, norm: &'a Norm2d) -> NodeId {
        self.like(name, Op::Norm(norm), &[x])
    }

    pub(crate) fn activate(&mut self, name: &str, x: NodeId, activation: Activation) -> NodeId {
        match activation {
            Activation::Identity => x,
            _ => self.like(name, Op::Activate(activation), &[x]),
        }
    }

    pub(crate) fn add(&mut self, name: &str, a: NodeId, b: NodeId) -> NodeId {
        self.like(name, Op::Add, &[a, b])
    }

    pub(crate) fn concat(&mut self, name: &str, a: NodeId, b: NodeId) -> NodeId {
        let channels = self.node(a).channels + self.node(b).channels;
        self.push(name, Op::Concat, &[a, b], channels, self.node(a).halvings)
    }

    /// Marks a result as worth its memory.
    pub(crate) fn keep(&mut self, x: NodeId) -> NodeId {
        self.nodes[x.0].kept = true;
        x
    }

    fn like(&mut self, name: &str, op: Op<'a>, inputs: &[NodeId]) -> NodeId {
        let Node { channels, halvings, .. } = *self.node(inputs[0]);
        self.push(name, op, inputs, channels, halvings)
    }

    fn push(
        &mut self,
        name: &str,
        op: Op<'a>,
        inputs: &[NodeId],
        channels: usize,
        halvings: usize,
    ) -> NodeId {
        let (name, inputs) = (name.to_string(), inputs.to_vec());
        self.nodes.push(Node { name, op, inputs, channels, halvings, kept: false });
        self.last()
    }
}

/// A network that can say what it does.
pub(crate) trait Described {
    /// Its operations as for inference.
    fn graph(&self) -> Graph<'_>;
}
