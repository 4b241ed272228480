//! `--direction`, and the generator that it picks.

use crate::{
    commands::{Context, translation::TrainedArgs},
    console::UsageError,
};
use anyhow::Result;
use clap::ValueEnum;
use gdl_cyclegan::{Direction, Translator};
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DirectionName {
    #[value(alias = "AtoB")]
    Ab,
    #[value(alias = "BtoA")]
    Ba,
}

/// The generator of a run, which has a direction, or of a file, which has none.
pub(super) fn open(
    run: &Path,
    direction: Option<DirectionName>,
    trained: &TrainedArgs,
    context: &Context,
) -> Result<(Translator, Option<Direction>)> {
    let weights = trained.weights_of(run)?;
    if run.is_file() {
        if direction.is_some() {
            let message = format!("{}: a file holds one network; leave --direction out", run.display());
            return Err(UsageError(message).into());
        }
        return Ok((trained.normed(Translator::open(run, &context.device)?), None));
    }
    let direction = match direction {
        Some(DirectionName::Ba) => Direction::BtoA,
        Some(DirectionName::Ab) | None => Direction::AtoB,
    };
    let translator = Translator::load_with(run, weights, direction, &context.device)?;
    Ok((trained.normed(translator), Some(direction)))
}
