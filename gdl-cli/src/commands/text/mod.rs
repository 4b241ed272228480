//! `gdl text`: language models.

mod corpus;
mod eval;
mod export;
mod generate;
mod import;
mod interactive;
mod qa;
mod report;
mod sampling;
mod train;
mod training;

pub(super) use sampling::SamplingArgs;
pub(super) use training::{COURSE, Course, CourseArgs, TrainingBar};

use super::{Context, Kind};
use anyhow::Result;
use clap::Subcommand;
use corpus::{CorpusArgs, corpus};
use gdl_text::TextModel;
use std::path::Path;

/// What to do with a language model.
#[derive(Debug, Subcommand)]
pub(crate) enum TextCommand {
    /// Train a recurrent language model on a text
    Train(Box<train::TrainArgs>),
    /// Loss, perplexity and bits per character of a trained model on a text
    Eval(eval::EvalArgs),
    /// Write with a trained model
    Generate(Box<generate::GenerateArgs>),
    /// Write with a trained model, and show how much of that stands in its training text word for word
    Report(Box<report::ReportArgs>),
    /// Make a run of a language model of PyTorch: its state dict and its vocabulary
    Import(import::ImportArgs),
    /// Write a run's model as a state dict for PyTorch, and its vocabulary
    Export(export::ExportArgs),
    /// Questions about passages: find answers, and ask for them
    #[command(subcommand)]
    Qa(qa::QaCommand),
}

/// Runs `gdl text …`.
pub(crate) fn run(command: &TextCommand, context: &Context) -> Result<()> {
    match command {
        TextCommand::Train(args) => train::train(args, context),
        TextCommand::Eval(args) => eval::eval(args, context),
        TextCommand::Generate(args) => generate::generate(args, context),
        TextCommand::Report(args) => report::report(args, context),
        TextCommand::Import(args) => import::import(args, context),
        TextCommand::Export(args) => export::export(args, context),
        TextCommand::Qa(command) => qa::run(command, context),
    }
}

/// The model of a run: with its best weights, where it has some, or with its last.
fn load(run: &Path, last: bool, context: &Context) -> Result<TextModel> {
    Kind::Text.check(run)?;
    let load = if last { TextModel::load } else { TextModel::load_best };
    Ok(load(run, &context.device)?)
}
