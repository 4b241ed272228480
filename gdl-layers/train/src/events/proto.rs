//! The few messages of TensorFlow's `event.proto`, `summary.proto` and `tensor.proto` that TensorBoard needs, as bytes.

use super::Picture;
use super::crc32c::masked;

/// A message under construction: its fields are added in the order of their numbers.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// A field's number with the way it is written: 0 as a varint, 1 in 64 bits, 2 behind its length, 5 in 32 bits.
    fn key(self, field: u64, wire: u64) -> Self {
        self.varint(field << 3 | wire)
    }

    fn int(self, field: u64, value: u64) -> Self {
        self.key(field, 0).varint(value)
    }

    /// As [`int`](Self::int), and left out where it is zero, as protobuf does.
    fn int_unless_zero(self, field: u64, value: u64) -> Self {
        if value == 0 { self } else { self.int(field, value) }
    }

    fn double(self, field: u64, value: f64) -> Self {
        self.key(field, 1).raw(&value.to_le_bytes())
    }

    fn float(self, field: u64, value: f32) -> Self {
        self.key(field, 5).raw(&value.to_le_bytes())
    }

    fn bytes(self, field: u64, value: &[u8]) -> Self {
        self.key(field, 2).varint(value.len() as u64).raw(value)
    }

    fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// What an event says.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// The first of every file: the version of the format.
    Version,
    /// Everything from this step on that was written earlier is void.
    Start,
    Scalars(&'a [(&'a str, f64)]),
    Image(&'a str, &'a Picture),
    Text(&'a str, &'a str),
}

/// An `Event`, framed as a TFRecord: length, its checksum, the message, its checksum.
pub(super) fn record(wall_time: f64, step: u64, what: &What<'_>) -> Vec<u8> {
    let event = Message::default().double(1, wall_time).int_unless_zero(2, step);
    let event = match what {
        What::Version => event.bytes(3, b"brain.Event:2"),
        What::Start => event.message(7, Message::default().int(1, 1)),
        What::Scalars(values) => {
            let summary = values.iter().fold(Message::default(), |summary, &(tag, value)| {
                let value = Message::default().bytes(1, tag.as_bytes()).float(2, value as f32);
                summary.message(1, value)
            });
            event.message(5, summary)
        }
        What::Image(tag, picture) => {
            // Three channels; TensorBoard takes the bytes as they are.
            let image = Message::default().int(1, picture.height.into()).int(2, picture.width.into());
            let image = image.int(3, 3).bytes(4, &picture.bytes);
            let value = Message::default().bytes(1, tag.as_bytes()).message(4, image);
            event.message(5, Message::default().message(1, value))
        }
        What::Text(tag, text) => {
            // A tensor of type DT_STRING (7) and of no dimensions, for the plug-in that shows texts.
            let tensor = Message::default().int(1, 7).bytes(8, text.as_bytes());
            let plugin = Message::default().message(1, Message::default().bytes(1, b"text"));
            let value = Message::default().bytes(1, tag.as_bytes()).message(8, tensor).message(9, plugin);
            event.message(5, Message::default().message(1, value))
        }
    };
    let length = (event.0.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(event.0.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(&event.0);
    record.extend(masked(&event.0).to_le_bytes());
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte for byte what TensorBoard 2.21 writes of the same events (`tensorboard.summary.writer.record_writer`, and the
    /// messages of `tensorboard.compat.proto`).
    #[test]
    fn records_are_tensorboard_s_own() {
        let picture = Picture { bytes: b"\x89PNG".to_vec(), width: 64, height: 200 };
        let cases: [(u64, What<'_>, &str); 5] = [
            (
                0,
                What::Version,
                "1800000000000000a37f4b2209000010402049da411a0d627261696e2e4576656e743a327b854a4b",
            ),
            (300, What::Start, "100000000000000095fbfe1809000010402049da4110ac023a020801b92ed290"),
            (
                128,
                What::Scalars(&[("loss", 1.25), ("lr", 0.0002)]),
                "2600000000000000734fe30009000010402049da411080012a180a0b0a046c6f7373150000a03f0a090a026c721517b75139fae77330",
            ),
            (
                1,
                What::Image("samples", &picture),
                "2700000000000000bbe1b14609000010402049da4110012a1a0a180a0773616d706c6573220d08c80110401803220489504e4733ece6d2",
            ),
            (
                1,
                What::Text("sample", "café"),
                "2c00000000000000f4aecc4509000010402049da4110012a1f0a1d0a0673616d706c65420908074205636166c3a94a080a060a047465787463d871ef",
            ),
        ];
        for (step, what, want) in cases {
            let got: String = record(1764000000.25, step, &what).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(got, want, "{what:?}");
        }
    }
}
