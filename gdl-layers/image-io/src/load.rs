use crate::BitDepth;
use crate::error::{Error, Result, one_line};
use candle_core::{Device, Tensor};
use image::error::{ImageError, LimitErrorKind, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// How an image is read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// What shows through transparent pixels, RGB in [0, 1]. Default: white.
    pub background: [f32; 3],
    /// The most pixels an image may have; more is [`Error::TooLarge`]. Default: 100 million (1.2 GB as a tensor).
    pub max_pixels: u64,
    /// Whether to turn the picture as its EXIF orientation says. Default: yes.
    pub orient: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { background: [1.0; 3], max_pixels: 100_000_000, orient: true }
    }
}

/// Reads an image file as RGB in [0, 1].
///
/// The format is recognised by content. Grey is repeated into three channels; a transparent pixel becomes
/// `alpha * colour + (1 - alpha) * background`; 16-bit samples are divided by 65535 and lose nothing.
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
    Ok(to_tensor(decoded, options)?)
}

/// Reads an image from bytes in memory; otherwise as [`load_image`]. `name` stands for the path in errors.
///
/// # Errors
/// As [`load_image`].
pub fn decode_image(bytes: &[u8], name: &str, options: &LoadOptions) -> Result<Tensor> {
    let decoded = decode(Cursor::new(bytes), Path::new(name), options)?;
    Ok(to_tensor(decoded, options)?)
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

fn open(path: &Path) -> Result<BufReader<std::fs::File>> {
    let meta = std::fs::metadata(path).map_err(|e| Error::read(path, e))?;
    if meta.is_dir() {
        return Err(Error::IsDirectory { path: path.to_path_buf() });
    }
    Ok(BufReader::new(std::fs::File::open(path).map_err(|e| Error::read(path, e))?))
}

/// A decoder whose format was recognised and whose dimensions are within the limits.
fn decoder<'a, R: BufRead + Seek + 'a>(
    mut reader: R,
    path: &Path,
    options: &LoadOptions,
) -> Result<impl ImageDecoder + 'a> {
    let format = recognise(&mut reader, path)?;
    let mut reader = ImageReader::with_format(reader, format);
    // A decoder's own scratch space comes on top of the pixels: 16 bytes each cover 16-bit RGBA twice.
    let mut limits = Limits::default();
    limits.max_alloc = Some(options.max_pixels.saturating_mul(16).saturating_add(64 << 20));
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|e| classify(e, path, options, (0, 0)))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Error::ZeroSize { path: path.to_path_buf() });
    }
    if u64::from(width) * u64::from(height) > options.max_pixels {
        let (path, max_pixels) = (path.to_path_buf(), options.max_pixels);
        return Err(Error::TooLarge { path, width, height, max_pixels });
    }
    Ok(decoder)
}

fn decode<R: BufRead + Seek>(mut reader: R, path: &Path, options: &LoadOptions) -> Result<DynamicImage> {
    if recognise(&mut reader, path)? == ImageFormat::Jpeg {
        let whole = crate::jpeg::is_complete(&mut reader);
        if !whole.is_ok_and(|whole| whole) {
            return Err(Error::Corrupt {
                path: path.to_path_buf(),
                reason: "the JPEG data ends early".into(),
            });
        }
        reader.seek(SeekFrom::Start(0)).map_err(|e| Error::read(path, e))?;
    }
    let mut decoder = decoder(reader, path, options)?;
    let size = decoder.dimensions();
    // A damaged EXIF block is no reason to refuse the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|e| classify(e, path, options, size))?;
    if options.orient {
        decoded.apply_orientation(orientation);
    }
    Ok(decoded)
}

/// The format by the first bytes, since a name may lie.
fn recognise<R: Read + Seek>(reader: &mut R, path: &Path) -> Result<ImageFormat> {
    let mut head = Vec::with_capacity(64);
    reader.by_ref().take(64).read_to_end(&mut head).map_err(|e| Error::read(path, e))?;
    reader.seek(SeekFrom::Start(0)).map_err(|e| Error::read(path, e))?;
    let path = path.to_path_buf();
    let unsupported = |what: &str| Error::Unsupported { path: path.clone(), what: what.to_string() };
    if head.is_empty() {
        return Err(Error::ZeroSize { path });
    }
    match image::guess_format(&head) {
        Ok(format) if format.reading_enabled() => Ok(format),
        Ok(format) => {
            Err(unsupported(&format!("{format:?} images").to_uppercase().replace("IMAGES", "images")))
        }
        Err(_) if head.get(4..8) == Some(b"ftyp") => Err(unsupported("HEIC or AVIF images")),
        Err(_) => Err(Error::NotAnImage { path }),
    }
}

fn classify(error: ImageError, path: &Path, options: &LoadOptions, (width, height): (u32, u32)) -> Error {
    let path = path.to_path_buf();
    match error {
        ImageError::Limits(ref limit) if matches!(limit.kind(), LimitErrorKind::Unsupported { .. }) => {
            Error::Unsupported { path, what: one_line(&error) }
        }
        ImageError::Limits(_) => Error::TooLarge { path, width, height, max_pixels: options.max_pixels },
        ImageError::Unsupported(e) => {
            let what = match e.kind() {
                UnsupportedErrorKind::Color(c) => format!("samples of kind {c:?}"),
                _ => one_line(&e),
            };
            Error::Unsupported { path, what }
        }
        ImageError::IoError(e)
            if e.kind() != std::io::ErrorKind::UnexpectedEof && e.raw_os_error().is_some() =>
        {
            Error::Io { path, source: e }
        }
        other => Error::Corrupt { path, reason: one_line(&other) },
    }
}

/// RGB planes of a decoded image, its alpha laid over the background.
fn to_tensor(decoded: DynamicImage, options: &LoadOptions) -> candle_core::Result<Tensor> {
    let (w, h) = (decoded.width() as usize, decoded.height() as usize);
    let mut planes = vec![0f32; 3 * w * h];
    let (red, rest) = planes.split_at_mut(w * h);
    let (green, blue) = rest.split_at_mut(w * h);
    let mut put = |i: usize, rgb: [f32; 3]| {
        red[i] = rgb[0].clamp(0.0, 1.0);
        green[i] = rgb[1].clamp(0.0, 1.0);
        blue[i] = rgb[2].clamp(0.0, 1.0);
    };
    // The common kinds without a copy of the whole in f32 between.
    if let DynamicImage::ImageRgb8(decoded) = &decoded {
        for (i, p) in decoded.pixels().enumerate() {
            put(i, p.0.map(|v| f32::from(v) / 255.0));
        }
    } else if let DynamicImage::ImageRgb16(decoded) = &decoded {
        for (i, p) in decoded.pixels().enumerate() {
            put(i, p.0.map(|v| f32::from(v) / 65535.0));
        }
    } else if decoded.color().has_alpha() {
        for (i, p) in decoded.into_rgba32f().pixels().enumerate() {
            let [r, g, b, a] = p.0;
            let over = |c: f32, under: f32| a * c + (1.0 - a) * under;
            let [under_r, under_g, under_b] = options.background;
            put(i, [over(r, under_r), over(g, under_g), over(b, under_b)]);
        }
    } else {
        for (i, p) in decoded.into_rgb32f().pixels().enumerate() {
            put(i, p.0);
        }
    }
    Tensor::from_vec(planes, (3, h, w), &Device::Cpu)
}
