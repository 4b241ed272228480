//! `gdl pix2pix`: translation learnt from pairs of pictures.

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
use gdl_cyclegan::PIX2PIX_NETS;

/// What to do with a pix2pix.
#[derive(Debug, Subcommand)]
pub(crate) enum Pix2PixCommand {
    /// Train on pairs of pictures
    Train(Box<train::TrainArgs>),
    /// Translate pictures with a trained run, or with a generator of pytorch-CycleGAN-and-pix2pix
    Translate(translate::TranslateArgs),
    /// Score a run's translations of pairs against their truths: PSNR and SSIM; as sets of pictures: KID and FID
    Eval(eval::EvalArgs),
    /// Write a run's networks, or one network's file, for pytorch-CycleGAN-and-pix2pix
    Convert(ConvertArgs),
    /// Write the generator as an ONNX file
    Export(export::ExportArgs),
}

/// Runs `gdl pix2pix …`.
pub(crate) fn run(command: &Pix2PixCommand, context: &Context) -> Result<()> {
    match command {
        Pix2PixCommand::Train(args) => train::train(args, context),
        Pix2PixCommand::Translate(args) => translate::translate(args, context),
        Pix2PixCommand::Eval(args) => eval::eval(args, context),
        Pix2PixCommand::Convert(args) => convert(args, Kind::Pix2Pix, &PIX2PIX_NETS, context),
        Pix2PixCommand::Export(args) => export::export(args, context),
    }
}
