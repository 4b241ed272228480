//! `gdl seq2seq draw`.

use super::data::SEED;
use crate::commands::values;
use anyhow::Result;
use clap::Args;
use gdl_text::drawn::{DrawnPart, Task, default_rows, draw as drawn};
use std::io::{self, Write};

/// Flags of `gdl seq2seq draw`.
#[derive(Debug, Args)]
pub(crate) struct DrawArgs {
    /// reverse, dates, names or inflection
    #[arg(value_name = "TASK", value_parser = |name: &str| name.parse::<Task>().map_err(|e| e.to_string()))]
    task: Task,
    /// Which part: no source of one is in another
    #[arg(long, value_name = "PART", default_value = "train",
        value_parser = values::choice(&["train", "valid", "test"], part))]
    part: DrawnPart,
    /// Pairs [default: as many as `builtin:TASK` stands for]
    #[arg(long, value_name = "N", value_parser = values::count)]
    rows: Option<usize>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
}

/// The part of that name.
pub(in crate::commands) fn part(name: &str) -> DrawnPart {
    match name {
        "valid" => DrawnPart::Valid,
        "test" => DrawnPart::Test,
        _ => DrawnPart::Train,
    }
}

pub(super) fn draw(args: &DrawArgs) -> Result<()> {
    let rows = args.rows.unwrap_or_else(|| default_rows(args.part));
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (source, target) in drawn(args.task, args.part, rows, args.seed) {
        writeln!(out, "{source}\t{target}")?;
    }
    Ok(out.flush()?)
}
