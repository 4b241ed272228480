//! A reader of ONNX files, as far as those of this workspace go, and an evaluation of them by plain operations.

use candle_core::{DType, Device, Tensor};
use gdl_conv::{
    Conv2dParams, ConvTranspose2dParams, Pad, PadMode, conv_transpose2d, conv2d, pad2d, upsample_nearest2d,
};
use std::collections::HashMap;

/// The value of a field of a message of Protocol Buffers.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Float(f32),
}

impl<'a> Value<'a> {
    fn number(&self) -> u64 {
        let Self::Number(number) = self else { panic!("no number") };
        *number
    }

    fn bytes(&self) -> &'a [u8] {
        let Self::Bytes(bytes) = self else { panic!("no bytes") };
        bytes
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a number ends early");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The fields of a message in their order. Panics where it is malformed.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_at(4);
                bytes = rest;
                Value::Float(f32::from_le_bytes(value.try_into().unwrap()))
            }
            other => panic!("layout {other}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

fn all<'a>(fields: &'a [(u64, Value<'a>)], field: u64) -> impl Iterator<Item = &'a Value<'a>> {
    fields.iter().filter(move |(number, _)| *number == field).map(|(_, value)| value)
}

fn one<'a>(fields: &'a [(u64, Value<'a>)], field: u64) -> &'a Value<'a> {
    let mut found = all(fields, field);
    let value = found.next().unwrap_or_else(|| panic!("field {field} is missing"));
    assert!(found.next().is_none(), "field {field} is there twice");
    value
}

/// One operator of a graph.
#[derive(Debug)]
pub struct OnnxNode {
    /// The operator's name.
    pub op: String,
    /// The names of what it reads; an empty one stands for what is left out.
    pub inputs: Vec<String>,
    /// The name of what it gives.
    pub output: String,
    ints: HashMap<String, Vec<usize>>,
    floats: HashMap<String, f32>,
    texts: HashMap<String, String>,
}

/// What an ONNX file holds.
#[derive(Debug)]
pub struct OnnxModel {
    /// Version of the operators.
    pub opset: u64,
    /// The operators in order.
    pub nodes: Vec<OnnxNode>,
    /// Weights (f32) and lists of whole numbers (i64) by name.
    pub tensors: HashMap<String, Tensor>,
    /// The name of the input, and its axes: a number, or the name of one that is open.
    pub input: (String, Vec<String>),
    /// As the input.
    pub output: (String, Vec<String>),
    /// The metadata.
    pub properties: HashMap<String, String>,
}

impl OnnxModel {
    /// Reads a file's bytes. Panics where they are malformed.
    pub fn read(bytes: &[u8]) -> Self {
        let model = fields(bytes);
        let graph = fields(one(&model, 7).bytes());
        let tensors: Vec<_> = all(&graph, 5).map(|value| tensor(value.bytes())).collect();
        let count = tensors.len();
        let tensors: HashMap<_, _> = tensors.into_iter().collect();
        assert_eq!(tensors.len(), count, "two tensors of one name");
        let property = |value: &Value<'_>| {
            let entry = fields(value.bytes());
            (one(&entry, 1).text(), one(&entry, 2).text())
        };
        Self {
            opset: one(&fields(one(&model, 8).bytes()), 2).number(),
            nodes: all(&graph, 1).map(|value| node(value.bytes())).collect(),
            tensors,
            input: value_info(one(&graph, 11).bytes()),
            output: value_info(one(&graph, 12).bytes()),
            properties: all(&model, 14).map(property).collect(),
        }
    }

    /// How many operators of that name there are.
    pub fn count(&self, op: &str) -> usize {
        self.nodes.iter().filter(|node| node.op == op).count()
    }

    /// Evaluates the graph.
    pub fn run(&self, picture: &Tensor) -> candle_core::Result<Tensor> {
        let mut values = self.tensors.clone();
        values.insert(self.input.0.clone(), picture.clone());
        for node in &self.nodes {
            let inputs: Vec<Option<&Tensor>> =
                node.inputs.iter().map(|name| (!name.is_empty()).then(|| &values[name])).collect();
            let y = node.run(&inputs)?;
            assert!(values.insert(node.output.clone(), y).is_none(), "{} is there twice", node.output);
        }
        Ok(values[&self.output.0].clone())
    }
}

fn tensor(bytes: &[u8]) -> (String, Tensor) {
    let message = fields(bytes);
    let dims: Vec<usize> = all(&message, 1).map(|value| value.number() as usize).collect();
    let raw = one(&message, 9).bytes();
    let tensor = match one(&message, 2).number() {
        1 => Tensor::from_raw_buffer(raw, DType::F32, &dims, &Device::Cpu),
        7 => Tensor::from_raw_buffer(raw, DType::I64, &dims, &Device::Cpu),
        other => panic!("tensors of kind {other}"),
    };
    (one(&message, 8).text(), tensor.unwrap())
}

fn node(bytes: &[u8]) -> OnnxNode {
    let message = fields(bytes);
    let (mut ints, mut floats, mut texts) = (HashMap::new(), HashMap::new(), HashMap::new());
    for value in all(&message, 5) {
        let attribute = fields(value.bytes());
        let name = one(&attribute, 1).text();
        match one(&attribute, 20).number() {
            1 => {
                let Value::Float(value) = one(&attribute, 2) else { panic!("no float") };
                floats.insert(name, *value);
            }
            2 => drop(ints.insert(name, vec![one(&attribute, 3).number() as usize])),
            3 => drop(texts.insert(name, one(&attribute, 4).text())),
            7 => drop(ints.insert(name, all(&attribute, 8).map(|n| n.number() as usize).collect())),
            other => panic!("attributes of kind {other}"),
        }
    }
    OnnxNode {
        op: one(&message, 4).text(),
        inputs: all(&message, 1).map(Value::text).collect(),
        output: one(&message, 2).text(),
        ints,
        floats,
        texts,
    }
}

fn value_info(bytes: &[u8]) -> (String, Vec<String>) {
    let info = fields(bytes);
    let kind = fields(one(&info, 2).bytes());
    let tensor = fields(one(&kind, 1).bytes());
    let shape = fields(one(&tensor, 2).bytes());
    let dim = |value: &Value<'_>| match fields(value.bytes()).as_slice() {
        [(1, Value::Number(n))] => n.to_string(),
        [(2, name)] => name.text(),
        _ => panic!("an axis is neither a number nor a name"),
    };
    (one(&info, 1).text(), all(&shape, 1).map(dim).collect())
}

impl OnnxNode {
    fn pair(&self, name: &str) -> (usize, usize) {
        let [a, b] = self.ints[name][..] else { panic!("{name} is no pair") };
        (a, b)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> candle_core::Result<Tensor> {
        let input = |i: usize| inputs[i].unwrap();
        let x = inputs[0].unwrap();
        let per_channel = |t: &Tensor| t.reshape((1, t.elem_count(), 1, 1));
        match self.op.as_str() {
            "Conv" => {
                let [top, left, bottom, right] = self.ints["pads"][..] else { panic!("pads") };
                let x = pad2d(x, Pad { left, right, top, bottom }, PadMode::Zero)?;
                let params = Conv2dParams { stride: self.pair("strides"), ..Default::default() };
                assert_eq!((self.pair("dilations"), &self.ints["group"][..]), ((1, 1), &[1][..]));
                conv2d(&x, input(1), inputs.get(2).copied().flatten(), &params)
            }
            "ConvTranspose" => {
                let [top, left, bottom, right] = self.ints["pads"][..] else { panic!("pads") };
                assert_eq!((top, left), (bottom, right));
                let params = ConvTranspose2dParams {
                    stride: self.pair("strides"),
                    padding: (top, left),
                    output_padding: self.pair("output_padding"),
                    ..Default::default()
                };
                conv_transpose2d(x, input(1), inputs.get(2).copied().flatten(), &params)
            }
            "Pad" => {
                let sides: Vec<usize> = input(1).to_vec1::<i64>()?.into_iter().map(|n| n as usize).collect();
                let [0, 0, top, left, 0, 0, bottom, right] = sides[..] else { panic!("{sides:?}") };
                let mode = match self.texts["mode"].as_str() {
                    "reflect" => PadMode::Reflect,
                    "edge" => PadMode::Replicate,
                    other => panic!("mode {other}"),
                };
                pad2d(x, Pad { left, right, top, bottom }, mode)
            }
            "Resize" => {
                assert_eq!(input(2).to_vec1::<f32>()?, [1.0, 1.0, 2.0, 2.0]);
                assert_eq!(self.texts["mode"], "nearest");
                upsample_nearest2d(x, 2)
            }
            "InstanceNormalization" => {
                let mean = x.mean_keepdim((2, 3))?;
                let centred = x.broadcast_sub(&mean)?;
                let divisor = (centred.sqr()?.mean_keepdim((2, 3))? + f64::from(self.floats["epsilon"]))?;
                let unit = centred.broadcast_div(&divisor.sqrt()?)?;
                unit.broadcast_mul(&per_channel(input(1))?)?.broadcast_add(&per_channel(input(2))?)
            }
            "BatchNormalization" => {
                let divisor = (per_channel(input(4))? + f64::from(self.floats["epsilon"]))?.sqrt()?;
                let unit = x.broadcast_sub(&per_channel(input(3))?)?.broadcast_div(&divisor)?;
                unit.broadcast_mul(&per_channel(input(1))?)?.broadcast_add(&per_channel(input(2))?)
            }
            "ReduceMean" => {
                assert_eq!((&self.ints["axes"][..], &self.ints["keepdims"][..]), (&[2, 3][..], &[1][..]));
                x.mean_keepdim((2, 3))
            }
            "Sub" => x.broadcast_sub(input(1)),
            "Mul" => x * input(1),
            "Add" => x.broadcast_add(input(1)),
            "Div" => x.broadcast_div(input(1)),
            "Sqrt" => x.sqrt(),
            "Relu" => x.relu(),
            "LeakyRelu" => x.maximum(&(x * f64::from(self.floats["alpha"]))?),
            "Tanh" => x.tanh(),
            "Identity" => Ok(x.clone()),
            "Concat" => {
                assert_eq!(self.ints["axis"], [1]);
                Tensor::cat(&[x, input(1)], 1)
            }
            other => panic!("operator {other}"),
        }
    }
}
