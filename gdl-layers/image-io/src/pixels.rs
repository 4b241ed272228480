use crate::error::{Error, Result};
use candle_core::{DType, Device, Storage, Tensor};
use gdl_kernels::view::contiguous;
use std::ops::Range;
use std::path::Path;

/// A picture to be written: planes in f32 on the CPU, checked, and not copied if they were that before.
pub(crate) struct Planes {
    color: Tensor,
    alpha: Option<Tensor>,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// 1 for grey, 3 for RGB.
    pub(crate) colors: usize,
}

/// What a pixel of the file consists of.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) colors: usize,
    pub(crate) alpha: bool,
    /// What shows through where the file has no alpha.
    pub(crate) background: [f32; 3],
}

impl Layout {
    pub(crate) fn channels(&self) -> usize {
        self.colors + usize::from(self.alpha)
    }
}

/// A sample in a file.
pub(crate) trait Sample: Copy {
    /// From [0, 1], rounded; what lies outside is clamped.
    fn quantised(v: f32) -> Self;
}

impl Sample for u8 {
    fn quantised(v: f32) -> Self {
        (v.clamp(0.0, 1.0) * 255.0).round() as Self
    }
}

impl Sample for u16 {
    fn quantised(v: f32) -> Self {
        (v.clamp(0.0, 1.0) * 65535.0).round() as Self
    }
}

impl Planes {
    pub(crate) fn new(picture: &Tensor, alpha: Option<&Tensor>, path: &Path) -> Result<Self> {
        let shape =
            |what: String| Error::Tensor(candle_core::Error::Msg(format!("{}: {what}", path.display())));
        let (colors, height, width) = picture.dims3()?;
        if (colors != 1 && colors != 3) || height == 0 || width == 0 {
            return Err(shape(format!(
                "a picture is (3, H, W) or (1, H, W) with at least one pixel, not ({colors}, {height}, {width})"
            )));
        }
        if let Some(alpha) = alpha
            && alpha.dims() != [1, height, width]
        {
            return Err(shape(format!(
                "alpha is (1, {height}, {width}) as the picture, not {:?}",
                alpha.dims()
            )));
        }
        // Laid out at once: rows are taken one by one, and each would lay all of it out again.
        let plain = |t: &Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous();
        let planes =
            Self { color: plain(picture)?, alpha: alpha.map(plain).transpose()?, height, width, colors };
        planes.with_values(|color, alpha| {
            let finite = color.iter().chain(alpha.unwrap_or_default()).all(|v| v.is_finite());
            if finite { Ok(()) } else { Err(Error::NonFinite { path: path.to_path_buf() }) }
        })?;
        Ok(planes)
    }

    /// Whether there is alpha.
    pub(crate) fn has_alpha(&self) -> bool {
        self.alpha.is_some()
    }

    /// Interleaved samples of some of the pixels, which are counted row by row, after one another into `out`.
    pub(crate) fn interleave<T: Sample>(
        &self,
        pixels: Range<usize>,
        layout: Layout,
        out: &mut Vec<T>,
    ) -> Result<()> {
        let area = self.height * self.width;
        out.clear();
        out.reserve(pixels.len() * layout.channels());
        self.with_values(|color, alpha| {
            for i in pixels {
                let cover = alpha.map_or(1.0, |a| a[i].clamp(0.0, 1.0));
                for c in 0..layout.colors {
                    let v = color[c.min(self.colors - 1) * area + i];
                    let over = cover * v.clamp(0.0, 1.0) + (1.0 - cover) * layout.background[c];
                    out.push(T::quantised(if layout.alpha || alpha.is_none() { v } else { over }));
                }
                if layout.alpha {
                    out.push(T::quantised(cover));
                }
            }
            Ok(())
        })
    }

    fn with_values<T>(&self, f: impl FnOnce(&[f32], Option<&[f32]>) -> Result<T>) -> Result<T> {
        with_slice(&self.color, |color| match &self.alpha {
            None => f(color, None),
            Some(alpha) => with_slice(alpha, |alpha| f(color, Some(alpha))),
        })
    }
}

/// The values of a CPU tensor without a copy, where it is contiguous.
pub(crate) fn with_slice<T, E: From<candle_core::Error>>(
    t: &Tensor,
    f: impl FnOnce(&[f32]) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(&contiguous::<f32>(storage, layout)?),
        _ => Err(candle_core::Error::Msg("a picture is not on the CPU".into()).into()),
    }
}
