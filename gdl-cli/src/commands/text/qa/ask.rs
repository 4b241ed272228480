//! `gdl text qa ask`.

use super::load;
use crate::commands::{
    Context,
    seq2seq::{WritingArgs, in_chunks},
    values,
};
use anyhow::Result;
use clap::Args;
use gdl_text::qa::{AskConfig, Asked};
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Flags of `gdl text qa ask`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct AskArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A file with a passage in each line, or - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    /// Words that are part of an answer with more than this probability are taken for one; where there are none, the likeliest is
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = values::probability)]
    threshold: f64,
    /// Write the N likeliest questions that the beams find for each answer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count, requires = "beam")]
    n_best: usize,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Print one JSON object per passage: passage, and its answers with their places, probabilities and questions
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    writing: WritingArgs,
}

pub(super) fn ask(args: &AskArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let config = AskConfig { threshold: args.threshold, write: args.writing.config(args.n_best) };
    let (longest, mut longer) = (model.longest_passage(), 0);
    in_chunks(&args.file, |passages| {
        longer += passages.iter().filter(|text| text.split_whitespace().count() > longest).count();
        print(args.json, passages, &model.ask(passages, &config)?)
    })?;
    if longer > 0 {
        context.verbosity.say(format_args!(
            "{longer} passage(s) have more than the {longest} words of the longest that the model learned from: expect less of them"
        ));
    }
    Ok(())
}

/// A line with answer and question for each question, and an empty one behind each passage.
fn print(json: bool, passages: &[String], asked: &[Vec<Asked>]) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (passage, asked) in passages.iter().zip(asked) {
        if json {
            writeln!(out, "{}", serde_json::json!({ "passage": passage, "asked": asked }))?;
            continue;
        }
        for asked in asked {
            for question in &asked.questions {
                writeln!(out, "{}\t{}", asked.answer, question.text)?;
            }
        }
        writeln!(out)?;
    }
    Ok(out.flush()?)
}
