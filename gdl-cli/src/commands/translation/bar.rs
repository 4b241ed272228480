//! The progress bar of a training.

use crate::{commands::Context, progress::Progress};
use gdl_cyclegan::{Event, Losses, Method, Scored, Training};
use gdl_train::ThroughputMeter;

/// The bar of a training, with its losses and its rate.
#[derive(Debug)]
pub(crate) struct TrainingBar {
    pub(crate) progress: Progress,
    meter: ThroughputMeter,
    pictures: u64,
}

impl TrainingBar {
    pub(crate) fn new<M: Method>(context: &Context, name: &str, trainer: &Training<M>) -> Self {
        Self {
            progress: Progress::new(context.verbosity, name, trainer.total_steps()),
            meter: ThroughputMeter::new(trainer.step(), Some(trainer.total_steps())),
            pictures: trainer.config().pictures_per_step(),
        }
    }

    /// Shows what has happened.
    pub(crate) fn show<L: Losses>(&mut self, event: &Event<L>) {
        match event {
            Event::Step(step) => {
                self.meter.update(step.step);
                let rate = self.meter.rate().unwrap_or(0.0) * self.pictures as f64;
                self.progress.at(step.step, format!("{}  {rate:.2} pictures/s", step.losses.summary()));
            }
            Event::Scored(Scored { step, metric, score, best }) => {
                let best = if *best { ", the best so far" } else { "" };
                self.progress.println(format!("step {step}: {metric} {score:.4}{best}"));
            }
            Event::Samples(path) => self.progress.println(format!("samples: {}", path.display())),
            Event::RolledBack(rollback) => self.progress.println(rollback.to_string()),
            _ => {}
        }
    }
}
