//! `gdl text eval`.

use super::{
    super::{Context, Kind},
    corpus,
};
use anyhow::Result;
use clap::Args;
use gdl_text::TextModel;
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Flags of `gdl text eval`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct EvalArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A UTF-8 text file, or builtin:fables
    #[arg(value_name = "FILE")]
    file: String,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn eval(args: &EvalArgs, context: &Context) -> Result<()> {
    Kind::Text.check(&args.run)?;
    let model = TextModel::load(&args.run, &context.device)?;
    let report = model.eval(&corpus(&args.file)?)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(out, "tokens         {} ({} unknown)", report.tokens, report.unknown)?;
        writeln!(out, "loss           {:.4} nats per token", report.loss)?;
        writeln!(out, "perplexity     {:.3}", report.perplexity)?;
        writeln!(out, "bits per char  {:.4}", report.bits_per_char)?;
    }
    Ok(())
}
