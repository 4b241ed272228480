//! `gdl cyclegan convert` and `gdl pix2pix convert`

use super::WhichArgs;
use crate::commands::{Context, Kind};
use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use gdl_cyclegan::NetFile;
use gdl_train::RunDir;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Pth,
    Safetensors,
}

/// Flags of both.
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// A run's directory, or the file of one network: .pth or .safetensors
    #[arg(value_name = "RUN")]
    input: PathBuf,
    /// For a run, a directory for latest_net_….pth of each network; for a file, a file that ends in .pth or .safetensors
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// Format of a run's files
    #[arg(long, value_enum, default_value_t = Format::Pth)]
    format: Format,
    #[command(flatten)]
    which: WhichArgs,
}

/// Writes the networks of a run of that kind, or one network's file, for the reference.
pub(crate) fn convert(args: &ConvertArgs, kind: Kind, nets: &[&str], context: &Context) -> Result<()> {
    let (input, output) = (&args.input, &args.output);
    let weights = args.which.of(input)?;
    if input.is_file() {
        ensure!(
            !output.is_dir(),
            "{}: is a directory; name a file for the converted network",
            output.display()
        );
        NetFile::open(input)?.save(output)?;
        context.verbosity.say(format_args!("{}: 1 network", output.display()));
        return Ok(());
    }
    kind.check(input)?;
    let run = RunDir::open(input)?;
    // All of them first: a run without one leaves nothing behind.
    let nets = nets.iter().map(|net| NetFile::of_run_with(&run, weights, net).map(|file| (net, file)));
    let nets = nets.collect::<Result<Vec<_>, _>>()?;
    std::fs::create_dir_all(output)
        .with_context(|| format!("{}: cannot make this directory; choose another OUT", output.display()))?;
    let extension = match args.format {
        Format::Pth => "pth",
        Format::Safetensors => "safetensors",
    };
    for (net, file) in &nets {
        file.save(output.join(format!("latest_{net}.{extension}")))?;
    }
    context.verbosity.say(format_args!("{}: {} networks", output.display(), nets.len()));
    Ok(())
}
