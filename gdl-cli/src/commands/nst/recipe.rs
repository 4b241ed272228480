//! The recipe of a picture: everything that it came of, kept in the PNG itself.

use super::sources::{Sources, lossy};
use anyhow::{Context as _, Result, bail};
use gdl_image_io::{BitDepth, png_text};
use gdl_nst::NstConfig;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The key of the recipe among a PNG's texts.
pub(super) const KEY: &str = "gdl-nst";
/// This program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a picture of `gdl nst` came of, as JSON under [`KEY`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The version of the program.
    pub(super) gdl: String,
    /// What it was computed on; another gives the same picture but for rounding.
    pub(super) device: String,
    pub(super) sources: Sources,
    pub(super) network: Network,
    /// With the seed.
    pub(super) settings: NstConfig,
    /// Bits of a sample, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bit_depth: Option<u8>,
    /// Steps done, where the picture is not what comes of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unfinished_after: Option<usize>,
    /// Where it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) film: Option<Film>,
}

/// A film, or a folder of pictures that are none, and a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Film {
    /// The folder or pattern.
    #[serde(serialize_with = "lossy")]
    pub(super) content: PathBuf,
    /// Whether each picture is painted by itself.
    pub(super) separate: bool,
    /// The number of the picture, from 1; of an interrupted film the last that was done, or 0.
    pub(super) frame: usize,
}

/// The network that looked at the pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// Its name or file, as under `--weights`.
    pub(super) weights: String,
    /// As under `--preprocess`, where that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) preprocess: Option<String>,
    /// See [`of_network`](super::hash::of_network).
    pub(super) sha256: String,
}

impl Recipe {
    /// The recipe in a PNG.
    pub(super) fn of_picture(path: &Path) -> Result<Self> {
        let Some(json) = png_text(path, KEY).context("--like")? else {
            bail!(
                "--like: {}: holds no recipe; name a PNG as gdl nst wrote it (other programs and formats drop it)",
                path.display()
            )
        };
        Self::from_json(&json).with_context(|| format!("--like: {}", path.display()))
    }

    /// Reads a recipe.
    pub(super) fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).with_context(|| {
            // The version alone can be read of a recipe with settings that are not known here.
            let by = serde_json::from_str::<serde_json::Value>(json).ok();
            let by = by.and_then(|r| Some(r.get("gdl")?.as_str()?.to_string()));
            let by = by.map_or(String::new(), |version| format!(" of gdl {version}"));
            format!("the recipe{by} cannot be read by gdl {VERSION}")
        })
    }

    pub(super) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// The depth of what is painted of a content of that depth.
    pub(super) fn depth(&self, content: BitDepth) -> BitDepth {
        match self.bit_depth {
            None => content,
            Some(16) => BitDepth::Sixteen,
            Some(_) => BitDepth::Eight,
        }
    }
}
