use crate::LoadOptions;
use crate::color::cmyk_to_rgb;
use crate::decode::Decoded;
use crate::error::Result;
use candle_core::{Device, Tensor};
use image::metadata::Orientation;

/// Where a pixel goes when a picture is turned: `start + x * across + y * down` in the turned picture's rows.
struct Turn {
    height: usize,
    width: usize,
    start: usize,
    across: isize,
    down: isize,
}

impl Turn {
    fn new(orientation: Orientation, height: usize, width: usize) -> Self {
        let (h, w) = (height as isize, width as isize);
        let (turned, start, across, down) = match orientation {
            Orientation::NoTransforms => (false, 0, 1, w),
            Orientation::FlipHorizontal => (false, w - 1, -1, w),
            Orientation::Rotate180 => (false, h * w - 1, -1, -w),
            Orientation::FlipVertical => (false, (h - 1) * w, 1, -w),
            Orientation::Rotate90 => (true, h - 1, h, -1),
            Orientation::Rotate270 => (true, (w - 1) * h, -h, 1),
            Orientation::Rotate90FlipH => (true, 0, h, 1),
            Orientation::Rotate270FlipH => (true, w * h - 1, -h, -1),
        };
        let (height, width) = if turned { (width, height) } else { (height, width) };
        Self { height, width, start: start as usize, across, down }
    }

    fn place(&self, x: usize, y: usize) -> usize {
        self.start.wrapping_add_signed(x as isize * self.across + y as isize * self.down)
    }
}

/// What becomes of transparency.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    /// The colour is laid over the background.
    Flatten,
    /// The colour stays as it is, the background fills what is wholly transparent, and alpha is a plane of its own.
    Apart,
}

/// A decoded picture as RGB planes (3, H, W), and its alpha (1, H, W) if that was asked for and says anything.
///
/// One row at a time, so that beside the file's samples and the planes there is no third copy.
pub(crate) fn to_planes(
    mut decoded: Decoded,
    alpha: Alpha,
    options: &LoadOptions,
) -> Result<(Tensor, Option<Tensor>)> {
    let (w, h, channels) = (decoded.width, decoded.height, decoded.channels);
    let turn = Turn::new(decoded.orientation, h, w);
    let mut planes = vec![0f32; 3 * w * h];
    let (red, rest) = planes.split_at_mut(w * h);
    let (green, blue) = rest.split_at_mut(w * h);
    let mut cover = if decoded.alpha && alpha == Alpha::Apart { vec![0f32; w * h] } else { Vec::new() };
    let (mut row, mut rgb) = (vec![0f32; w * channels], vec![0f32; 3 * w]);
    for y in 0..h {
        decoded.samples.read(y * row.len(), &mut row);
        let converted = decoded.to_srgb.as_mut().is_some_and(|icc| icc.convert(&row, channels, &mut rgb));
        if !converted && channels == 4 && !decoded.alpha {
            cmyk_to_rgb(&row, &mut rgb);
        } else if !converted {
            let last = if channels < 3 { 0 } else { 2 };
            for (to, from) in rgb.chunks_exact_mut(3).zip(row.chunks_exact(channels)) {
                to.iter_mut().enumerate().for_each(|(c, v)| *v = from[c.min(last)]);
            }
        }
        for (x, color) in rgb.chunks_exact(3).enumerate() {
            let i = turn.place(x, y);
            let mut put = |v: [f32; 3]| [red[i], green[i], blue[i]] = v;
            let &[r, g, b] = color else { continue };
            if !decoded.alpha {
                put([r, g, b]);
                continue;
            }
            let a = row[(x + 1) * channels - 1];
            let [under_r, under_g, under_b] = options.background;
            let over = |c: f32, under: f32| (a * c + (1.0 - a) * under).clamp(0.0, 1.0);
            match alpha {
                Alpha::Apart if a > 0.0 => put([r, g, b]),
                // Whatever colour a file hides where nothing shows is of no use to anyone.
                Alpha::Apart => put(options.background.map(|v| v.clamp(0.0, 1.0))),
                Alpha::Flatten => put([over(r, under_r), over(g, under_g), over(b, under_b)]),
            }
            if let Some(to) = cover.get_mut(i) {
                *to = a;
            }
        }
    }
    drop(decoded);
    let (h, w) = (turn.height, turn.width);
    let says_something = cover.iter().any(|&a| a < 1.0);
    let alpha = says_something.then(|| Tensor::from_vec(cover, (1, h, w), &Device::Cpu)).transpose()?;
    Ok((Tensor::from_vec(planes, (3, h, w), &Device::Cpu)?, alpha))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, GrayImage};

    #[test]
    fn pictures_are_turned_as_the_image_crate_turns_them() {
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let picture = GrayImage::from_raw(3, 2, (1..=6).collect()).unwrap();
            let mut turned = DynamicImage::from(picture.clone());
            turned.apply_orientation(orientation);
            let turn = Turn::new(orientation, 2, 3);
            let mut ours = vec![0; 6];
            for (x, y, p) in picture.enumerate_pixels() {
                ours[turn.place(x as usize, y as usize)] = p.0[0];
            }
            assert_eq!((turn.height, turn.width), (turned.height() as usize, turned.width() as usize));
            assert_eq!(ours, turned.into_bytes(), "{orientation:?}");
        }
    }
}
