//! `gdl text qa draw`.

use crate::commands::seq2seq::{SEED, part};
use crate::commands::values;
use anyhow::Result;
use clap::Args;
use gdl_text::drawn::{DrawnPart, default_rows, stories, write_newsqa};
use std::io::{self, Write};

/// Flags of `gdl text qa draw`.
#[derive(Debug, Args)]
pub(crate) struct DrawArgs {
    /// Which part: no story of one is in another
    #[arg(long, value_name = "PART", default_value = "train",
        value_parser = values::choice(&["train", "valid", "test"], part))]
    part: DrawnPart,
    /// Stories [default: as many as `builtin:stories` stands for]
    #[arg(long, value_name = "N", value_parser = values::count)]
    rows: Option<usize>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
}

pub(super) fn draw(args: &DrawArgs) -> Result<()> {
    let rows = args.rows.unwrap_or_else(|| default_rows(args.part));
    let mut out = io::BufWriter::new(io::stdout().lock());
    write_newsqa(&stories(args.part, rows, args.seed), &mut out)?;
    Ok(out.flush()?)
}
