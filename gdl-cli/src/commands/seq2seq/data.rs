//! The pairs that a command reads.

use crate::console::UsageError;
use anyhow::Result;
use gdl_text::drawn::{DrawnPart, Task, default_rows, draw};
use gdl_text::seq2seq::Pairs;
use std::io;

/// The seed of what is drawn by the name of its task alone.
pub(in crate::commands) const SEED: u64 = 1;

/// The pairs that an argument names: a file, standard input, or the part of a task that is drawn.
pub(super) fn pairs(name: &str, part: DrawnPart) -> Result<Pairs> {
    match task(name)? {
        Some(task) => Ok(Pairs::from_rows(name, draw(task, part, default_rows(part), SEED))?),
        None if name == "-" => Ok(Pairs::from_reader(name, io::stdin().lock())?),
        None => Ok(Pairs::open(name)?),
    }
}

/// The task that `builtin:NAME` names.
pub(super) fn task(name: &str) -> Result<Option<Task>> {
    let Some(task) = name.strip_prefix("builtin:") else { return Ok(None) };
    match task.parse::<Task>() {
        Ok(task) => Ok(Some(task)),
        Err(_) => {
            let all: Vec<String> = Task::ALL.iter().map(|task| format!("builtin:{task}")).collect();
            Err(UsageError(format!("{name}: no such task; there are {}", all.join(", "))).into())
        }
    }
}
