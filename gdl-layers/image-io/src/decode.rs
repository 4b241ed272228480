use crate::LoadOptions;
use crate::color::ToSrgb;
use crate::error::{Error, Result, one_line};
use image::error::{ImageError, LimitErrorKind, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::path::Path;

/// How much a file may unpack into beside its pixels (profiles, metadata, a decoder's own scratch space).
const BESIDE_PIXELS: u64 = 64 << 20;

/// A picture as its file has it, row by row and pixel by pixel.
pub(crate) struct Decoded {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) samples: Samples,
    /// Samples per pixel, with alpha.
    pub(crate) channels: usize,
    /// Whether the last channel is alpha. Without it, four channels are CMYK.
    pub(crate) alpha: bool,
    pub(crate) to_srgb: Option<ToSrgb>,
    pub(crate) orientation: Orientation,
}

/// Interleaved samples as deep as the file has them.
pub(crate) enum Samples {
    U8(Vec<u8>),
    U16(Vec<u16>),
    F32(Vec<f32>),
}

impl Samples {
    /// The samples from `start` on in [0, 1], as many as `out` holds.
    pub(crate) fn read(&self, start: usize, out: &mut [f32]) {
        let end = start + out.len();
        match self {
            Self::U8(v) => out.iter_mut().zip(&v[start..end]).for_each(|(o, &v)| *o = f32::from(v) / 255.0),
            Self::U16(v) => {
                out.iter_mut().zip(&v[start..end]).for_each(|(o, &v)| *o = f32::from(v) / 65535.0)
            }
            // A NaN in a float TIFF becomes black instead of spreading.
            Self::F32(v) => out
                .iter_mut()
                .zip(&v[start..end])
                .for_each(|(o, &v)| *o = if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) }),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }
}

/// A decoder whose format was recognised and whose dimensions are within the limits.
pub(crate) fn decoder<'a, R: BufRead + Seek + 'a>(
    mut reader: R,
    path: &Path,
    options: &LoadOptions,
) -> Result<impl ImageDecoder + 'a> {
    let format = recognise(&mut reader, path)?;
    let mut reader = ImageReader::with_format(reader, format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(match format {
        // Its pixels are unpacked into our buffer row by row; what is left to bound are profiles and texts.
        ImageFormat::Png => BESIDE_PIXELS,
        _ => allowance(options),
    });
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

/// What a decoder may allocate: 16 bytes a pixel cover 16-bit RGBA twice.
fn allowance(options: &LoadOptions) -> u64 {
    options.max_pixels.saturating_mul(16).saturating_add(BESIDE_PIXELS)
}

/// Reads the pixels, and what has to be known to show them.
pub(crate) fn decode<R: BufRead + Seek>(
    mut reader: R,
    path: &Path,
    options: &LoadOptions,
) -> Result<Decoded> {
    let corrupt = |reason: &str| Error::Corrupt { path: path.to_path_buf(), reason: one_line(reason) };
    let format = recognise(&mut reader, path)?;
    let mut scan = crate::jpeg::Scan::default();
    if format == ImageFormat::Jpeg {
        scan = crate::jpeg::scan(&mut reader).unwrap_or_default();
        if !scan.complete {
            return Err(corrupt("the JPEG data ends early"));
        }
        rewind(&mut reader, path)?;
    }
    let tiff_profile = match format {
        ImageFormat::Tiff => {
            let profile = crate::tiff::profile(&mut reader);
            rewind(&mut reader, path)?;
            profile
        }
        _ => None,
    };
    let mut decoder = decoder(&mut reader, path, options)?;
    let size = decoder.dimensions();
    let (width, height) = (size.0 as usize, size.1 as usize);
    // A damaged EXIF block or profile is no reason to refuse the pixels.
    let orientation = match options.orient {
        true => decoder.orientation().unwrap_or(Orientation::NoTransforms),
        false => Orientation::NoTransforms,
    };
    let icc = tiff_profile.or_else(|| decoder.icc_profile().ok().flatten());
    let ink_tiff =
        matches!(decoder.original_color_type(), ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16);
    let (samples, channels) = if scan.components == 4 || ink_tiff {
        drop(decoder);
        rewind(&mut reader, path)?;
        let inks = if ink_tiff {
            let allowance = usize::try_from(allowance(options)).unwrap_or(usize::MAX);
            crate::tiff::decode_cmyk(&mut reader, path, allowance)?
        } else {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(|e| Error::read(path, e))?;
            Samples::U8(crate::jpeg::decode_cmyk(&bytes).map_err(|e| corrupt(&e))?)
        };
        (inks, 4)
    } else {
        let image = DynamicImage::from_decoder(decoder).map_err(|e| classify(e, path, options, size))?;
        interleaved(image).ok_or_else(|| Error::Unsupported {
            path: path.to_path_buf(),
            what: "samples of this kind".into(),
        })?
    };
    if samples.len() != width * height * channels {
        return Err(corrupt("it has fewer samples than its size needs"));
    }
    let alpha = channels == 2 || (channels == 4 && scan.components != 4 && !ink_tiff);
    let to_srgb = icc.and_then(|icc| ToSrgb::new(&icc, channels - usize::from(alpha)));
    Ok(Decoded { width, height, samples, channels, alpha, to_srgb, orientation })
}

fn interleaved(image: DynamicImage) -> Option<(Samples, usize)> {
    Some(match image {
        DynamicImage::ImageLuma8(b) => (Samples::U8(b.into_raw()), 1),
        DynamicImage::ImageLumaA8(b) => (Samples::U8(b.into_raw()), 2),
        DynamicImage::ImageRgb8(b) => (Samples::U8(b.into_raw()), 3),
        DynamicImage::ImageRgba8(b) => (Samples::U8(b.into_raw()), 4),
        DynamicImage::ImageLuma16(b) => (Samples::U16(b.into_raw()), 1),
        DynamicImage::ImageLumaA16(b) => (Samples::U16(b.into_raw()), 2),
        DynamicImage::ImageRgb16(b) => (Samples::U16(b.into_raw()), 3),
        DynamicImage::ImageRgba16(b) => (Samples::U16(b.into_raw()), 4),
        DynamicImage::ImageRgb32F(b) => (Samples::F32(b.into_raw()), 3),
        DynamicImage::ImageRgba32F(b) => (Samples::F32(b.into_raw()), 4),
        _ => return None,
    })
}

fn rewind(reader: &mut impl Seek, path: &Path) -> Result<()> {
    reader.seek(SeekFrom::Start(0)).map(drop).map_err(|e| Error::read(path, e))
}

/// The format by the first bytes, since a name may lie.
pub(crate) fn recognise<R: Read + Seek>(reader: &mut R, path: &Path) -> Result<ImageFormat> {
    let mut head = Vec::with_capacity(64);
    reader.by_ref().take(64).read_to_end(&mut head).map_err(|e| Error::read(path, e))?;
    rewind(reader, path)?;
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
