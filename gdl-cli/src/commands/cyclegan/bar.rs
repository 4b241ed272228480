//! The progress bar of a training.

use crate::{commands::Context, progress::Progress};
use gdl_cyclegan::{Event, StepLosses, Trainer};
use gdl_train::ThroughputMeter;

/// The bar of a training, with its losses and its rate.
#[derive(Debug)]
pub(crate) struct TrainingBar {
    pub(crate) progress: Progress,
    meter: ThroughputMeter,
    batch: usize,
}

impl TrainingBar {
    pub(crate) fn new(context: &Context, name: &str, trainer: &Trainer) -> Self {
        Self {
            progress: Progress::new(context.verbosity, name, trainer.total_steps()),
            meter: ThroughputMeter::new(trainer.step(), Some(trainer.total_steps())),
            batch: trainer.config().batch,
        }
    }

    /// Shows what has happened.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Step(step) => {
                self.meter.update(step.step);
                let rate = self.meter.rate().unwrap_or(0.0) * self.batch as f64;
                self.progress.at(step.step, format!("{}  {rate:.2} pictures/s", describe(&step.losses)));
            }
            Event::Samples(path) => self.progress.println(format!("samples: {}", path.display())),
            _ => {}
        }
    }
}

/// The three criteria and the discriminators' loss on one line.
fn describe(losses: &StepLosses) -> String {
    format!(
        "validity {:.3} reconstruction {:.3} identity {:.3} discriminators {:.3}",
        losses.validity(),
        losses.reconstruction(),
        losses.identity(),
        losses.discriminator()
    )
}
