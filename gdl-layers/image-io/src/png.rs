use crate::error::{Error, Result, one_line};
use crate::pixels::{Layout, Planes, Sample};
use crate::save::not_writable;
use crate::{BitDepth, SaveOptions};
use png::text_metadata::ITXtChunk;
use png::{ColorType, Compression, Encoder, EncodingError};
use std::io::Write;
use std::path::Path;

/// From here on a text is compressed, in bytes.
const LONG_TEXT: usize = 1024;
/// How much of text, unpacked, is written to a file.
const MAX_TEXT: usize = 8 << 20;

/// Writes a PNG row by row: nothing of the size of the picture is allocated.
pub(crate) fn write(planes: &Planes, out: &mut impl Write, path: &Path, options: &SaveOptions) -> Result<()> {
    check_text(&options.text, path)?;
    match options.depth {
        BitDepth::Eight => write_rows(planes, out, path, options, |v: &u8| [*v]),
        BitDepth::Sixteen => write_rows(planes, out, path, options, |v: &u16| v.to_be_bytes()),
    }
}

fn write_rows<T: Sample, const N: usize>(
    planes: &Planes,
    out: &mut impl Write,
    path: &Path,
    options: &SaveOptions,
    big_endian: impl Fn(&T) -> [u8; N],
) -> Result<()> {
    let failed = |e: EncodingError| match e {
        EncodingError::IoError(e) => not_writable(path, e),
        e => Error::Encode { path: path.to_path_buf(), reason: one_line(e) },
    };
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX); // Which the encoder refuses.
    let layout = Layout { colors: planes.colors, alpha: planes.has_alpha(), background: options.background };
    let mut encoder = Encoder::new(out, size(planes.width), size(planes.height));
    encoder.set_color(match (layout.colors, layout.alpha) {
        (1, false) => ColorType::Grayscale,
        (1, true) => ColorType::GrayscaleAlpha,
        (_, false) => ColorType::Rgb,
        (_, true) => ColorType::Rgba,
    });
    encoder.set_depth(if N == 1 { png::BitDepth::Eight } else { png::BitDepth::Sixteen });
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    // The fast compressor has codes made for 8 bits: the low bytes of 16 come out larger than they were.
    encoder.set_compression(if N == 1 { Compression::Fast } else { Compression::Balanced });
    let mut writer = encoder.write_header().map_err(failed)?;
    for (key, text) in &options.text {
        let mut chunk = ITXtChunk::new(key, text);
        chunk.compressed = text.len() >= LONG_TEXT;
        writer.write_text_chunk(&chunk).map_err(failed)?;
    }
    let mut rows = writer.stream_writer().map_err(failed)?;
    let (mut samples, mut bytes) = (Vec::new(), Vec::new());
    for y in 0..planes.height {
        planes.interleave(y * planes.width..(y + 1) * planes.width, layout, &mut samples)?;
        bytes.clear();
        bytes.extend(samples.iter().flat_map(&big_endian));
        rows.write_all(&bytes).map_err(|e| not_writable(path, e))?;
    }
    rows.finish().map_err(failed)?;
    writer.finish().map_err(failed)
}

/// That every text comes back as it is.
fn check_text(text: &[(String, String)], path: &Path) -> Result<()> {
    let refuse = |reason: String| Err(Error::Text { path: path.to_path_buf(), reason });
    if text.iter().map(|(_, t)| t.len()).sum::<usize>() > MAX_TEXT {
        return refuse(format!("more than {MAX_TEXT} bytes"));
    }
    for (key, text) in text {
        let printable = |c: char| matches!(c, ' '..='~' | '\u{a1}'..='\u{ff}');
        if key.is_empty() || key.chars().count() > 79 || !key.chars().all(printable) || key.trim() != key {
            return refuse(format!("the key {key:?} is not 1 to 79 printable characters of Latin-1"));
        }
        if text.contains('\0') {
            return refuse(format!("the text of {key:?} has a zero byte"));
        }
    }
    Ok(())
}
