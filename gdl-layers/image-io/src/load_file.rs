use crate::decode::{decode, decoder};
use crate::error::{Error, Result};
use crate::planes::{Alpha, to_planes};
use crate::{BitDepth, LoadOptions};
use candle_core::Tensor;
use image::ImageDecoder;
use image::metadata::Orientation;
use std::io::BufReader;
use std::path::Path;

/// Reads an image file as sRGB in [0, 1].
///
/// The format is recognised by content. Grey is repeated into three channels; a transparent pixel becomes
/// `alpha * colour + (1 - alpha) * background`; 16-bit samples are divided by 65535 and lose nothing.
///
/// An embedded ICC profile (RGB, grey or CMYK) is applied, relative colorimetric, at 16 bits. Without one, or with one that
/// cannot be read or describes other samples, RGB and grey are taken as sRGB, and CMYK becomes `(1 - ink) (1 - black)`.
/// A profile that is sRGB changes nothing.
///
/// # Shape
/// (3, H, W) in f32 on the CPU, H and W after the EXIF orientation has been applied.
///
/// # Errors
/// A missing file, a directory, something that is no image, a damaged one, an unsupported format, one without
/// pixels and one with too many are different variants of [`Error`].
///
/// # Example
/// ```no_run
/// # fn main() -> gdl_image_io::Result<()> {
/// let picture = gdl_image_io::load_image("harbour.jpg", &gdl_image_io::LoadOptions::default())?;
/// # Ok(()) }
/// ```
pub fn load_image(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Tensor> {
    let path = path.as_ref();
    let decoded = decode(open(path)?, path, options)?;
    Ok(to_planes(decoded, Alpha::Flatten, options)?.0)
}

/// Reads an image file as sRGB and alpha apart, both in [0, 1]; otherwise as [`load_image`].
///
/// Colours are as the file has them, not multiplied with alpha; wholly transparent pixels, whose colour means nothing, take
/// [`LoadOptions::background`]. [`save_image_alpha`](crate::save_image_alpha) puts the two together again,
/// [`resize_with_alpha`](crate::resize_with_alpha) scales them.
///
/// # Shape
/// Colour (3, H, W) and alpha (1, H, W) in f32 on the CPU. No alpha when the file has none or is opaque everywhere; of a
/// picture in which nothing shows, the colour is all background and the alpha all zero.
///
/// # Errors
/// As [`load_image`].
pub fn load_image_alpha(path: impl AsRef<Path>, options: &LoadOptions) -> Result<(Tensor, Option<Tensor>)> {
    let path = path.as_ref();
    let decoded = decode(open(path)?, path, options)?;
    to_planes(decoded, Alpha::Apart, options)
}

/// Height and width of an image file, from its header alone, after the EXIF orientation.
///
/// # Errors
/// As [`load_image`], as far as the header shows it.
pub fn image_size(path: impl AsRef<Path>) -> Result<(usize, usize)> {
    let path = path.as_ref();
    let unlimited = LoadOptions { max_pixels: u64::MAX, ..LoadOptions::default() };
    let mut reader = open(path)?;
    let mut decoder = decoder(&mut reader, path, &unlimited)?;
    let (w, h) = decoder.dimensions();
    let turned = matches!(
        decoder.orientation().unwrap_or(Orientation::NoTransforms),
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    Ok(if turned { (w as usize, h as usize) } else { (h as usize, w as usize) })
}

/// How many bits an image file's samples have, from its header alone: what [`SaveOptions`](crate::SaveOptions) takes to keep them.
///
/// # Errors
/// As [`load_image`], as far as the header shows it.
pub fn image_depth(path: impl AsRef<Path>) -> Result<BitDepth> {
    let path = path.as_ref();
    let unlimited = LoadOptions { max_pixels: u64::MAX, ..LoadOptions::default() };
    let color = decoder(open(path)?, path, &unlimited)?.color_type();
    Ok(match color.bytes_per_pixel() / color.channel_count().max(1) {
        0 | 1 => BitDepth::Eight,
        _ => BitDepth::Sixteen,
    })
}

pub(crate) fn open(path: &Path) -> Result<BufReader<std::fs::File>> {
    let meta = std::fs::metadata(path).map_err(|e| Error::read(path, e))?;
    if meta.is_dir() {
        return Err(Error::IsDirectory { path: path.to_path_buf() });
    }
    Ok(BufReader::new(std::fs::File::open(path).map_err(|e| Error::read(path, e))?))
}
