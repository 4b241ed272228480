//! `gdl text qa eval`.

use super::{data::questions, load};
use crate::commands::{Context, seq2seq::WritingArgs, values};
use anyhow::Result;
use clap::Args;
use gdl_text::drawn::DrawnPart;
use gdl_text::metrics::Scores;
use gdl_text::qa::{AskConfig, Evaluation};
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Flags of `gdl text qa eval`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct EvalArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A table with the columns story_text, question and answer_token_ranges; - for standard input; builtin:stories for drawn stories
    /// that are in no training
    #[arg(value_name = "STORIES")]
    stories: String,
    /// Words that are part of an answer with more than this probability are taken for one; where there are none, the likeliest is
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = values::probability)]
    threshold: f64,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    writing: WritingArgs,
}

pub(super) fn eval(args: &EvalArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let questions = questions(&args.stories, DrawnPart::Test)?;
    let config = AskConfig { threshold: args.threshold, write: args.writing.config(1) };
    let scores = model.evaluate(&questions, &config)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&scores)?)?;
        return Ok(());
    }
    table(&scores, &mut out)
}

fn table(scores: &Evaluation, out: &mut impl Write) -> Result<()> {
    let Evaluation { tags, spans, given, found, .. } = scores;
    writeln!(out, "questions           {}", scores.questions)?;
    writeln!(
        out,
        "words of answers    F1 {:.4}, precision {:.4}, recall {:.4} ({:.4} nats per word)",
        tags.f1, tags.precision, tags.recall, scores.tag_loss
    )?;
    writeln!(out, "answers by passage  F1 {:.4}, exact {:.2}%", spans.f1, 100.0 * spans.exact)?;
    writeln!(out, "perplexity          {:.3} ({:.4} nats per word)", scores.perplexity, scores.loss)?;
    let (unknown, all, written) = (scores.unknown, scores.question_words, scores.unknown_written);
    writeln!(out, "unknown words       {unknown} of {all} to be written, {written} written")?;
    writeln!(out, "questions for             right answers  found answers")?;
    let row = |name: &str, value: fn(&Scores) -> f64| {
        format!("  {name:<23} {:>13.2}  {:>13.2}", value(given), value(found))
    };
    for line in [
        row("exact, %", |s| 100.0 * s.exact_match),
        row("words right, %", |s| 100.0 * s.token_accuracy),
        row("BLEU (sacrebleu 13a)", |s| s.bleu.score),
        row("chrF2", |s| s.chrf),
        row("ROUGE-1", |s| s.rouge.rouge1),
        row("ROUGE-2", |s| s.rouge.rouge2),
        row("ROUGE-L", |s| s.rouge.rouge_l),
    ] {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
