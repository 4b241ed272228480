//! Messages of Protocol Buffers, written without holding the weights twice.

use candle_core::{DType, Device, Tensor};
use std::io::{self, Write};

/// A message: its fields in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Message {
    parts: Vec<Part>,
    length: u64,
}

#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    /// Its numbers as f32, little-endian.
    Tensor(Tensor),
}

/// How a field's value is laid out.
const VARINT: u64 = 0;
const DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    /// How many bytes it takes.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn number(&mut self, field: u64, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    /// Two's complement, as the type `int64` has it.
    pub(super) fn signed(&mut self, field: u64, value: i64) {
        self.number(field, value.cast_unsigned());
    }

    pub(super) fn float(&mut self, field: u64, value: f32) {
        self.tag(field, FIXED32);
        self.push(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, field: u64, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) {
        self.delimited(field, value.len() as u64);
        self.push(value);
    }

    pub(super) fn message(&mut self, field: u64, message: Self) {
        self.delimited(field, message.length);
        self.length += message.length;
        for part in message.parts {
            match part {
                Part::Bytes(bytes) => self.join(bytes),
                tensor @ Part::Tensor(_) => self.parts.push(tensor),
            }
        }
    }

    /// The numbers of a tensor as f32, as a field of bytes.
    pub(super) fn tensor(&mut self, field: u64, tensor: &Tensor) {
        let length = 4 * tensor.elem_count() as u64;
        self.delimited(field, length);
        self.length += length;
        self.parts.push(Part::Tensor(tensor.clone()));
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => out.write_all(bytes)?,
                Part::Tensor(tensor) => {
                    for value in values(tensor).map_err(io::Error::other)? {
                        out.write_all(&value.to_le_bytes())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn tag(&mut self, field: u64, layout: u64) {
        self.varint(field << 3 | layout);
    }

    fn delimited(&mut self, field: u64, length: u64) {
        self.tag(field, DELIMITED);
        self.varint(length);
    }

    /// Seven bits a byte, the lowest first; all bytes but the last have the eighth bit.
    fn varint(&mut self, mut value: u64) {
        let mut bytes = Vec::with_capacity(10);
        while value >= 0x80 {
            bytes.push((value & 0x7f | 0x80) as u8);
            value >>= 7;
        }
        bytes.push(value as u8);
        self.push(&bytes);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.join(bytes.to_vec());
    }

    fn join(&mut self, bytes: Vec<u8>) {
        match self.parts.last_mut() {
            Some(Part::Bytes(last)) => last.extend(bytes),
            _ => self.parts.push(Part::Bytes(bytes)),
        }
    }
}

fn values(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: &Message) -> Vec<u8> {
        let mut out = Vec::new();
        message.write(&mut out).unwrap();
        assert_eq!(out.len() as u64, message.len());
        out
    }

    /// The bytes of the examples in the encoding's documentation.
    #[test]
    fn fields_are_laid_out_as_the_documentation_has_them() {
        let mut inner = Message::default();
        inner.number(1, 150);
        assert_eq!(written(&inner), [0x08, 0x96, 0x01]);
        let mut outer = Message::default();
        outer.message(3, inner);
        assert_eq!(written(&outer), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let mut text = Message::default();
        text.text(2, "testing");
        assert_eq!(written(&text), b"\x12\x07testing");
        let mut signed = Message::default();
        signed.signed(1, -2);
        assert_eq!(written(&signed), [&[0x08, 0xfe][..], &[0xff; 8], &[0x01]].concat());
    }

    #[test]
    fn a_tensor_is_its_bytes() {
        let mut message = Message::default();
        message.tensor(9, &Tensor::new(&[1f32, -2.], &Device::Cpu).unwrap());
        message.number(1, 1);
        assert_eq!(written(&message), [0x4a, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0x08, 1]);
    }
}
