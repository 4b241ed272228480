use crate::decode::Samples;
use crate::error::{Error, Result, one_line};
use crate::pixels::{Layout, Planes, Sample};
use crate::save::not_writable;
use crate::{BitDepth, SaveOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{TiffEncoder, TiffValue};
use tiff::tags::{ExtraSamples, Tag};

/// The ICC profile of a TIFF. (`image` finds it only if it is small beside the pixels, whose size it sets as the limit.)
pub(crate) fn profile(reader: &mut (impl Read + Seek)) -> Option<Vec<u8>> {
    Decoder::new(reader).ok()?.get_tag_u8_vec(Tag::IccProfile).ok()
}

/// The inks of a CMYK TIFF, which `image` turns into RGB without the profile.
///
/// # Errors
/// A damaged file, or samples that are not whole numbers.
pub(crate) fn decode_cmyk(reader: &mut (impl Read + Seek), path: &Path, max_bytes: usize) -> Result<Samples> {
    let path = path.to_path_buf();
    let mut limits = Limits::default();
    (limits.decoding_buffer_size, limits.intermediate_buffer_size) = (max_bytes, max_bytes);
    match Decoder::new(reader).and_then(|d| d.with_limits(limits).read_image()) {
        Ok(DecodingResult::U8(v)) => Ok(Samples::U8(v)),
        Ok(DecodingResult::U16(v)) => Ok(Samples::U16(v)),
        Ok(_) => Err(Error::Unsupported { path, what: "CMYK samples of this kind".into() }),
        Err(TiffError::UnsupportedError(e)) => Err(Error::Unsupported { path, what: one_line(e) }),
        Err(e) => Err(Error::Corrupt { path, reason: one_line(e) }),
    }
}

/// Writes a TIFF strip by strip: nothing of the size of the picture is allocated. (`image` writes alpha without the tag that
/// says so, and other programs then take it for padding.)
pub(crate) fn write(
    planes: &Planes,
    out: &mut (impl Write + Seek),
    path: &Path,
    options: &SaveOptions,
) -> Result<()> {
    let alpha = planes.has_alpha();
    // The encoder has no grey with alpha: repeat the grey.
    let colors = if alpha { 3 } else { planes.colors };
    let layout = Layout { colors, alpha, background: options.background };
    match (options.depth, layout.channels()) {
        (BitDepth::Eight, 1) => write_strips::<Gray8>(planes, layout, out, path),
        (BitDepth::Eight, 3) => write_strips::<RGB8>(planes, layout, out, path),
        (BitDepth::Eight, _) => write_strips::<RGBA8>(planes, layout, out, path),
        (BitDepth::Sixteen, 1) => write_strips::<Gray16>(planes, layout, out, path),
        (BitDepth::Sixteen, 3) => write_strips::<RGB16>(planes, layout, out, path),
        (BitDepth::Sixteen, _) => write_strips::<RGBA16>(planes, layout, out, path),
    }
}

fn write_strips<C: ColorType>(
    planes: &Planes,
    layout: Layout,
    out: &mut (impl Write + Seek),
    path: &Path,
) -> Result<()>
where
    C::Inner: Sample,
    [C::Inner]: TiffValue,
{
    let failed = |e: TiffError| match e {
        TiffError::IoError(e) => not_writable(path, e),
        e => Error::Encode { path: path.to_path_buf(), reason: one_line(e) },
    };
    let (width, height) = (planes.width, planes.height);
    let size = |n: usize| u32::try_from(n).map_err(|e| failed(e.into()));
    let mut encoder = TiffEncoder::new(out).map_err(failed)?;
    let mut image = encoder.new_image::<C>(size(width)?, size(height)?).map_err(failed)?;
    if layout.alpha {
        let straight = [ExtraSamples::UnassociatedAlpha.to_u16()];
        image.encoder().write_tag(Tag::ExtraSamples, &straight[..]).map_err(failed)?;
    }
    let (mut strip, mut done) = (Vec::new(), 0);
    while done < width * height {
        let count = image.next_strip_sample_count() as usize / layout.channels();
        planes.interleave(done..done + count, layout, &mut strip)?;
        image.write_strip(&strip).map_err(failed)?;
        done += count;
    }
    image.finish().map_err(failed)
}
