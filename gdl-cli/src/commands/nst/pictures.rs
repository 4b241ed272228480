//! The pictures of `gdl nst`: files, folders, and those drawn inside the program.

use super::args::NstArgs;
use crate::console::UsageError;
use anyhow::Result;
use candle_core::Tensor;
use gdl_image_io::{LoadOptions, images_at, load_image};
use gdl_nst::{Style, builtin};
use std::path::{Path, PathBuf};

/// Pictures that are drawn inside the program are named with this before their name.
const BUILTIN: &str = "builtin:";
/// Stands for no mask where a style's mask is expected.
const NO_MASK: &str = "none";

/// Reads a picture, or draws one of the program's own with `size` pixels on the longer side.
pub(super) fn picture(path: &Path, size: usize) -> Result<Tensor> {
    let Some(name) = builtin_name(path) else {
        return Ok(load_image(path, &LoadOptions::default())?);
    };
    if name == "harbor" {
        return Ok(builtin::content(size)?);
    }
    let style = name.parse::<builtin::Style>().map_err(|_| {
        let names = builtin::Style::ALL.map(builtin::Style::name).join(", ");
        UsageError(format!("{BUILTIN}{name}: no such picture; there are harbor, {names}"))
    })?;
    Ok(builtin::style(style, size)?)
}

/// The style pictures with what the flags say of each.
pub(super) fn styles(args: &NstArgs) -> Result<Vec<Style>> {
    let paths = style_paths(&args.styles)?;
    let flags = &args.styling;
    let weights = each("--style-weights", &flags.style_weights, paths.len(), false)?;
    let scales = each("--style-scale", &flags.style_scale, paths.len(), true)?;
    if !weights.iter().any(|w| *w > 0.0) {
        return Err(UsageError("--style-weights: at least one must be above 0".to_string()).into());
    }
    if flags.mask.len() > paths.len() {
        let message = format!("--mask: there are {} masks for {} styles", flags.mask.len(), paths.len());
        return Err(UsageError(message).into());
    }
    let mut styles = Vec::with_capacity(paths.len());
    for (i, path) in paths.iter().enumerate() {
        let mask = flags.mask.get(i).filter(|m| m.as_os_str() != NO_MASK);
        styles.push(Style {
            weight: weights[i],
            scale: scales[i],
            mask: mask.map(|m| self::mask(m)).transpose()?,
            ..Style::from(picture(path, args.size)?)
        });
    }
    Ok(styles)
}

/// One number for each style; none at all are ones, and where that makes sense one is for all.
fn each(flag: &str, given: &[f64], styles: usize, one_for_all: bool) -> Result<Vec<f64>> {
    match given {
        [] => Ok(vec![1.0; styles]),
        [one] if one_for_all => Ok(vec![*one; styles]),
        _ if given.len() == styles => Ok(given.to_vec()),
        _ => Err(UsageError(format!("{flag}: {} numbers for {styles} styles", given.len())).into()),
    }
}

/// A picture's brightness, (H, W).
fn mask(path: &Path) -> Result<Tensor> {
    Ok(gdl_nst::luma(&load_image(path, &LoadOptions::default())?)?.get(0)?)
}

fn style_paths(args: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for arg in args {
        if builtin_name(arg).is_some() {
            paths.push(arg.clone());
        } else {
            paths.extend(images_at(arg)?);
        }
    }
    Ok(paths)
}

fn builtin_name(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(BUILTIN)
}
