//! What an interrupted style transfer leaves beside its picture, and what `--resume` goes on from.

use super::recipe::Recipe;
use anyhow::{Context as _, Result, bail};
use candle_core::Device;
use gdl_nst::TransferState;
use gdl_train::{load_tensors, save_tensors};
use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

const RECIPE: &str = "recipe";
const PROGRESS: &str = "progress";
const FOLDER: &str = "folder";
const NO_RECIPE: &str = "no_recipe";

/// A style transfer that was stopped on its way.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) recipe: Recipe,
    /// Whether the PNG is to be without it.
    pub(super) no_recipe: bool,
    pub(super) state: TransferState,
    /// Where the program was run, and the paths of the recipe begin.
    pub(super) folder: PathBuf,
}

/// The file beside `out`.
pub(super) fn path_beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_os_string();
    name.push(".state");
    name.into()
}

impl Saved {
    /// Writes it beside `out`: a `.safetensors` file, whole or not at all.
    pub(super) fn write(out: &Path, recipe: &Recipe, no_recipe: bool, state: &TransferState) -> Result<()> {
        let folder = std::env::current_dir().unwrap_or_default();
        let metadata = BTreeMap::from([
            (RECIPE.to_string(), recipe.to_json()?),
            (PROGRESS.to_string(), serde_json::to_string(&state.progress)?),
            (FOLDER.to_string(), folder.to_string_lossy().into_owned()),
            (NO_RECIPE.to_string(), no_recipe.to_string()),
        ]);
        Ok(save_tensors(path_beside(out), &state.tensors, &metadata)?)
    }

    /// What was left beside `out`.
    pub(super) fn open(out: &Path) -> Result<Self> {
        let path = path_beside(out);
        if !path.exists() {
            bail!(
                "--resume: there is no {}, as an interrupted run leaves it; check --out, or begin without --resume",
                path.display()
            )
        }
        let (tensors, metadata) = load_tensors(&path, &Device::Cpu).context("--resume")?;
        let text = |key: &str| {
            let damaged =
                || format!("--resume: {} was not written by gdl nst: it has no {key}", path.display());
            metadata.get(key).with_context(damaged)
        };
        let unreadable = || format!("--resume: {}", path.display());
        Ok(Self {
            recipe: Recipe::from_json(text(RECIPE)?).with_context(unreadable)?,
            no_recipe: text(NO_RECIPE)? == "true",
            state: TransferState {
                progress: serde_json::from_str(text(PROGRESS)?).with_context(unreadable)?,
                tensors,
            },
            folder: text(FOLDER)?.into(),
        })
    }

    /// Removes what is beside `out`, where there is something: the picture is done.
    pub(super) fn remove(out: &Path) -> Result<()> {
        remove_if_there(&path_beside(out))
    }
}

/// Removes a file that has served, where there is one.
pub(super) fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).with_context(|| format!("{}: cannot be removed; it is of no use any more", path.display()))
        }
        _ => Ok(()),
    }
}
