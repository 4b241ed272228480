//! A style transfer on its way: its bar, what is saved when, and Ctrl-C.

use super::recipe::{KEY, Recipe};
use super::saved::{Saved, path_beside};
use crate::commands::Context;
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::Progress;
use anyhow::Result;
use candle_core::Tensor;
use gdl_image_io::{BitDepth, Filter, SaveOptions, keeps_alpha, resize, save_image_alpha};
use gdl_nst::{StepReport, StyleTransfer, TileReport};
use gdl_train::ThroughputMeter;
use std::path::Path;

/// Where a picture goes, and how.
#[derive(Debug)]
pub(super) struct Painting<'a> {
    pub(super) out: &'a Path,
    pub(super) recipe: Recipe,
    /// Whether the PNG is to be without it.
    pub(super) no_recipe: bool,
    /// What the picture is transparent like, of any size.
    pub(super) alpha: Option<Tensor>,
    pub(super) depth: BitDepth,
    /// Steps between two saves on the way.
    pub(super) save_every: Option<usize>,
}

impl Painting<'_> {
    /// Says what might surprise: that transparency is lost, that a state is left lying about.
    pub(super) fn announce(&self, resumed: bool, context: &Context) {
        let (say, state) = (context.verbosity, path_beside(self.out));
        if self.alpha.is_some() && !keeps_alpha(self.out) {
            say.say(format_args!("{}: has no transparency, and gets white in its place", self.out.display()));
        }
        if !resumed && state.exists() {
            say.say(format_args!(
                "{} is of an interrupted run, which --resume goes on with; this one begins anew",
                state.display()
            ));
        }
    }

    /// Takes the steps that are left, and writes the picture.
    pub(super) fn run(&self, transfer: &mut StyleTransfer, context: &Context) -> Result<()> {
        let out = self.out.display();
        let mut bar = PaintBar::new(context, transfer);
        transfer.watch_tiles(bar.tile_watcher());
        let interrupt = Interrupt::watch(context.verbosity);
        while let Some(report) = transfer.step()? {
            bar.show(&report);
            let StepReport { step, steps, height, width, .. } = report;
            if step == steps {
                break;
            }
            let stop = interrupt.came();
            if stop || self.save_every.is_some_and(|n| step.is_multiple_of(n)) {
                self.save_unfinished(transfer)?;
            }
            if stop {
                bar.progress.finish();
                let message = format!(
                    "at step {step} of {steps}: {out} is the picture so far, {width}x{height}; gdl nst --resume -o {out} goes on"
                );
                return Err(Interrupted(message).into());
            }
        }
        bar.progress.finish();
        let image = transfer.image()?;
        self.save(&image, &self.recipe)?;
        Saved::remove(self.out)?;
        let (_, h, w) = image.dims3()?;
        context.verbosity.say(format_args!("{out}: {w}x{h}"));
        Ok(())
    }

    /// The picture so far, and beside it all that is needed to go on.
    fn save_unfinished(&self, transfer: &StyleTransfer) -> Result<()> {
        Saved::write(self.out, &self.recipe, self.no_recipe, &transfer.state()?)?;
        let recipe = Recipe { unfinished_after: Some(transfer.steps_done()), ..self.recipe.clone() };
        self.save(&transfer.image()?, &recipe)
    }

    /// Writes the picture, or what there is of it.
    pub(super) fn save(&self, image: &Tensor, recipe: &Recipe) -> Result<()> {
        let (_, h, w) = image.dims3()?;
        let alpha = self.alpha.as_ref().map(|a| resize(a, h, w, Filter::CatmullRom)).transpose()?;
        let text = if self.no_recipe { Vec::new() } else { vec![(KEY.to_string(), recipe.to_json()?)] };
        let options = SaveOptions { depth: self.depth, text, ..SaveOptions::default() };
        Ok(save_image_alpha(image, alpha.as_ref(), self.out, &options)?)
    }
}

/// The bar of a style transfer, with its losses and its rate.
#[derive(Debug)]
pub(crate) struct PaintBar {
    pub(crate) progress: Progress,
    meter: ThroughputMeter,
}

impl PaintBar {
    pub(crate) fn new(context: &Context, transfer: &StyleTransfer) -> Self {
        Self::of(context, transfer.total_steps(), transfer.steps_done())
    }

    /// Of so many steps in all, of which some are done already.
    pub(super) fn of(context: &Context, total: usize, done: usize) -> Self {
        Self {
            progress: Progress::new(context.verbosity, "paint", total as u64),
            meter: ThroughputMeter::new(done as u64, Some(total as u64)),
        }
    }

    /// Shows the tiles of a step beside the bar.
    pub(crate) fn tile_watcher(&self) -> impl Fn(TileReport) + Send + Sync + 'static {
        let note = self.progress.note();
        move |report| note(format!("tile {}/{}", report.tile, report.tiles))
    }

    /// Shows what a step did.
    pub(crate) fn show(&mut self, report: &StepReport) {
        self.show_in("", 0, report);
    }

    /// Shows what a step did for one of several pictures, after so many steps for those before.
    pub(super) fn show_in(&mut self, name: &str, before: usize, report: &StepReport) {
        let step = (before + report.step) as u64;
        self.meter.update(step);
        let (l, rate) = (&report.losses, self.meter.rate().unwrap_or(0.0));
        let part = |name, x: f64| if x > 0.0 { format!(", {name} {x:.4}") } else { String::new() };
        let more = part("histogram", l.histogram) + &part("temporal", l.temporal);
        self.progress.at(
            step,
            format!(
                "{name}{}x{} loss {:.4} (content {:.4}, style {:.4}, tv {:.4}{more})  {rate:.2} steps/s",
                report.width, report.height, l.total, l.content, l.style, l.tv
            ),
        );
    }
}
