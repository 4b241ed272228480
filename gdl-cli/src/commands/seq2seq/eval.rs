//! `gdl seq2seq eval`.

use super::{data::pairs, load, writing::WritingArgs};
use crate::commands::Context;
use anyhow::Result;
use clap::Args;
use gdl_text::drawn::DrawnPart;
use gdl_text::metrics::Scores;
use gdl_text::seq2seq::{Model, Pairs};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Flags of `gdl seq2seq eval`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct EvalArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pairs, a source, a tab and a target in each line; - for standard input; builtin:TASK for pairs of a drawn task that
    /// are in no training
    #[arg(value_name = "PAIRS")]
    pairs: String,
    /// Keep what was written in this file, a text in each line
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    writing: WritingArgs,
}

/// All that is known of how a model does on pairs.
#[derive(Debug, Serialize)]
struct Report {
    pairs: usize,
    target_tokens: usize,
    /// Those that the model can neither generate nor copy.
    unknown: usize,
    loss: f64,
    perplexity: f64,
    /// Unknown tokens that were written.
    unknown_written: usize,
    #[serde(flatten)]
    scores: Scores,
}

pub(super) fn eval(args: &EvalArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let pairs = pairs(&args.pairs, DrawnPart::Test)?;
    let written = model.write(&pairs.sources(), &args.writing.config(1))?;
    let (texts, tokens): (Vec<String>, Vec<Vec<String>>) =
        written.into_iter().filter_map(|all| all.into_iter().next()).map(|w| (w.text, w.tokens)).unzip();
    if let Some(path) = &args.write {
        let lines: String = texts.iter().map(|text| text.clone() + "\n").collect();
        gdl_train::atomic_write_bytes(path, lines)?;
    }
    let report = report(&model, &pairs, &texts, &tokens)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    let Report { scores, .. } = &report;
    writeln!(out, "pairs           {}", report.pairs)?;
    writeln!(out, "exact           {:.2}%", 100.0 * scores.exact_match)?;
    writeln!(out, "tokens right    {:.2}%", 100.0 * scores.token_accuracy)?;
    writeln!(
        out,
        "BLEU            {:.2} (sacrebleu 13a; brevity penalty {:.3})",
        scores.bleu.score, scores.bleu.brevity_penalty
    )?;
    writeln!(out, "chrF2           {:.2}", scores.chrf)?;
    let rouge = &scores.rouge;
    writeln!(out, "ROUGE 1, 2, L   {:.2}, {:.2}, {:.2}", rouge.rouge1, rouge.rouge2, rouge.rouge_l)?;
    writeln!(out, "perplexity      {:.3} ({:.4} nats per token)", report.perplexity, report.loss)?;
    writeln!(
        out,
        "unknown tokens  {} of {} to be written, {} written",
        report.unknown, report.target_tokens, report.unknown_written
    )?;
    Ok(())
}

fn report(model: &Model, pairs: &Pairs, texts: &[String], tokens: &[Vec<String>]) -> Result<Report> {
    let references = pairs.targets();
    let wanted = references.iter().map(|t| model.shown_target(t)).collect::<Result<Vec<_>, _>>()?;
    let likelihood = model.likelihood(pairs.rows())?;
    Ok(Report {
        pairs: references.len(),
        target_tokens: likelihood.tokens,
        unknown: likelihood.unknown,
        loss: likelihood.loss,
        perplexity: likelihood.perplexity,
        unknown_written: model.unknown_among(tokens),
        scores: Scores::of(texts, &references, tokens, &wanted)?,
    })
}
