//! `gdl cyclegan`: unpaired translation between two sets of pictures.

mod direction;
mod eval;
mod export;
mod train;
mod translate;

use super::{
    Context, Kind,
    translation::{ConvertArgs, convert},
};
use anyhow::Result;
use clap::Subcommand;
use gdl_cyclegan::NETS;

/// What to do with a CycleGAN.
#[derive(Debug, Subcommand)]
pub(crate) enum CycleGanCommand {
    /// Train on two unpaired sets of pictures
    Train(Box<train::TrainArgs>),
    /// Translate pictures with a trained run, or with a generator of pytorch-CycleGAN-and-pix2pix
    Translate(translate::TranslateArgs),
    /// Score a run's translations as sets of pictures (KID, FID), and against their truths where there are any
    Eval(eval::EvalArgs),
    /// Write a run's networks, or one network's file, for pytorch-CycleGAN-and-pix2pix
    Convert(ConvertArgs),
    /// Write a generator as an ONNX file
    Export(export::ExportArgs),
}

/// Runs `gdl cyclegan …`.
pub(crate) fn run(command: &CycleGanCommand, context: &Context) -> Result<()> {
    match command {
        CycleGanCommand::Train(args) => train::train(args, context),
        CycleGanCommand::Translate(args) => translate::translate(args, context),
        CycleGanCommand::Eval(args) => eval::eval(args, context),
        CycleGanCommand::Convert(args) => convert(args, Kind::CycleGan, &NETS, context),
        CycleGanCommand::Export(args) => export::export(args, context),
    }
}
