//! `gdl cyclegan translate`

use super::direction::{DirectionName, open};
use crate::commands::{
    Context, Kind,
    translation::{Pictures, TileArgs, TrainedArgs},
};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

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
    #[command(flatten)]
    tiles: TileArgs,
    /// From A to B, or from B to A; of a run [default: ab]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
    #[command(flatten)]
    trained: TrainedArgs,
}

/// Runs `gdl cyclegan translate`.
pub(super) fn translate(args: &TranslateArgs, context: &Context) -> Result<()> {
    Kind::CycleGan.check(&args.run)?;
    let pictures = Pictures::plan(&args.inputs, &args.out)?;
    let (translator, _) = open(&args.run, args.direction, &args.trained, context)?;
    pictures.translate(&translator, &args.tiles, context)
}
