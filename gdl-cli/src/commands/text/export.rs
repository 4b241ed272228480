//! `gdl text export`: a run's model for PyTorch.

use super::{
    super::{Context, values},
    load,
};
use anyhow::Result;
use clap::Args;
use gdl_text::Names;
use std::path::PathBuf;

/// Flags of `gdl text export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// File for the state dict, which ends in .pth, .pt or .safetensors
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// What the tensors are called: as in PyTorch's word language model (encoder, rnn, decoder), or as here (embedding, rnn,
    /// head)
    #[arg(long, value_name = "NAMES", default_value_t = Names::default(),
        value_parser = values::named::<Names>(&["pytorch-examples", "gdl"]))]
    names: Names,
    /// File for the tokens in the order of their ids, as a JSON list, or a tokenizer.json where they are runs of
    /// bytes [default: beside OUT, as .vocab.json]
    #[arg(long, value_name = "FILE")]
    vocab_out: Option<PathBuf>,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
}

pub(super) fn export(args: &ExportArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let vocabulary = args.vocab_out.clone().unwrap_or_else(|| args.out.with_extension("vocab.json"));
    model.export(&args.out, args.names)?;
    model.tokenizer().save_vocabulary(&vocabulary)?;
    let (out, tokens) = (args.out.display(), model.tokenizer().vocab_size());
    context.verbosity.say(format_args!("{out}: the weights; {}: {tokens} tokens", vocabulary.display()));
    Ok(())
}
