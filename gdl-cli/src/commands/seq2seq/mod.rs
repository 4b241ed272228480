//! `gdl seq2seq`: text in, other text out.

mod data;
mod draw;
mod eval;
mod flags;
mod maps;
mod picture;
mod run;
mod train;
mod writing;

pub(super) use data::SEED;
pub(super) use draw::part;
pub(super) use run::in_chunks;
pub(super) use writing::WritingArgs;

use super::{Context, Kind};
use anyhow::Result;
use clap::Subcommand;
use gdl_text::seq2seq::Model;
use std::path::Path;

/// What to do with an encoder-decoder.
#[derive(Debug, Subcommand)]
pub(crate) enum Seq2SeqCommand {
    /// Train a recurrent encoder-decoder on pairs of texts
    Train(Box<train::TrainArgs>),
    /// Write what a trained model makes of texts, one in each line
    Run(Box<run::RunArgs>),
    /// Score a trained model on pairs: exact matches, BLEU, chrF, ROUGE, perplexity
    Eval(Box<eval::EvalArgs>),
    /// Print the pairs of a task that is drawn by the program
    Draw(draw::DrawArgs),
}

/// Runs `gdl seq2seq …`.
pub(crate) fn run(command: &Seq2SeqCommand, context: &Context) -> Result<()> {
    match command {
        Seq2SeqCommand::Train(args) => train::train(args, context),
        Seq2SeqCommand::Run(args) => run::run(args, context),
        Seq2SeqCommand::Eval(args) => eval::eval(args, context),
        Seq2SeqCommand::Draw(args) => draw::draw(args),
    }
}

/// The model of a run: with its best weights, where it has some, or with its last.
fn load(run: &Path, last: bool, context: &Context) -> Result<Model> {
    Kind::Seq2Seq.check(run)?;
    Ok(Model::load(run, last, &context.device)?)
}
