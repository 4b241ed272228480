use std::io::{BufRead, Read, Result};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};

/// What the markers of a JPEG stream tell.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Whether the stream reaches its end marker.
    ///
    /// The decoder fills in what is missing from a truncated JPEG with grey and says nothing, as viewers do. In the
    /// compressed data a 0xFF is always followed by a stuffed zero or a marker, so the pair FF D9 behind the first scan
    /// header can only be the end of the image; one before it may belong to a thumbnail.
    pub(crate) complete: bool,
    /// Samples per pixel: 4 is CMYK or YCCK.
    pub(crate) components: u8,
}

/// Reads the markers from the start of the stream to its end.
pub(crate) fn scan(reader: &mut impl BufRead) -> Result<Scan> {
    let mut found = Scan::default();
    let mut head = [0u8; 4];
    reader.read_exact(&mut head[..2])?; // start of image
    loop {
        reader.read_exact(&mut head[..2])?;
        while head[1] == 0xff {
            reader.read_exact(&mut head[1..2])?; // fill bytes before a marker
        }
        if head[0] != 0xff {
            found.complete = true; // Not laid out as expected: let the decoder judge.
            return Ok(found);
        }
        reader.read_exact(&mut head[2..])?;
        let length = u64::from(u16::from_be_bytes([head[2], head[3]])).saturating_sub(2);
        let mut body = reader.by_ref().take(length);
        // Start of frame, every kind: precision, height, width, components. (C4, C8 and CC are something else.)
        if (0xc0..=0xcf).contains(&head[1]) && ![0xc4, 0xc8, 0xcc].contains(&head[1]) {
            let mut frame = [0u8; 6];
            body.read_exact(&mut frame)?;
            found.components = frame[5];
        }
        std::io::copy(&mut body, &mut std::io::sink())?;
        if head[1] == 0xda {
            break;
        }
    }
    let mut after_ff = false;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(found);
        }
        for &byte in buffer {
            if after_ff && byte == 0xd9 {
                found.complete = true;
                return Ok(found);
            }
            after_ff = byte == 0xff;
        }
        let n = buffer.len();
        reader.consume(n);
    }
}

/// The inks of a JPEG with four components, 255 for full cover, as interleaved CMYK.
///
/// They are stored inverted, as Adobe does; Pillow and the browsers take that for granted as well, whether Adobe's marker is
/// there or not.
///
/// # Errors
/// What the decoder said.
pub(crate) fn decode_cmyk(bytes: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let message = |e: zune_jpeg::errors::DecodeErrors| e.to_string();
    let options =
        DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(message)?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::CMYK);
    // The same space out as in: the samples as they are stored, which `image` turns into RGB without the profile.
    decoder.set_options(options.jpeg_set_out_colorspace(stored));
    let mut samples = decoder.decode().map_err(message)?;
    if stored == ColorSpace::YCCK {
        samples.chunks_exact_mut(4).for_each(ycc_to_cmy);
    }
    samples.iter_mut().for_each(|v| *v = 255 - *v);
    Ok(samples)
}

/// The first three samples from luma and chroma to cyan, magenta and yellow, as libjpeg's `ycck_cmyk_convert`.
fn ycc_to_cmy(pixel: &mut [u8]) {
    let [y, cb, cr] = [0, 1, 2].map(|i| f32::from(pixel[i]));
    let (blue, red) = (cb - 128.0, cr - 128.0);
    let rgb = [y + 1.402 * red, y - 0.344_136 * blue - 0.714_136 * red, y + 1.772 * blue];
    pixel.iter_mut().zip(rgb).for_each(|(to, v)| *to = (255.0 - v).round().clamp(0.0, 255.0) as u8);
}
