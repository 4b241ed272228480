//! `gdl cyclegan translate`

use crate::{
    commands::{Context, Kind},
    console::UsageError,
    progress::Progress,
};
use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use gdl_cyclegan::{Direction, Translator};
use gdl_image_io::{EXTENSIONS, LoadOptions, check_writable, images_at, load_image, save_image};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DirectionName {
    #[value(alias = "AtoB")]
    Ab,
    #[value(alias = "BtoA")]
    Ba,
}

/// Flags of `gdl cyclegan translate`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TranslateArgs {
    /// A run's directory, or a generator's file as of pytorch-CycleGAN-and-pix2pix: latest_net_G.pth
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pictures, or directories of pictures
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Directory for the results; file names are kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// From A to B, or from B to A; of a run [default: ab]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
}

/// Runs `gdl cyclegan translate`.
pub(super) fn translate(args: &TranslateArgs, context: &Context) -> Result<()> {
    Kind::CycleGan.check(&args.run)?;
    let jobs = plan(&args.inputs, &args.out)?;
    let translator = open(args, context)?;
    std::fs::create_dir_all(&args.out).with_context(|| {
        format!("{}: cannot make this directory; choose another --out", args.out.display())
    })?;
    let mut progress = Progress::new(context.verbosity, "translate", jobs.len() as u64);
    for output in jobs.keys() {
        check_writable(output)?;
    }
    for (done, (output, input)) in jobs.iter().enumerate() {
        let picture = load_image(input, &LoadOptions::default())?;
        save_image(&translator.translate(&picture)?, output)?;
        progress.at(done as u64 + 1, output.display().to_string());
    }
    progress.finish();
    context.verbosity.say(format_args!("{}: {} pictures", args.out.display(), jobs.len()));
    Ok(())
}

/// The generator of a run, or of a file.
fn open(args: &TranslateArgs, context: &Context) -> Result<Translator> {
    if args.run.is_file() {
        if args.direction.is_some() {
            let message = format!("{}: a file holds one network; leave --direction out", args.run.display());
            return Err(UsageError(message).into());
        }
        return Ok(Translator::open(&args.run, &context.device)?);
    }
    let direction = match args.direction {
        Some(DirectionName::Ba) => Direction::BtoA,
        Some(DirectionName::Ab) | None => Direction::AtoB,
    };
    Ok(Translator::load(&args.run, direction, &context.device)?)
}

/// Which input goes to which output. Everything that can be known before the first translation is checked here.
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

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
