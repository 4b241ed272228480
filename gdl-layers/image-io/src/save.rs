use crate::error::{Error, Result, one_line};
use crate::pixels::{Layout, Planes};
use candle_core::Tensor;
use image::codecs::{bmp::BmpEncoder, jpeg::JpegEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use std::io::{Cursor, Seek, Write};
use std::path::Path;

/// The file extensions that are read from folders and can be written, in lower case.
pub const EXTENSIONS: &[&str] = &["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp"];

/// How many bits a sample has in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BitDepth {
    /// 8 bits, what every format has.
    #[default]
    Eight,
    /// 16 bits, for PNG and TIFF; the other formats are written with 8.
    Sixteen,
}

/// How an image is written.
#[derive(Debug, Clone, PartialEq)]
pub struct SaveOptions {
    /// Bits per sample. Default: 8.
    pub depth: BitDepth,
    /// Quality of a JPEG, 1 to 100. Default: 92.
    pub jpeg_quality: u8,
    /// What shows through transparent pixels in a format without alpha, sRGB in [0, 1]. Default: white.
    pub background: [f32; 3],
    /// Texts by key for the file's metadata, in UTF-8; [`png_text`](crate::png_text) reads them back. Keys have 1 to 79
    /// characters of Latin-1, and together the texts have at most 8 MiB. PNG only; the other formats are written without.
    /// Default: none.
    pub text: Vec<(String, String)>,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { depth: BitDepth::Eight, jpeg_quality: 92, background: [1.0; 3], text: Vec::new() }
    }
}

/// A picture in [0, 1], and its alpha where it has one, as the bytes of an image file; the extension of `name` says in which format, and
/// `name` stands for the path in errors. The numbers and the alpha become what [`save_image_alpha`](crate::save_image_alpha) makes of them in a file.
///
/// # Shape
/// (3, H, W) as RGB or (1, H, W) as grey; any float type, on any device. Alpha (1, H, W).
///
/// # Errors
/// An unknown extension, a picture with NaN or infinite values, a wrong shape, a text that cannot be stored.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_image_io::{LoadOptions, SaveOptions, decode_image, encode_image};
///
/// let picture = Tensor::full(0.2f32, (3, 4, 6), &Device::Cpu)?; // 51 of 255
/// let bytes = encode_image(&picture, None, "picture.tif", &SaveOptions::default())?;
/// let again = decode_image(&bytes, "picture.tif", &LoadOptions::default())?;
/// assert_eq!(again.flatten_all()?.to_vec1::<f32>()?, vec![0.2; 72]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode_image(
    picture: &Tensor,
    alpha: Option<&Tensor>,
    name: &str,
    options: &SaveOptions,
) -> Result<Vec<u8>> {
    let (path, mut out) = (Path::new(name), Cursor::new(Vec::new()));
    let format = format_of(path)?;
    write(&Planes::new(picture, alpha, path)?, &mut out, path, format, options)?;
    Ok(out.into_inner())
}

/// A picture in [0, 1] as the bytes of an 8-bit PNG, for reports and data URIs.
///
/// # Shape
/// As [`encode_image`].
///
/// # Errors
/// A wrong shape, NaN or infinite values.
pub fn encode_png(picture: &Tensor) -> Result<Vec<u8>> {
    let path = Path::new("picture.png");
    let mut out = Vec::new();
    crate::png::write(&Planes::new(picture, None, path)?, &mut out, path, &SaveOptions::default())?;
    Ok(out)
}

/// A picture in [0, 1] as the bytes of a JPEG, for reports whose size counts; `quality` is 1 to 100.
///
/// # Shape
/// As [`encode_image`].
///
/// # Errors
/// A wrong shape, NaN or infinite values.
pub fn encode_jpeg(picture: &Tensor, quality: u8) -> Result<Vec<u8>> {
    let (path, mut out) = (Path::new("picture.jpg"), Cursor::new(Vec::new()));
    let options = SaveOptions { jpeg_quality: quality, ..SaveOptions::default() };
    write_at_once(&Planes::new(picture, None, path)?, &mut out, path, ImageFormat::Jpeg, &options)?;
    Ok(out.into_inner())
}

/// Whether a file of this name would keep the alpha of a picture: PNG, WebP and TIFF do.
pub fn keeps_alpha(path: impl AsRef<Path>) -> bool {
    format_of(path.as_ref()).is_ok_and(has_alpha)
}

/// Whether a file of this name can have 16 bits a sample ([`BitDepth::Sixteen`]): PNG and TIFF can.
pub fn keeps_16_bits(path: impl AsRef<Path>) -> bool {
    format_of(path.as_ref()).is_ok_and(|format| matches!(format, ImageFormat::Png | ImageFormat::Tiff))
}

fn has_alpha(format: ImageFormat) -> bool {
    matches!(format, ImageFormat::Png | ImageFormat::WebP | ImageFormat::Tiff)
}

pub(crate) fn format_of(path: &Path) -> Result<ImageFormat> {
    let unknown = || Error::UnknownExtension { path: path.to_path_buf() };
    let extension = path.extension().and_then(|e| e.to_str()).ok_or_else(unknown)?.to_ascii_lowercase();
    if !EXTENSIONS.contains(&extension.as_str()) {
        return Err(unknown());
    }
    ImageFormat::from_extension(&extension).ok_or_else(unknown)
}

pub(crate) fn not_writable(path: &Path, error: std::io::Error) -> Error {
    Error::NotWritable { path: path.to_path_buf(), reason: one_line(error) }
}

/// Writes a picture in a format.
pub(crate) fn write(
    planes: &Planes,
    out: &mut (impl Write + Seek),
    path: &Path,
    format: ImageFormat,
    options: &SaveOptions,
) -> Result<()> {
    match format {
        ImageFormat::Png => crate::png::write(planes, out, path, options),
        ImageFormat::Tiff => crate::tiff::write(planes, out, path, options),
        _ => write_at_once(planes, out, path, format, options),
    }
}

/// JPEG, WebP and BMP, whose encoders take the whole picture with 8 bits.
fn write_at_once(
    planes: &Planes,
    out: &mut (impl Write + Seek),
    path: &Path,
    format: ImageFormat,
    options: &SaveOptions,
) -> Result<()> {
    let too_large = |_| Error::Encode {
        path: path.to_path_buf(),
        reason: format!("{}x{} is too large for an image file", planes.width, planes.height),
    };
    let size =
        (u32::try_from(planes.width).map_err(too_large)?, u32::try_from(planes.height).map_err(too_large)?);
    let alpha = planes.has_alpha() && has_alpha(format);
    // WebP's encoder has no grey of its own: repeat it.
    let colors = if format == ImageFormat::WebP { 3 } else { planes.colors };
    let layout = Layout { colors, alpha, background: options.background };
    let mut bytes = Vec::<u8>::new();
    planes.interleave(0..planes.width * planes.height, layout, &mut bytes)?;
    let color = match (colors, alpha) {
        (1, _) => ExtendedColorType::L8,
        (_, false) => ExtendedColorType::Rgb8,
        (_, true) => ExtendedColorType::Rgba8,
    };
    let written = match format {
        ImageFormat::Jpeg => JpegEncoder::new_with_quality(out, options.jpeg_quality.clamp(1, 100))
            .write_image(&bytes, size.0, size.1, color),
        ImageFormat::WebP => WebPEncoder::new_lossless(out).write_image(&bytes, size.0, size.1, color),
        _ => BmpEncoder::new(out).write_image(&bytes, size.0, size.1, color),
    };
    written.map_err(|e| match e {
        image::ImageError::IoError(e) => not_writable(path, e),
        e => Error::Encode { path: path.to_path_buf(), reason: one_line(e) },
    })
}
