//! The command line: global flags and the list of commands. Each command's own flags stand beside its code.

use crate::{
    commands::{bench, check, cyclegan, demo, info, nst, pix2pix, seq2seq, text},
    device::{DeviceName, Precision},
    progress::Verbosity,
};
use clap::{ArgAction, Args, Parser, Subcommand};

/// Paint and write with generative models: train and run them from one program.
#[derive(Debug, Parser)]
#[command(name = "gdl", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where to compute: cpu, cuda, cuda:N or metal
    #[arg(long, global = true, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: DeviceName,
    /// How products are rounded on a GPU: f32; tf32 (f32 sums of products with 10-bit fractions); bf16 (convolutional networks
    /// computed in bfloat16, their weights and losses in f32); f16 (the same in half precision, not for training)
    #[arg(long, global = true, value_name = "HOW", default_value = "f32", hide_possible_values = true)]
    pub(crate) precision: Precision,
    /// Number of CPU threads; 0 uses every core
    #[arg(long, global = true, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(crate) threads: u16,
    /// Say nothing but errors (results still go to the standard output)
    #[arg(long, short, global = true, action = ArgAction::SetTrue, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: settings, sizes, where things come from
    #[arg(long, short, global = true, action = ArgAction::SetTrue)]
    verbose: bool,
}

impl Global {
    /// How much to say.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Paint and write from data inside the program, and show it all on one page
    Demo(demo::DemoArgs),
    /// Neural style transfer: paint one picture in the style of others
    Nst(Box<nst::NstArgs>),
    /// CycleGAN: train on two unpaired folders of pictures, translate between them
    #[command(subcommand)]
    Cyclegan(cyclegan::CycleGanCommand),
    /// pix2pix: train on pairs of pictures, translate, score
    #[command(subcommand)]
    Pix2pix(pix2pix::Pix2PixCommand),
    /// Recurrent language models: train on a text, evaluate, write
    #[command(subcommand)]
    Text(text::TextCommand),
    /// Text in, other text out: train an encoder-decoder on pairs, use it, score it
    #[command(subcommand)]
    Seq2seq(seq2seq::Seq2SeqCommand),
    /// Time one step of each training loop, to compare with other programs doing the same
    Bench(bench::BenchArgs),
    /// Compare every operator on --device with the CPU in double precision, its gradients too
    Check(check::CheckArgs),
    /// Say what this program was built with, and which devices it finds
    Info(info::InfoArgs),
}
