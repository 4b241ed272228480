//! `gdl cyclegan translate`

use crate::{
    commands::{Context, Kind, translation::Pictures},
    console::UsageError,
};
use anyhow::Result;
use clap::{Args, ValueEnum};
use gdl_cyclegan::{Direction, Translator};
use std::path::PathBuf;

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
    /// Directory for the results; file names are kept, and 16 bits where a format has them
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// From A to B, or from B to A; of a run [default: ab]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
}

/// Runs `gdl cyclegan translate`.
pub(super) fn translate(args: &TranslateArgs, context: &Context) -> Result<()> {
    Kind::CycleGan.check(&args.run)?;
    let pictures = Pictures::plan(&args.inputs, &args.out)?;
    pictures.translate(&open(args, context)?, context)
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
