use crate::decode::recognise;
use crate::error::{Error, Result, one_line};
use crate::load_file::open;
use image::ImageFormat;
use png::{Decoder, DecodingError, Limits};
use std::path::Path;

/// How much text is read, in bytes: there may be others' beside ours.
const MAX_READ: usize = 16 << 20;

/// Reads a text that [`SaveOptions::text`](crate::SaveOptions::text) or another program put into a PNG, by its key. The pixels are not read.
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
