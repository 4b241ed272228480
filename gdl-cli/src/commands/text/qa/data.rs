//! The questions that a command reads.

use crate::commands::seq2seq::SEED;
use crate::console::UsageError;
use anyhow::Result;
use gdl_text::drawn::{DrawnPart, default_rows, stories};
use gdl_text::qa::Questions;
use std::io;

/// The stories that are drawn.
pub(super) const STORIES: &str = "builtin:stories";

/// The questions that an argument names: a file, standard input, or the part of the stories that is drawn.
pub(super) fn questions(name: &str, part: DrawnPart) -> Result<Questions> {
    match name {
        STORIES => Ok(Questions::from_stories(name, &stories(part, default_rows(part), SEED))?),
        "-" => Ok(Questions::from_reader(name, io::stdin().lock())?),
        _ if name.starts_with("builtin:") => {
            Err(UsageError(format!("{name}: no such questions; there are {STORIES}")).into())
        }
        path => Ok(Questions::open(path)?),
    }
}
