//! The course of a training, the same for both.

use super::{TrainingBar, dry_run};
use crate::{
    commands::{Context, Kind, RunPlace},
    interrupt::{Interrupt, Interrupted},
};
use anyhow::Result;
use gdl_cyclegan::{ConfigOf, DataSpec, Method, Pretrained, Training};
use gdl_image_io::{image_size, list_images};
use gdl_train::OnExisting;
use std::path::{Path, PathBuf};

/// What a training is asked for, but for its configuration.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind,
    pub(crate) out: &'a Path,
    /// The pictures.
    pub(crate) data: Vec<&'a DataSpec>,
    /// Where networks to begin with are, and which there can be.
    pub(crate) init_from: &'a [PathBuf],
    pub(crate) nets: &'a [&'static str],
    pub(crate) resume: bool,
    pub(crate) dry_run: bool,
}

/// Trains, from the beginning or on from the last checkpoint, or tells what that would take. `config` gives the configuration,
/// which for networks to begin with depends on what they are.
pub(crate) fn train<M: Method>(
    request: &Request<'_>,
    config: impl FnOnce(Option<&Pretrained>) -> Result<ConfigOf<M>>,
    context: &Context,
) -> Result<()> {
    let &Request { kind, out, .. } = request;
    let (place, device) = (RunPlace::look(out), &context.device);
    let trainer = if request.resume {
        kind.check(out)?;
        Training::<M>::resume(out, device)?
    } else {
        for spec in &request.data {
            check_pictures(spec)?;
        }
        let pretrained = pretrained(request, context)?;
        let config = config(pretrained.as_ref())?;
        match &pretrained {
            _ if request.dry_run => return dry_run(Training::<M>::new(config, device)?, context),
            Some(nets) => Training::create_from(out, config, nets, OnExisting::Refuse, device)?,
            None => Training::create(out, config, OnExisting::Refuse, device)?,
        }
    };
    finish(trainer, &place, out, kind.command(), context)
}

/// The networks to begin with, if any were given.
fn pretrained(request: &Request<'_>, context: &Context) -> Result<Option<Pretrained>> {
    if request.init_from.is_empty() {
        return Ok(None);
    }
    let pretrained = Pretrained::open(request.init_from, request.nets)?;
    let nets: Vec<_> = pretrained.nets().collect();
    context.verbosity.say(format_args!("begins with {}", nets.join(", ")));
    Ok(Some(pretrained))
}

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
fn finish<M: Method>(
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
    let interrupt = Interrupt::watch(say);
    let trained = trainer.run(|event| {
        bar.show(event);
        interrupt.flow()
    });
    bar.progress.finish();
    place.unless_saved(trained)?;
    if trainer.step() < trainer.total_steps() {
        let (step, total) = (trainer.step(), trainer.total_steps());
        let message = format!("at step {step} of {total}: {command} train --out {out} --resume goes on");
        return Err(Interrupted(message).into());
    }
    say.say(format_args!(
        "{out}: trained for {} steps; {command} translate {out} PICTURE --out DIR",
        trainer.step()
    ));
    Ok(())
}
