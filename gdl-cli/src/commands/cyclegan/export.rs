//! `gdl cyclegan export`

use super::direction::{DirectionName, open};
use crate::commands::{
    Context, Kind,
    translation::{TrainedArgs, export_onnx},
};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Flags of `gdl cyclegan export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A run's directory, or a generator's file as of pytorch-CycleGAN-and-pix2pix: latest_net_G.pth
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// File for the network
    #[arg(long, value_name = "FILE.onnx")]
    out: PathBuf,
    /// From A to B, or from B to A; of a run [default: ab]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
    #[command(flatten)]
    trained: TrainedArgs,
}

/// Runs `gdl cyclegan export`.
pub(super) fn export(args: &ExportArgs, context: &Context) -> Result<()> {
    Kind::CycleGan.check(&args.run)?;
    let (translator, direction) = open(&args.run, args.direction, &args.trained, context)?;
    export_onnx(&translator, &args.out, direction, context)
}
