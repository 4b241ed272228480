//! The pictures of a style transfer as they are painted from: sRGB, opaque, and no larger than is of use.

use super::args::NstArgs;
use super::sources::{Source, Sources};
use crate::commands::Context;
use crate::console::UsageError;
use anyhow::{Context as _, Result};
use candle_core::Tensor;
use gdl_image_io::{
    BitDepth, Filter, LoadOptions, image_depth, load_image, load_image_alpha, over_mean_color, resize,
    resize_with_alpha,
};
use gdl_nst::{NstConfig, Style, StyleCache, builtin};
use gdl_vgg::VggWeights;
use std::path::Path;

/// The narrowest that a picture is made on reading: what a network of five blocks needs.
const LEAST: usize = 16;
/// The extension of files that stand for styles.
const CACHE: &str = "gdlstyle";

/// What is painted, and in which manner.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) content: Tensor,
    /// What the result is to be transparent like, where the content is.
    pub(super) alpha: Option<Tensor>,
    pub(super) styles: Vec<Style>,
    pub(super) start: Option<Tensor>,
    /// That of the content's file.
    pub(super) depth: BitDepth,
}

impl Pictures {
    /// Reads them all, or draws them.
    pub(super) fn read(sources: &Sources, config: &NstConfig) -> Result<Self> {
        let Content { image, alpha, depth } = Content::read(&sources.content, config)?;
        let mut styles = Vec::with_capacity(sources.styles.len());
        for style in &sources.styles {
            let size = config.style_side(config.size, style.scale);
            styles.push(Style {
                weight: style.weight,
                scale: style.scale,
                mask: style.mask.as_ref().map(|m| mask(&m.path, config.size)).transpose()?,
                ..self::style(&style.picture, config.size, size)?
            });
        }
        let start = sources.init.as_ref().map(|s| picture(s, config.size)).transpose()?;
        Ok(Self { content: image, alpha, styles, start: start.map(|(color, _)| color), depth })
    }
}

/// A content picture.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) image: Tensor,
    /// What the result is to be transparent like, where this is.
    pub(super) alpha: Option<Tensor>,
    /// That of the file.
    pub(super) depth: BitDepth,
}

impl Content {
    /// Reads it, or draws it.
    pub(super) fn read(source: &Source, config: &NstConfig) -> Result<Self> {
        let (image, alpha) = picture(source, config.size)?;
        let depth = match source.builtin() {
            Some(_) => BitDepth::Eight,
            None => image_depth(&source.path)?,
        };
        Ok(Self { image, alpha, depth })
    }
}

/// Saves what is taken from the styles, where that is asked for, and has it stand for them.
pub(super) fn saved_style(
    args: &NstArgs,
    config: &NstConfig,
    weights: &VggWeights,
    styles: Vec<Style>,
    context: &Context,
) -> Result<Vec<Style>> {
    let Some(file) = &args.styling.save_style else { return Ok(styles) };
    let scale = styles.first().map_or(1.0, |style| style.scale);
    let cache = StyleCache::measure(config, weights, &styles, &context.device)?;
    cache.save(file)?;
    let sides: Vec<_> = cache.sides().iter().map(ToString::to_string).collect();
    context.verbosity.say(format_args!("{}: the style at {} pixels", file.display(), sides.join(", ")));
    Ok(vec![Style { scale, ..cache.into() }])
}

/// Whether a file of that name stands for a style.
pub(super) fn is_style_cache(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(CACHE))
}

/// A picture and its alpha, with at most `size` pixels on the longer side.
fn picture(source: &Source, size: usize) -> Result<(Tensor, Option<Tensor>)> {
    match source.builtin() {
        None => opaque(&source.path, size),
        Some("harbor") => Ok((builtin::content(size)?, None)),
        Some(name) => Ok((drawn(source, name, size)?, None)),
    }
}

/// A style: of a picture at most `size` pixels on the longer side; where it is drawn by the program, with `drawn`.
fn style(source: &Source, drawn: usize, size: usize) -> Result<Style> {
    Ok(match source.builtin() {
        None if is_style_cache(&source.path) => StyleCache::open(&source.path)?.into(),
        None => opaque(&source.path, size)?.0.into(),
        Some("harbor") => builtin::content(drawn)?.into(),
        Some(name) => self::drawn(source, name, drawn)?.into(),
    })
}

/// A style picture of the program's own.
fn drawn(source: &Source, name: &str, size: usize) -> Result<Tensor> {
    let style = name.parse::<builtin::Style>().map_err(|_| {
        let names = builtin::Style::ALL.map(builtin::Style::name).join(", ");
        UsageError(format!("{}: no such picture; there are harbor, {names}", source.path.display()))
    })?;
    Ok(builtin::style(style, size)?)
}

/// A file's picture laid over the mean colour of what shows of it, and its alpha.
///
/// Whatever colour is hidden where nothing shows, the network would look at it; any that stands out, like white, would be taken for
/// content or style.
fn opaque(path: &Path, size: usize) -> Result<(Tensor, Option<Tensor>)> {
    let (color, alpha) = load_image_alpha(path, &LoadOptions::default())?;
    let Some(alpha) = alpha else {
        return Ok((reduced(color, size)?, None));
    };
    let (_, h, w) = color.dims3()?;
    let (color, alpha) = match within((h, w), size) {
        None => (color, alpha),
        Some((h, w)) => resize_with_alpha(&color, &alpha, h, w, Filter::CatmullRom)?,
    };
    let color = over_mean_color(&color, &alpha)?;
    let nothing = || {
        format!(
            "{}: nothing shows of this picture, it is transparent everywhere; give another",
            path.display()
        )
    };
    Ok((color.with_context(nothing)?, Some(alpha)))
}

/// The brightness of a picture as a mask, (H, W); where it is transparent, it is black.
fn mask(path: &Path, size: usize) -> Result<Tensor> {
    let color = load_image(path, &LoadOptions { background: [0.0; 3], ..LoadOptions::default() })?;
    Ok(gdl_nst::luma(&reduced(color, size)?)?.get(0)?)
}

/// A picture made as small as is of use: what is read is often many times larger, and would be kept to the end.
fn reduced(color: Tensor, size: usize) -> Result<Tensor> {
    let (_, h, w) = color.dims3()?;
    Ok(match within((h, w), size) {
        None => color,
        Some((h, w)) => resize(&color, h, w, Filter::CatmullRom)?,
    })
}

/// Height and width with `size` pixels on the longer side; none where there are no more.
fn within((h, w): (usize, usize), size: usize) -> Option<(usize, usize)> {
    let longer = h.max(w);
    // What is narrow stays as wide as the network needs it, where it is.
    let scaled = |n: usize| ((n as f64 * size as f64 / longer as f64).round() as usize).max(LEAST.min(n));
    (longer > size).then(|| (scaled(h), scaled(w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_reduced_and_never_enlarged() {
        assert_eq!(within((5000, 6000), 512), Some((427, 512)));
        assert_eq!(within((400, 512), 512), None);
        assert_eq!(within((10_000, 20), 500), Some((500, 16)));
        assert_eq!(within((10_000, 3), 500), Some((500, 3)));
    }
}
