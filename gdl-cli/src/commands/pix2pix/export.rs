//! `gdl pix2pix export`

use super::translate::open;
use crate::commands::{
    Context, Kind,
    translation::{TrainedArgs, export_onnx},
};
use anyhow::Result;
use clap::Args;
use gdl_cyclegan::Pix2PixTrainerConfig;
use gdl_train::RunDir;
use std::path::PathBuf;

/// Flags of `gdl pix2pix export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A run's directory, or a generator's file as of pytorch-CycleGAN-and-pix2pix: latest_net_G.pth
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// File for the network
    #[arg(long, value_name = "FILE.onnx")]
    out: PathBuf,
    #[command(flatten)]
    trained: TrainedArgs,
}

/// Runs `gdl pix2pix export`.
pub(super) fn export(args: &ExportArgs, context: &Context) -> Result<()> {
    Kind::Pix2Pix.check(&args.run)?;
    let translator = open(&args.run, &args.trained, context)?;
    let direction = match args.run.is_file() {
        true => None,
        false => Some(RunDir::open(&args.run)?.config::<Pix2PixTrainerConfig>()?.data.direction),
    };
    export_onnx(&translator, &args.out, direction, context)
}
