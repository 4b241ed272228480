//! `gdl text import`: a model of PyTorch as a run.

use super::super::{Context, RunPlace, values};
use anyhow::Result;
use clap::Args;
use gdl_text::{Import, ImportConfig, Level, WordSplit};
use gdl_train::OnExisting;
use std::path::PathBuf;

/// Flags of `gdl text import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A state dict of PyTorch: .pth, .pt or .safetensors; or what docs/convert/textgenrnn.py has written
    #[arg(value_name = "WEIGHTS")]
    weights: PathBuf,
    /// The tokens in the order of their ids: one on each line (\n stands for a line end), a JSON list, or a JSON object with the id
    /// of each, or a tokenizer.json; a model of textgenrnn has them inside
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// The directory of the run to make
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// What a token is [default: a character if all are, or else a word]
    #[arg(long, value_name = "char|word", value_parser = values::named::<Level>(&["char", "word"]))]
    level: Option<Level>,
    /// Read texts in lower case [default: where the tokens are words and all in lower case]
    #[arg(long, conflicts_with = "keep_case")]
    lowercase: bool,
    /// Keep upper and lower case apart
    #[arg(long)]
    keep_case: bool,
    /// What a word is [default: space, or punctuation for words from gdl text export that have quotation marks]
    #[arg(long, value_name = "punctuation|space",
        value_parser = values::named::<WordSplit>(&["punctuation", "space"]))]
    words: Option<WordSplit>,
}

pub(super) fn import(args: &ImportArgs, context: &Context) -> Result<()> {
    let lowercase = args.lowercase.then_some(true).or(args.keep_case.then_some(false));
    let config = ImportConfig { level: args.level, lowercase, words: args.words };
    let import = Import::read(&args.weights, args.vocab.as_deref(), &config)?;
    let place = RunPlace::look(&args.out);
    place.unless_saved(import.create_run(&args.out, OnExisting::Refuse))?;
    let (say, out) = (context.verbosity, args.out.display());
    say.say(format_args!("{out}: {import}; gdl text generate {out}"));
    for note in import.notes() {
        say.say(format_args!("{out}: {note}"));
    }
    Ok(())
}
