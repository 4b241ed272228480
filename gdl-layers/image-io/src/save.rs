use crate::error::{Error, Result, one_line};
use crate::pixels::{Layout, Planes};
use candle_core::Tensor;
use image::codecs::{bmp::BmpEncoder, jpeg::JpegEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use std::io::{BufWriter, Cursor, Seek, Write};
use std::path::{Path, PathBuf};

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

/// Writes a picture with the default [`SaveOptions`]; see [`save_image_with`].
///
/// # Errors
/// As [`save_image_with`].
pub fn save_image(picture: &Tensor, path: impl AsRef<Path>) -> Result<()> {
    save_image_with(picture, path, &SaveOptions::default())
}

/// Writes a picture in [0, 1] to a file whose extension names the format.
///
/// Values are clamped to [0, 1], rounded to the nearest step, and sRGB: a PNG says so, in the other formats a file without a
/// profile is. The file is written to a temporary in the same folder, synced and renamed: a reader sees the old file or
/// the new one, never half of one.
///
/// # Shape
/// (3, H, W) as RGB or (1, H, W) as grey; any float type, on any device.
///
/// # Errors
/// An unknown extension, a folder that cannot be written, a picture with NaN or infinite values, a wrong shape, a text that
/// cannot be stored.
pub fn save_image_with(picture: &Tensor, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
    save_image_alpha(picture, None, path, options)
}

/// Writes a picture with its alpha, both in [0, 1], as [`load_image_alpha`](crate::load_image_alpha) gives them; otherwise as
/// [`save_image_with`].
///
/// Colours are not multiplied with alpha. JPEG and BMP have no alpha ([`keeps_alpha`] tells): there the picture is laid over
/// [`SaveOptions::background`].
///
/// # Shape
/// (3, H, W) or (1, H, W), and alpha (1, H, W).
///
/// # Errors
/// As [`save_image_with`]; alpha of another size.
pub fn save_image_alpha(
    picture: &Tensor,
    alpha: Option<&Tensor>,
    path: impl AsRef<Path>,
    options: &SaveOptions,
) -> Result<()> {
    let path = path.as_ref();
    let format = format_of(path)?;
    let planes = Planes::new(picture, alpha, path)?;
    write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        match format {
            ImageFormat::Png => crate::png::write(&planes, &mut out, path, options),
            ImageFormat::Tiff => crate::tiff::write(&planes, &mut out, path, options),
            _ => write_at_once(&planes, &mut out, path, format, options),
        }?;
        out.flush().map_err(|e| not_writable(path, e))
    })
}

/// A picture in [0, 1] as the bytes of an 8-bit PNG, for reports and data URIs.
///
/// # Shape
/// As [`save_image_with`].
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
/// As [`save_image_with`].
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

/// Finds out, before any work is done, whether [`save_image`] to this path could succeed. Leaves nothing behind.
///
/// # Errors
/// An unknown extension, a directory in its place, a folder that is missing or cannot be written.
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    format_of(path)?;
    temporary_for(path).map(drop)
}

fn format_of(path: &Path) -> Result<ImageFormat> {
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

fn temporary_for(path: &Path) -> Result<tempfile::NamedTempFile> {
    let refuse = |reason: &str| Error::NotWritable { path: path.to_path_buf(), reason: reason.to_string() };
    if path.is_dir() {
        return Err(refuse("it is a directory"));
    }
    if std::fs::metadata(path).is_ok_and(|m| m.permissions().readonly()) {
        return Err(refuse("the file there is read-only"));
    }
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    };
    match std::fs::metadata(&folder) {
        Err(_) => return Err(refuse(&format!("the folder {} does not exist", folder.display()))),
        Ok(m) if !m.is_dir() => return Err(refuse(&format!("{} is not a folder", folder.display()))),
        Ok(_) => {}
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gdl-").suffix(".tmp");
    // A temporary is private by default; the picture gets what the user's umask gives to any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(&folder).map_err(|e| not_writable(path, e))
}

fn write_whole(path: &Path, write: impl FnOnce(&mut std::fs::File) -> Result<()>) -> Result<()> {
    let mut temporary = temporary_for(path)?;
    write(temporary.as_file_mut())?;
    temporary
        .as_file_mut()
        .rewind()
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(|e| not_writable(path, e))?;
    temporary.persist(path).map_err(|e| not_writable(path, e.error))?;
    Ok(())
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
