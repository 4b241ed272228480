//! `gdl cyclegan export` and `gdl pix2pix export`

use crate::commands::Context;
use anyhow::Result;
use gdl_cyclegan::{Direction, Translator};
use std::path::Path;

/// Writes a generator as ONNX, and says what its pictures must be like.
pub(crate) fn export_onnx(
    translator: &Translator,
    out: &Path,
    direction: Option<Direction>,
    context: &Context,
) -> Result<()> {
    translator.export_onnx(out, direction)?;
    let multiple = translator.generator().config().multiple();
    context.verbosity.say(format_args!(
        "{}: takes and gives (batch, channels, height, width) in [-1, 1], height and width multiples of {multiple}",
        out.display()
    ));
    Ok(())
}
