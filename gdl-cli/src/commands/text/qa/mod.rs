//! `gdl text qa`: questions about passages, and their answers.

mod ask;
mod data;
mod draw;
mod eval;
mod flags;
mod train;

use crate::commands::{Context, Kind};
use anyhow::Result;
use clap::Subcommand;
use gdl_text::qa::Model;
use std::path::Path;

/// What to do with a question generator.
#[derive(Debug, Subcommand)]
pub(crate) enum QaCommand {
    /// Train a question generator on passages with questions and answers
    Train(Box<train::TrainArgs>),
    /// Find answers in passages, one passage in each line, and write a question for each
    Ask(Box<ask::AskArgs>),
    /// Score a trained model: F1 of answers, BLEU, chrF, ROUGE and perplexity of questions
    Eval(Box<eval::EvalArgs>),
    /// Print stories with questions that are drawn by the program, as a table
    Draw(draw::DrawArgs),
}

/// Runs `gdl text qa …`.
pub(super) fn run(command: &QaCommand, context: &Context) -> Result<()> {
    match command {
        QaCommand::Train(args) => train::train(args, context),
        QaCommand::Ask(args) => ask::ask(args, context),
        QaCommand::Eval(args) => eval::eval(args, context),
        QaCommand::Draw(args) => draw::draw(args),
    }
}

/// The model of a run: with its best weights, where it has some, or with its last.
fn load(run: &Path, last: bool, context: &Context) -> Result<Model> {
    Kind::Qa.check(run)?;
    Ok(Model::load(run, last, &context.device)?)
}
