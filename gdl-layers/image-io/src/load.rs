use crate::decode::decode;
use crate::error::Result;
use crate::planes::{Alpha, to_planes};
use candle_core::Tensor;
use std::io::Cursor;
use std::path::Path;

/// How an image is read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// What shows through transparent pixels, sRGB in [0, 1]. Default: white.
    pub background: [f32; 3],
    /// The most pixels an image may have; more is [`Error::TooLarge`](crate::Error::TooLarge), before any is unpacked. Default: 100 million (1.2 GB
    /// as a tensor). Beside its pixels a file may unpack into 64 MiB of profiles and metadata.
    pub max_pixels: u64,
    /// Whether to turn the picture as its EXIF orientation says. Default: yes.
    pub orient: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { background: [1.0; 3], max_pixels: 100_000_000, orient: true }
    }
}

/// Reads an image from bytes in memory; otherwise as [`load_image`](crate::load_image). `name` stands for the path in errors.
///
/// # Errors
/// As [`load_image`](crate::load_image).
pub fn decode_image(bytes: &[u8], name: &str, options: &LoadOptions) -> Result<Tensor> {
    let decoded = decode(Cursor::new(bytes), Path::new(name), options)?;
    Ok(to_planes(decoded, Alpha::Flatten, options)?.0)
}
