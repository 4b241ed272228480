//! `gdl text eval`.

use super::{
    super::{Context, values},
    CorpusArgs, corpus, load,
};
use anyhow::Result;
use clap::Args;
use gdl_text::NeuralCache;
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
    /// A text file, a folder, - for standard input, or builtin:fables; read as the training text was
    #[arg(value_name = "FILE")]
    file: String,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Remember the last N tokens, and make likelier what followed the like of the present one (neural cache)
    #[arg(long, value_name = "N", value_parser = values::count)]
    cache: Option<usize>,
    /// How sharply the cache tells alike places from others [default: 0.6625]
    #[arg(long, value_name = "X", value_parser = values::non_negative, requires = "cache")]
    cache_theta: Option<f64>,
    /// The cache's part of the probability [default: 0.1279]
    #[arg(long, value_name = "X", value_parser = values::fraction, requires = "cache")]
    cache_lambda: Option<f64>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    corpus: CorpusArgs,
}

pub(super) fn eval(args: &EvalArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let text = corpus(&args.file, args.corpus.config(model.config().reading.clone()))?;
    let report = match args.cache {
        None => model.eval(&text)?,
        Some(window) => {
            let usual = NeuralCache::default();
            let theta = args.cache_theta.unwrap_or(usual.theta);
            let lambda = args.cache_lambda.unwrap_or(usual.lambda);
            model.eval_with_cache(&text, &NeuralCache { window, theta, lambda })?
        }
    };
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
