//! `gdl text generate`.

use super::{
    super::{Context, values},
    load,
};
use anyhow::Result;
use clap::Args;
use gdl_text::GenerateConfig;
use std::{
    io::{self, Write},
    ops::ControlFlow,
    path::PathBuf,
};

/// Flags of `gdl text generate`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct GenerateArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Text to go on from [default: a line end]
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Number of tokens to write
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = values::count)]
    length: usize,
    /// 0 always takes the likeliest token; 1 draws from the model's own distribution
    #[arg(long, value_name = "T", default_value_t = 0.7, value_parser = values::non_negative)]
    temperature: f64,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

pub(super) fn generate(args: &GenerateArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let config = GenerateConfig {
        prompt: args.prompt.clone(),
        length: args.length,
        temperature: args.temperature,
        seed: args.seed,
        ..GenerateConfig::default()
    };
    let mut out = io::stdout().lock();
    // The prompt is written once the model has accepted it: with the first piece.
    let (mut started, mut failed) = (false, Ok(()));
    model.generate(&config, |piece| {
        let head = if started { "" } else { args.prompt.as_str() };
        started = true;
        failed = write!(out, "{head}{piece}").and_then(|()| out.flush());
        if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    failed?;
    writeln!(out)?;
    Ok(())
}
