//! What a film that is not finished leaves in its folder, and what `--resume` goes on from.

use super::recipe::Recipe;
use super::saved::remove_if_there;
use anyhow::{Context as _, Result, bail};
use gdl_train::atomic_write_bytes;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How far a film is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unfinished {
    /// With the last frame that is done, and the first frame as the content.
    pub(super) recipe: Recipe,
    /// Whether the PNGs are to be without it.
    pub(super) no_recipe: bool,
    /// Where the program was run, and the paths of the recipe begin.
    pub(super) folder: PathBuf,
}

/// The file in the folder `out`.
fn path_in(out: &Path) -> PathBuf {
    out.join("film.state")
}

impl Unfinished {
    /// Writes it into `out`, whole or not at all.
    pub(super) fn write(&self, out: &Path) -> Result<()> {
        Ok(atomic_write_bytes(path_in(out), serde_json::to_vec(self)?)?)
    }

    /// What was left in `out`.
    pub(super) fn open(out: &Path) -> Result<Self> {
        let path = path_in(out);
        if !path.exists() {
            bail!(
                "--resume: there is no {}, as an interrupted film leaves it; check --out, or begin without --resume",
                path.display()
            )
        }
        let unreadable = || format!("--resume: {}", path.display());
        let json = std::fs::read_to_string(&path).with_context(unreadable)?;
        let left: Self = serde_json::from_str(&json)
            .with_context(|| format!("--resume: {}: was not written by this gdl nst", path.display()))?;
        if left.recipe.film.is_none() {
            bail!("--resume: {}: is of no film", path.display())
        }
        Ok(left)
    }

    /// Removes what is in `out`, where there is something: the film is done.
    pub(super) fn remove(out: &Path) -> Result<()> {
        remove_if_there(&path_in(out))
    }
}
