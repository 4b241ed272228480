use crate::decode::recognise;
use crate::error::{Error, Result, one_line};
use crate::load::open;
use crate::pixels::{Layout, Planes, Sample};
use crate::save::not_writable;
use crate::{BitDepth, SaveOptions};
use image::ImageFormat;
use png::text_metadata::ITXtChunk;
use png::{ColorType, Compression, Decoder, DecodingError, Encoder, EncodingError, Limits};
use std::io::Write;
use std::path::Path;

/// From here on a text is compressed, in bytes.
const LONG_TEXT: usize = 1024;
/// How much of text, unpacked, is written to a file.
const MAX_TEXT: usize = 8 << 20;
/// How much of it is read: there may be others' beside ours.
const MAX_READ: usize = 16 << 20;

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

/// Reads a text that [`SaveOptions::text`] or another program put into a PNG, by its key. The pixels are not read.
///
/// Looked at are the texts in front of the pixels, in all three forms that PNG has (`iTXt`, `zTXt`, `tEXt`). `None` when there is
/// none of that key, or when the file is an image of another format.
///
/// # Errors
/// A missing file, a directory, something that is no image; a damaged file; texts that unpack into more than 16 MiB.
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use gdl_image_io::{SaveOptions, png_text, save_image_with};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("out.png");
/// # let picture = candle_core::Tensor::full(0.5f32, (3, 4, 4), &candle_core::Device::Cpu)?;
/// let text = vec![("gdl:recipe".to_string(), r#"{"seed": 7}"#.to_string())];
/// save_image_with(&picture, &path, &SaveOptions { text, ..SaveOptions::default() })?;
/// assert_eq!(png_text(&path, "gdl:recipe")?.as_deref(), Some(r#"{"seed": 7}"#));
/// # Ok(()) }
/// ```
pub fn png_text(path: impl AsRef<Path>, key: &str) -> Result<Option<String>> {
    let path = path.as_ref();
    let failed = |e: DecodingError| match e {
        DecodingError::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Error::read(path, e),
        DecodingError::LimitsExceeded => {
            let reason = format!("its texts are larger than {MAX_READ} bytes");
            Error::Corrupt { path: path.to_path_buf(), reason }
        }
        e => Error::Corrupt { path: path.to_path_buf(), reason: one_line(e) },
    };
    let mut reader = open(path)?;
    if recognise(&mut reader, path)? != ImageFormat::Png {
        return Ok(None);
    }
    let mut decoder = Decoder::new_with_limits(reader, Limits { bytes: MAX_READ });
    decoder.set_ignore_iccp_chunk(true);
    let reader = decoder.read_info().map_err(failed)?;
    let info = reader.info();
    if let Some(chunk) = info.utf8_text.iter().find(|c| c.keyword == key) {
        let mut chunk = chunk.clone();
        chunk.decompress_text_with_limit(MAX_READ).map_err(failed)?;
        return chunk.get_text().map(Some).map_err(failed);
    }
    if let Some(chunk) = info.compressed_latin1_text.iter().find(|c| c.keyword == key) {
        let mut chunk = chunk.clone();
        chunk.decompress_text_with_limit(MAX_READ).map_err(failed)?;
        return chunk.get_text().map(Some).map_err(failed);
    }
    Ok(info.uncompressed_latin1_text.iter().find(|c| c.keyword == key).map(|c| c.text.clone()))
}
