//! Pictures to be translated: which input goes to which output.

use crate::{
    commands::{Context, values},
    progress::Progress,
};
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use gdl_cyclegan::{Tiles, Translator};
use gdl_image_io::{
    EXTENSIONS, LoadOptions, SaveOptions, check_writable, image_depth, images_at, load_image, save_image_with,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// How much of a picture is in memory at once.
#[derive(Debug, Args)]
pub(crate) struct TileArgs {
    /// Translate in tiles of N pixels a side, for pictures larger than memory: 2.5 GiB for the network's maps, the rest in a
    /// temporary file. The result is the same, up to rounding; 512 is a good size [default: the whole picture at once]
    #[arg(long, value_name = "N", value_parser = values::side)]
    tile: Option<usize>,
}

/// Outputs with the inputs that they come from.
#[derive(Debug)]
pub(crate) struct Pictures {
    out: PathBuf,
    jobs: BTreeMap<PathBuf, PathBuf>,
}

impl Pictures {
    /// Pairs the inputs with files of their names in `out`. Everything that can be known before the first translation is
    /// checked here.
    pub(crate) fn plan(inputs: &[PathBuf], out: &Path) -> Result<Self> {
        Ok(Self { out: out.to_path_buf(), jobs: plan(inputs, out)? })
    }

    /// Translates them all.
    pub(crate) fn translate(
        &self,
        translator: &Translator,
        tiles: &TileArgs,
        context: &Context,
    ) -> Result<()> {
        let (out, jobs) = (&self.out, &self.jobs);
        std::fs::create_dir_all(out).with_context(|| {
            format!("{}: cannot make this directory; choose another --out", out.display())
        })?;
        let mut progress = Progress::new(context.verbosity, "translate", jobs.len() as u64);
        for output in jobs.keys() {
            check_writable(output)?;
        }
        for (done, (output, input)) in jobs.iter().enumerate() {
            let picture = load_image(input, &LoadOptions::default())?;
            let options = SaveOptions { depth: image_depth(input)?, ..SaveOptions::default() };
            let translated = match tiles.tile {
                Some(side) => translator.translate_tiled_with(&picture, &Tiles::new(side), |share| {
                    progress.at(done as u64, format!("{} {:.0}%", output.display(), 100.0 * share));
                }),
                None => translator.translate(&picture),
            };
            save_image_with(&translated.with_context(|| input.display().to_string())?, output, &options)?;
            progress.at(done as u64 + 1, output.display().to_string());
        }
        progress.finish();
        context.verbosity.say(format_args!("{}: {} pictures", out.display(), jobs.len()));
        Ok(())
    }
}

fn plan(inputs: &[PathBuf], out: &Path) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut jobs = BTreeMap::<PathBuf, PathBuf>::new();
    for input in inputs {
        for path in images_at(input)? {
            // To its end: reading costs little beside translating, and a damaged file is better found now than after hours.
            load_image(&path, &LoadOptions::default())?;
            let name = path.file_name().with_context(|| format!("{}: has no file name", path.display()))?;
            let output = out.join(name);
            ensure!(
                has_written_extension(&output),
                "{}: its translation would have this name, whose extension is none of {}; rename it",
                path.display(),
                EXTENSIONS.join(", ")
            );
            ensure!(
                !same_file(&path, &output),
                "{}: would be overwritten by its translation; choose another --out",
                path.display()
            );
            if let Some(other) = jobs.insert(output, path.clone()) {
                anyhow::bail!(
                    "{} and {} have the same name and would become one file; translate them into different directories",
                    other.display(),
                    path.display()
                );
            }
        }
    }
    Ok(jobs)
}

/// Whether the name ends as those of the formats do that can be written.
fn has_written_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// Whether two paths name one file that is there.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
