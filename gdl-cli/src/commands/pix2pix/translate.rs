//! `gdl pix2pix translate`

use crate::commands::{
    Context, Kind,
    translation::{Pictures, TileArgs, TrainedArgs},
};
use anyhow::Result;
use clap::Args;
use gdl_cyclegan::Translator;
use std::path::{Path, PathBuf};

/// Flags of `gdl pix2pix translate`.
#[derive(Debug, Args)]
pub(crate) struct TranslateArgs {
    /// A run's directory, or a generator's file as of pytorch-CycleGAN-and-pix2pix: latest_net_G.pth
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pictures to translate (not pairs), or directories of pictures
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Directory for the results; file names are kept, and 16 bits where a format has them
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    tiles: TileArgs,
    #[command(flatten)]
    trained: TrainedArgs,
}

/// Runs `gdl pix2pix translate`.
pub(super) fn translate(args: &TranslateArgs, context: &Context) -> Result<()> {
    Kind::Pix2Pix.check(&args.run)?;
    let pictures = Pictures::plan(&args.inputs, &args.out)?;
    pictures.translate(&open(&args.run, &args.trained, context)?, &args.tiles, context)
}

/// The generator of a run, or of a file.
pub(super) fn open(run: &Path, trained: &TrainedArgs, context: &Context) -> Result<Translator> {
    let weights = trained.weights_of(run)?;
    Ok(trained.normed(match run.is_file() {
        true => Translator::open(run, &context.device)?,
        false => Translator::load_pix2pix_with(run, weights, &context.device)?,
    }))
}
