use crate::error::{Error, Result, one_line};
use candle_core::{DType, Tensor};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb};
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
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { depth: BitDepth::Eight, jpeg_quality: 92 }
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
/// Values are clamped to [0, 1] and rounded to the nearest step. The file is written to a temporary in the same
/// folder, synced and renamed: a reader sees the old file or the new one, never half of one.
///
/// # Shape
/// (3, H, W) as RGB or (1, H, W) as grey; any float type, on any device.
///
/// # Errors
/// An unknown extension, a folder that cannot be written, a picture with NaN or infinite values, a wrong shape.
pub fn save_image_with(picture: &Tensor, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
    let path = path.as_ref();
    let format = format_of(path)?;
    let buffer = to_buffer(picture, path, options.depth, format)?;
    write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        let encoded = match format {
            ImageFormat::Jpeg => buffer.write_with_encoder(JpegEncoder::new_with_quality(
                &mut out,
                options.jpeg_quality.clamp(1, 100),
            )),
            _ => buffer.write_to(&mut out, format),
        };
        encoded.map_err(|e| match e {
            image::ImageError::IoError(e) => not_writable(path, e),
            e => Error::Encode { path: path.to_path_buf(), reason: one_line(e) },
        })?;
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
    encode(picture, "picture.png", ImageFormat::Png, |buffer, out| buffer.write_to(out, ImageFormat::Png))
}

/// A picture in [0, 1] as the bytes of a JPEG, for reports whose size counts; `quality` is 1 to 100.
///
/// # Shape
/// As [`save_image_with`].
///
/// # Errors
/// A wrong shape, NaN or infinite values.
pub fn encode_jpeg(picture: &Tensor, quality: u8) -> Result<Vec<u8>> {
    encode(picture, "picture.jpg", ImageFormat::Jpeg, |buffer, out| {
        buffer.write_with_encoder(JpegEncoder::new_with_quality(out, quality.clamp(1, 100)))
    })
}

/// `name` stands for the picture in errors.
fn encode(
    picture: &Tensor,
    name: &str,
    format: ImageFormat,
    write: impl FnOnce(&DynamicImage, &mut Cursor<Vec<u8>>) -> image::ImageResult<()>,
) -> Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    write(&to_buffer(picture, Path::new(name), BitDepth::Eight, format)?, &mut out)
        .map_err(|e| Error::Encode { path: name.into(), reason: one_line(e) })?;
    Ok(out.into_inner())
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

fn not_writable(path: &Path, error: std::io::Error) -> Error {
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

fn to_buffer(picture: &Tensor, path: &Path, depth: BitDepth, format: ImageFormat) -> Result<DynamicImage> {
    let (c, h, w) = picture.dims3()?;
    if (c != 1 && c != 3) || h == 0 || w == 0 {
        return Err(Error::Tensor(candle_core::Error::Msg(format!(
            "{}: a picture is (3, H, W) or (1, H, W) with at least one pixel, not ({c}, {h}, {w})",
            path.display()
        ))));
    }
    let planes = picture.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    if planes.iter().any(|v| !v.is_finite()) {
        return Err(Error::NonFinite { path: path.to_path_buf() });
    }
    let sixteen = depth == BitDepth::Sixteen && matches!(format, ImageFormat::Png | ImageFormat::Tiff);
    // WebP's encoder has no grey: repeat it.
    let channels = if c == 1 && format == ImageFormat::WebP { 3 } else { c };
    let (w32, h32) = (w as u32, h as u32);
    let built = if sixteen {
        let raw = interleave(&planes, c, channels, |v| (v * 65535.0).round() as u16);
        if channels == 3 {
            ImageBuffer::<Rgb<u16>, _>::from_raw(w32, h32, raw).map(DynamicImage::from)
        } else {
            ImageBuffer::<Luma<u16>, _>::from_raw(w32, h32, raw).map(DynamicImage::from)
        }
    } else {
        let raw = interleave(&planes, c, channels, |v| (v * 255.0).round() as u8);
        if channels == 3 {
            ImageBuffer::<Rgb<u8>, _>::from_raw(w32, h32, raw).map(DynamicImage::from)
        } else {
            ImageBuffer::<Luma<u8>, _>::from_raw(w32, h32, raw).map(DynamicImage::from)
        }
    };
    built.ok_or_else(|| Error::Encode {
        path: path.to_path_buf(),
        reason: format!("{w}x{h} is too large for an image file"),
    })
}

fn interleave<T>(planes: &[f32], c: usize, channels: usize, quantise: impl Fn(f32) -> T) -> Vec<T> {
    let area = planes.len() / c;
    (0..area * channels)
        .map(|i| quantise(planes[(i % channels).min(c - 1) * area + i / channels].clamp(0.0, 1.0)))
        .collect()
}
