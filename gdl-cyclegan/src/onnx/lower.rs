use super::proto::Message;
use crate::Result;
use crate::graph::{Graph, Node, Op};
use candle_core::{Device, Tensor};
use gdl_conv::{Conv2d, ConvTranspose2d, Pad, PadMode};
use gdl_kernels::Activation;
use std::collections::BTreeSet;

/// `TensorProto.DataType`
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// A network in ONNX's operators.
pub(super) struct Lowered {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    names: BTreeSet<String>,
    input: Message,
    output: Message,
}

/// `AttributeProto`
pub(super) enum Attribute<'a> {
    Int(i64),
    Ints(&'a [usize]),
    Float(f32),
    Text(&'a str),
}

impl Lowered {
    pub(super) fn of(graph: &Graph<'_>) -> Result<Self> {
        let (first, last) = (&graph.nodes()[0], graph.node(graph.last()));
        let mut lowered = Self {
            nodes: Vec::new(),
            initializers: Vec::new(),
            names: BTreeSet::new(),
            input: value_info(first),
            output: value_info(last),
        };
        for node in graph.nodes() {
            let inputs: Vec<&str> = node.inputs.iter().map(|&id| graph.node(id).name.as_str()).collect();
            lowered.add(node, &inputs)?;
        }
        Ok(lowered)
    }

    /// `GraphProto`
    pub(super) fn into_graph(self) -> Message {
        let mut graph = Message::default();
        self.nodes.into_iter().for_each(|node| graph.message(1, node));
        graph.text(2, "generator");
        self.initializers.into_iter().for_each(|tensor| graph.message(5, tensor));
        graph.message(11, self.input);
        graph.message(12, self.output);
        graph
    }

    fn add(&mut self, node: &Node<'_>, inputs: &[&str]) -> Result<()> {
        let name = node.name.as_str();
        match node.op {
            Op::Picture => {}
            Op::Conv { conv, pad } => self.conv(name, inputs, conv, pad)?,
            Op::Transposed(conv) => self.transposed(name, inputs, conv)?,
            Op::Upsample => {
                let scales = Tensor::new(&[1f32, 1., 2., 2.], &Device::Cpu)?;
                let scales = self.weight("twice", &scales)?;
                let attributes = [
                    ("mode", Attribute::Text("nearest")),
                    ("coordinate_transformation_mode", Attribute::Text("asymmetric")),
                    ("nearest_mode", Attribute::Text("floor")),
                ];
                self.node("Resize", name, &[inputs[0], "", &scales], &attributes);
            }
            Op::Norm(norm) => self.norm(name, inputs[0], norm)?,
            Op::Activate(activation) => self.activation(name, inputs[0], activation),
            Op::Add => self.node("Add", name, inputs, &[]),
            Op::Concat => self.node("Concat", name, inputs, &[("axis", Attribute::Int(1))]),
        }
        Ok(())
    }

    fn conv(&mut self, name: &str, inputs: &[&str], conv: &Conv2d, pad: Pad) -> Result<()> {
        let config = conv.config();
        let Pad { left, right, top, bottom } = pad;
        let (mut x, mut pads) = (inputs[0].to_string(), [top, left, bottom, right]);
        let mode = match config.pad_mode {
            PadMode::Zero => None,
            PadMode::Reflect => Some("reflect"),
            PadMode::Replicate => Some("edge"),
        };
        // A convolution pads with zeros only.
        if let Some(mode) = mode.filter(|_| !pad.is_empty()) {
            let sides = self.whole_numbers(&format!("{name}.sides"), &[0, 0, top, left, 0, 0, bottom, right]);
            let padded = format!("{name}.padded");
            self.node("Pad", &padded, &[&x, &sides], &[("mode", Attribute::Text(mode))]);
            (x, pads) = (padded, [0; 4]);
        }
        let attributes = [
            ("kernel_shape", Attribute::Ints(&pair(config.kernel))),
            ("strides", Attribute::Ints(&pair(config.stride))),
            ("dilations", Attribute::Ints(&pair(config.dilation))),
            ("group", Attribute::Int(config.groups as i64)),
            ("pads", Attribute::Ints(&pads)),
        ];
        self.weighted("Conv", name, &x, (conv.weight(), conv.bias()), &attributes)
    }

    fn transposed(&mut self, name: &str, inputs: &[&str], conv: &ConvTranspose2d) -> Result<()> {
        let config = conv.config();
        let (rows, columns) = config.padding;
        let attributes = [
            ("kernel_shape", Attribute::Ints(&pair(config.kernel))),
            ("strides", Attribute::Ints(&pair(config.stride))),
            ("dilations", Attribute::Ints(&pair(config.dilation))),
            ("group", Attribute::Int(config.groups as i64)),
            ("pads", Attribute::Ints(&[rows, columns, rows, columns])),
            ("output_padding", Attribute::Ints(&pair(config.output_padding))),
        ];
        self.weighted("ConvTranspose", name, inputs[0], (conv.weight(), conv.bias()), &attributes)
    }

    fn weighted(
        &mut self,
        op: &str,
        name: &str,
        x: &str,
        (weight, bias): (&Tensor, Option<&Tensor>),
        attributes: &[(&str, Attribute<'_>)],
    ) -> Result<()> {
        let mut inputs = vec![x.to_string(), self.weight(&format!("{name}.weight"), weight)?];
        if let Some(bias) = bias {
            inputs.push(self.weight(&format!("{name}.bias"), bias)?);
        }
        self.node(op, name, &inputs.iter().map(String::as_str).collect::<Vec<_>>(), attributes);
        Ok(())
    }

    pub(super) fn activation(&mut self, name: &str, x: &str, activation: Activation) {
        match activation {
            Activation::Identity => self.node("Identity", name, &[x], &[]),
            Activation::Relu => self.node("Relu", name, &[x], &[]),
            Activation::LeakyRelu(slope) => {
                self.node("LeakyRelu", name, &[x], &[("alpha", Attribute::Float(slope as f32))]);
            }
            Activation::Tanh => self.node("Tanh", name, &[x], &[]),
            Activation::Sigmoid => self.node("Sigmoid", name, &[x], &[]),
        }
    }

    /// `NodeProto`. Its result bears its name.
    pub(super) fn node(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        node.text(2, name);
        node.text(3, name);
        node.text(4, op);
        for (name, value) in attributes {
            node.message(5, attribute(name, value));
        }
        self.nodes.push(node);
    }

    /// `TensorProto` of f32. One name stands for one tensor.
    pub(super) fn weight(&mut self, name: &str, tensor: &Tensor) -> Result<String> {
        if self.names.insert(name.to_string()) {
            let mut message = tensor_head(name, tensor.dims(), FLOAT);
            message.tensor(9, tensor);
            self.initializers.push(message);
        }
        Ok(name.to_string())
    }

    pub(super) fn whole_numbers(&mut self, name: &str, values: &[usize]) -> String {
        if self.names.insert(name.to_string()) {
            let mut message = tensor_head(name, &[values.len()], INT64);
            let bytes: Vec<u8> = values.iter().flat_map(|&value| (value as u64).to_le_bytes()).collect();
            message.bytes(9, &bytes);
            self.initializers.push(message);
        }
        name.to_string()
    }
}

fn pair((rows, columns): (usize, usize)) -> [usize; 2] {
    [rows, columns]
}

fn tensor_head(name: &str, dims: &[usize], kind: u64) -> Message {
    let mut message = Message::default();
    dims.iter().for_each(|&n| message.number(1, n as u64));
    message.number(2, kind);
    message.text(8, name);
    message
}

fn attribute(name: &str, value: &Attribute<'_>) -> Message {
    let mut message = Message::default();
    message.text(1, name);
    let kind = match value {
        Attribute::Float(value) => {
            message.float(2, *value);
            1
        }
        Attribute::Int(value) => {
            message.signed(3, *value);
            2
        }
        Attribute::Text(value) => {
            message.text(4, value);
            3
        }
        Attribute::Ints(values) => {
            values.iter().for_each(|&value| message.number(8, value as u64));
            7
        }
    };
    message.number(20, kind);
    message
}

/// `ValueInfoProto` of a batch of pictures of any number and size.
fn value_info(node: &Node<'_>) -> Message {
    let mut shape = Message::default();
    let any = |name: &str| {
        let mut dim = Message::default();
        dim.text(2, name);
        dim
    };
    let mut channels = Message::default();
    channels.number(1, node.channels as u64);
    for dim in [any("batch"), channels, any("height"), any("width")] {
        shape.message(1, dim);
    }
    let mut tensor = Message::default();
    tensor.number(1, FLOAT);
    tensor.message(2, shape);
    let mut kind = Message::default();
    kind.message(1, tensor);
    let mut info = Message::default();
    info.text(1, &node.name);
    info.message(2, kind);
    info
}
