//! One module per command: its flags, and the library calls they turn into.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod cyclegan;
pub(crate) mod demo;
pub(crate) mod info;
pub(crate) mod nst;
pub(crate) mod pix2pix;
mod run_place;
pub(crate) mod seq2seq;
pub(crate) mod text;
mod translation;
pub(crate) mod values;
mod vgg;

use crate::{
    cli::{Cli, Command, Global},
    console::UsageError,
    device::{self, Precision},
};
use anyhow::Result;
use run_place::{Kind, RunPlace};

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<()> {
    device::set_threads(cli.global.threads.into())?;
    let descends = descends(&cli.command);
    // Opened by those who compute: what `info` says matters most where the device does not open.
    let context = || Context::open(&cli.global, descends);
    match cli.command {
        Command::Demo(args) => demo::run(&args, &context()?),
        Command::Nst(args) => nst::run(&args, &context()?),
        Command::Cyclegan(command) => cyclegan::run(&command, &context()?),
        Command::Pix2pix(command) => pix2pix::run(&command, &context()?),
        Command::Text(command) => text::run(&command, &context()?),
        Command::Seq2seq(command) => seq2seq::run(&command, &context()?),
        Command::Bench(args) => bench::run(&args, &context()?),
        Command::Check(args) => check::run(&args, &context()?),
        Command::Info(args) => info::run(&args),
    }
}

/// Whether a command follows gradients through a convolutional network.
fn descends(command: &Command) -> bool {
    matches!(
        command,
        Command::Nst(_)
            | Command::Cyclegan(cyclegan::CycleGanCommand::Train(_))
            | Command::Pix2pix(pix2pix::Pix2PixCommand::Train(_))
    )
}

/// What the global flags come to.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) device: candle_core::Device,
    pub(crate) verbosity: crate::progress::Verbosity,
}

impl Context {
    /// Opens the device, for a command that follows gradients or for another.
    fn open(global: &Global, descends: bool) -> Result<Self> {
        let device = global.device.open()?;
        if global.precision == Precision::F16 && descends {
            let message = "--precision f16: gradients below 6e-8 would be lost; train in bf16, whose range is that of f32";
            return Err(UsageError(message.into()).into());
        }
        global.precision.set(&device)?;
        Ok(Self { device, verbosity: global.verbosity() })
    }
}
