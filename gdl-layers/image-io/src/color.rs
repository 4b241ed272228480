use moxcms::{
    ColorProfile, DataColorSpace, Layout, RenderingIntent, Transform16BitExecutor, TransformOptions,
};
use std::sync::Arc;

/// Conversion of a file's samples into sRGB by its ICC profile.
pub(crate) struct ToSrgb {
    executor: Arc<Transform16BitExecutor>,
    /// Samples that the profile takes: 1 for grey, 3 for RGB, 4 for CMYK.
    channels: usize,
    source: Vec<u16>,
    target: Vec<u16>,
}

impl ToSrgb {
    /// `None` when there is nothing to convert: the profile cannot be read, describes samples of another kind than the
    /// file has (`channels` of them, without alpha), or is sRGB itself.
    ///
    /// An RGB profile on a grey picture is applied to equal parts of red, green and blue. The intent is relative
    /// colorimetric: what sRGB can show comes out as it was meant, and the rest is clipped.
    pub(crate) fn new(icc: &[u8], channels: usize) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(icc).ok()?;
        let (layout, channels) = match (profile.color_space, channels) {
            (DataColorSpace::Gray, 1) => (Layout::Gray, 1),
            (DataColorSpace::Rgb, 1 | 3) => (Layout::Rgb, 3),
            (DataColorSpace::Cmyk, 4) => (Layout::Rgba, 4),
            _ => return None,
        };
        let srgb = ColorProfile::new_srgb();
        let transform = |rendering_intent| {
            let options = TransformOptions {
                rendering_intent,
                prefer_fixed_point: false,
                ..TransformOptions::default()
            };
            profile.create_transform_16bit(layout, &srgb, Layout::Rgb, options).ok()
        };
        // A profile with one table has the perceptual one, which then stands for every intent (ICC.1, 8.10).
        let executor = transform(RenderingIntent::RelativeColorimetric)
            .or_else(|| transform(RenderingIntent::Perceptual))?;
        let mut converter = Self { executor, channels, source: Vec::new(), target: Vec::new() };
        (!converter.changes_nothing()).then_some(converter)
    }

    /// Converts pixels of `stride` samples in [0, 1], of which the first are the colour. False when that fails, which a
    /// profile that was accepted gives no reason for.
    pub(crate) fn convert(&mut self, pixels: &[f32], stride: usize, rgb: &mut [f32]) -> bool {
        self.source.clear();
        for pixel in pixels.chunks_exact(stride) {
            // A grey picture under an RGB profile repeats its one sample.
            let last = if stride < 3 { 0 } else { self.channels - 1 };
            let wide =
                (0..self.channels).map(|c| (pixel[c.min(last)].clamp(0.0, 1.0) * 65535.0).round() as u16);
            self.source.extend(wide);
        }
        self.target.resize(rgb.len(), 0);
        let converted = self.executor.transform(&self.source, &mut self.target).is_ok();
        rgb.iter_mut().zip(&self.target).for_each(|(to, &from)| *to = f32::from(from) / 65535.0);
        converted
    }

    /// Whether a lattice of colours comes back within a step of 8 bits: then the profile is sRGB in one of its many
    /// spellings, and leaving the samples alone is more exact than converting them.
    fn changes_nothing(&mut self) -> bool {
        let step = |i: usize| i as f32 / 16.0;
        let lattice: Vec<f32> = match self.channels {
            1 => (0..17).map(step).collect(),
            3 => (0..17 * 17 * 17).flat_map(|i| [step(i % 17), step(i / 17 % 17), step(i / 289)]).collect(),
            _ => return false,
        };
        let count = lattice.len() / self.channels;
        let mut rgb = vec![0f32; 3 * count];
        self.convert(&lattice, self.channels, &mut rgb)
            && rgb.iter().enumerate().all(|(i, v)| {
                let was = lattice[i / 3 * self.channels + (i % 3).min(self.channels - 1)];
                (v - was).abs() < 1.0 / 255.0
            })
    }
}

/// CMYK without a profile: what is left of white paper under each ink and under black, as Pillow and most viewers have it.
pub(crate) fn cmyk_to_rgb(pixels: &[f32], rgb: &mut [f32]) {
    for (ink, to) in pixels.chunks_exact(4).zip(rgb.chunks_exact_mut(3)) {
        to.iter_mut().zip(ink).for_each(|(v, c)| *v = (1.0 - c) * (1.0 - ink[3]));
    }
}
