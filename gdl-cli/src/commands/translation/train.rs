//! The course of a training, the same for both.

use super::TrainingBar;
use crate::commands::{Context, RunPlace};
use anyhow::Result;
use gdl_cyclegan::{DataSpec, Method, Training};
use gdl_image_io::{image_size, list_images};
use std::{ops::ControlFlow, path::Path};

/// Looks into every file of a folder, so that one that is no picture is found now and not when its turn comes.
pub(crate) fn check_pictures(spec: &DataSpec) -> Result<()> {
    if let DataSpec::Folder(folder) = spec {
        for path in list_images(folder)? {
            image_size(path)?;
        }
    }
    Ok(())
}

/// Trains to the end. `command` is what translates with the run then.
pub(crate) fn finish<M: Method>(
    mut trainer: Training<M>,
    place: &RunPlace,
    out: &Path,
    command: &str,
    context: &Context,
) -> Result<()> {
    let (say, out) = (context.verbosity, out.display());
    if trainer.step() >= trainer.total_steps() {
        say.say(format_args!("{out}: all {} steps are done", trainer.step()));
        return Ok(());
    }
    say.detail(format_args!("{:#?}", trainer.config()));
    let mut bar = TrainingBar::new(context, "train", &trainer);
    let trained = trainer.run(|event| {
        bar.show(event);
        ControlFlow::Continue(())
    });
    bar.progress.finish();
    place.unless_saved(trained)?;
    say.say(format_args!(
        "{out}: trained for {} steps; {command} translate {out} PICTURE --out DIR",
        trainer.step()
    ));
    Ok(())
}
