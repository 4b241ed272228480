//! A generator as an ONNX file.

mod lower;
mod norms;
mod proto;

use crate::{Direction, Error, Generator, Result};
use lower::Lowered;
use proto::Message;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The versions of the format and of its operators that the files name.
const IR_VERSION: u64 = 8;
const OPSET: u64 = 17;
/// Readers of Protocol Buffers take no more.
const LIMIT: u64 = i32::MAX as u64;

/// See [`Translator::export_onnx`](crate::Translator::export_onnx).
pub(crate) fn export(generator: &Generator, path: &Path, direction: Option<Direction>) -> Result<()> {
    let model = model(generator, direction)?;
    if model.len() > LIMIT {
        let message = format!("would be of {} bytes, and an ONNX file takes at most {LIMIT}", model.len());
        return Err(Error::Checkpoint { path: path.to_path_buf(), message });
    }
    Ok(gdl_train::atomic_write(path, |file| {
        let mut out = BufWriter::new(file);
        model.write(&mut out).and_then(|()| out.flush()).map_err(|source| gdl_train::Error::Io {
            action: "write",
            path: path.to_path_buf(),
            source,
        })
    })?)
}

/// `ModelProto`.
fn model(generator: &Generator, direction: Option<Direction>) -> Result<Message> {
    let config = generator.config();
    let mut model = Message::default();
    model.number(1, IR_VERSION);
    model.text(2, env!("CARGO_PKG_NAME"));
    model.text(3, env!("CARGO_PKG_VERSION"));
    model.message(7, Lowered::of(&generator.graph())?.into_graph());
    let mut operators = Message::default();
    operators.text(1, "");
    operators.number(2, OPSET);
    model.message(8, operators);
    let range = "[-1, 1]".to_string();
    let generator = serde_json::to_string(config).unwrap_or_default();
    let properties = [
        ("input_range", Some(range.clone())),
        ("output_range", Some(range)),
        ("multiple", Some(config.multiple().to_string())),
        ("min_size", Some(config.min_size().to_string())),
        ("direction", direction.map(|direction| direction.to_string())),
        ("generator", Some(generator)),
    ];
    for (key, value) in properties {
        let Some(value) = value else { continue };
        let mut property = Message::default();
        property.text(1, key);
        property.text(2, &value);
        model.message(14, property);
    }
    Ok(model)
}
