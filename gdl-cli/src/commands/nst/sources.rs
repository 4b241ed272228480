//! The pictures that a style transfer is made of, by name.

use super::args::NstArgs;
use super::hash;
use super::pictures::is_style_cache;
use crate::console::UsageError;
use anyhow::Result;
use gdl_image_io::images_at;
use serde::{Deserialize, Serialize, Serializer};
use std::path::{Path, PathBuf};

/// Pictures that are drawn inside the program are named with this before their name.
const BUILTIN: &str = "builtin:";
/// Stands for no mask where a style's mask is expected.
const NO_MASK: &str = "none";

/// A picture by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// Its path as it was given, or `builtin:NAME`.
    #[serde(serialize_with = "lossy")]
    pub(super) path: PathBuf,
    /// Of the file's bytes, once they have been looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// A style picture, and what was said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StyleSource {
    pub(super) picture: Source,
    pub(super) weight: f64,
    pub(super) scale: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mask: Option<Source>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources {
    pub(super) content: Source,
    pub(super) styles: Vec<StyleSource>,
    /// What was started from, if it was a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) init: Option<Source>,
}

impl Source {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), sha256: None }
    }

    /// The name of a picture that is drawn inside the program.
    pub(super) fn builtin(&self) -> Option<&str> {
        self.path.to_str()?.strip_prefix(BUILTIN)
    }

    /// Looks at the file. False when it is another than the one that was looked at before.
    fn look(&mut self) -> Result<bool> {
        if self.builtin().is_some() {
            return Ok(true);
        }
        let before = self.sha256.replace(hash::of_file(&self.path)?);
        Ok(before.is_none() || before == self.sha256)
    }
}

/// A name that is no Unicode comes out garbled, and is not found again: it is no reason to fail after hours.
pub(super) fn lossy<S: Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl From<Source> for StyleSource {
    fn from(picture: Source) -> Self {
        Self { picture, weight: 1.0, scale: 1.0, mask: None }
    }
}

impl Sources {
    /// That content and what the flags name, and where there is nothing, that of the recipe.
    pub(super) fn new(args: &NstArgs, content: Option<&Path>, recipe: Option<&Self>) -> Result<Self> {
        let content = content.map(Source::new).or_else(|| recipe.map(|r| r.content.clone()));
        let Some(content) = content else {
            return Err(UsageError("nst: give a CONTENT, or a recipe with --like".to_string()).into());
        };
        let init = match args.init() {
            Some(_) => args.start().map(Source::new),
            None => recipe.and_then(|r| r.init.clone()),
        };
        Ok(Self { content, styles: styles(args, recipe.map_or(&[], |r| &r.styles))?, init })
    }

    /// The same with another content, which is looked at.
    pub(super) fn with_content(&self, path: &Path) -> Result<Self> {
        let mut content = Source::new(path);
        content.look()?;
        Ok(Self { content, ..self.clone() })
    }

    /// Looks at every file, and gives the names of those that are not what they were when the recipe was written.
    pub(super) fn look(&mut self) -> Result<Vec<PathBuf>> {
        let mut changed = Vec::new();
        let styles = self.styles.iter_mut().flat_map(|s| [Some(&mut s.picture), s.mask.as_mut()]);
        for source in [Some(&mut self.content), self.init.as_mut()].into_iter().chain(styles).flatten() {
            if !source.look()? && !changed.contains(&source.path) {
                changed.push(source.path.clone());
            }
        }
        Ok(changed)
    }
}

/// The styles: those named, or those of the recipe; with what the flags say of each, or the recipe.
fn styles(args: &NstArgs, recipe: &[StyleSource]) -> Result<Vec<StyleSource>> {
    let flags = &args.styling;
    if let Some(file) = flags.save_style.as_deref().filter(|file| !is_style_cache(file)) {
        let message = format!("--save-style {}: the name must end in .gdlstyle", file.display());
        return Err(UsageError(message).into());
    }
    let mut styles = recipe.to_vec();
    if !args.styles.is_empty() {
        let named = named(args)?;
        if named.len() == recipe.len() {
            styles.iter_mut().zip(named).for_each(|(style, picture)| style.picture = picture);
        } else {
            let said = recipe.iter().any(|s| s.mask.is_some() || (s.weight, s.scale) != (1.0, 1.0));
            if said {
                let message = format!(
                    "--like: its recipe says something of each of {} styles, and {} are given; give as many",
                    recipe.len(),
                    named.len()
                );
                return Err(UsageError(message).into());
            }
            styles = named.into_iter().map(StyleSource::from).collect();
        }
    }
    let count = styles.len();
    let weights = each("--style-weights", &flags.style_weights, count, false)?;
    let scales = each("--style-scale", &flags.style_scale, count, true)?;
    if flags.mask.len() > count {
        let message = format!("--mask: there are {} masks for {count} styles", flags.mask.len());
        return Err(UsageError(message).into());
    }
    for (i, style) in styles.iter_mut().enumerate() {
        style.weight = weights.get(i).copied().unwrap_or(style.weight);
        style.scale = scales.get(i).copied().unwrap_or(style.scale);
        if !flags.mask.is_empty() {
            style.mask = flags.mask.get(i).filter(|m| m.as_os_str() != NO_MASK).map(|m| Source::new(m));
        }
    }
    if !styles.iter().any(|s| s.weight > 0.0) {
        return Err(UsageError("--style-weights: at least one must be above 0".to_string()).into());
    }
    Ok(styles)
}

/// One number for each style, or none at all; where that makes sense one is for all.
fn each(flag: &str, given: &[f64], styles: usize, one_for_all: bool) -> Result<Vec<f64>> {
    match given {
        [one] if one_for_all => Ok(vec![*one; styles]),
        _ if given.is_empty() || given.len() == styles => Ok(given.to_vec()),
        _ => Err(UsageError(format!("{flag}: {} numbers for {styles} styles", given.len())).into()),
    }
}

/// The style pictures that the arguments name, those in folders one by one.
fn named(args: &NstArgs) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for arg in &args.styles {
        let source = Source::new(arg);
        if source.builtin().is_some() {
            sources.push(source);
        } else {
            sources.extend(images_at(arg)?.iter().map(|path| Source::new(path)));
        }
    }
    Ok(sources)
}
