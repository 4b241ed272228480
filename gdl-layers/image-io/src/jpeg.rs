use std::io::{BufRead, Read, Result};

/// Whether a JPEG stream reaches its end marker.
///
/// The decoder fills in what is missing from a truncated JPEG with grey and says nothing, as viewers do. In the
/// compressed data a 0xFF is always followed by a stuffed zero or a marker, so the pair FF D9 behind the first scan
/// header can only be the end of the image; one before it may belong to a thumbnail.
pub(crate) fn is_complete(reader: &mut impl BufRead) -> Result<bool> {
    let mut head = [0u8; 4];
    reader.read_exact(&mut head[..2])?; // start of image
    loop {
        reader.read_exact(&mut head[..2])?;
        while head[1] == 0xff {
            reader.read_exact(&mut head[1..2])?; // fill bytes before a marker
        }
        if head[0] != 0xff {
            return Ok(true); // Not laid out as expected: let the decoder judge.
        }
        reader.read_exact(&mut head[2..])?;
        let length = u64::from(u16::from_be_bytes([head[2], head[3]])).saturating_sub(2);
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        if head[1] == 0xda {
            break;
        }
    }
    let mut after_ff = false;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        for &byte in buffer {
            if after_ff && byte == 0xd9 {
                return Ok(true);
            }
            after_ff = byte == 0xff;
        }
        let n = buffer.len();
        reader.consume(n);
    }
}
