//! What the trainings of texts have in common: a bar, Ctrl-C, how they ended; and the flags of those that learn from rows.

use crate::{
    commands::{Context, RunPlace, values},
    interrupt::{Interrupt, Interrupted},
    progress::Progress,
};
use anyhow::Result;
use clap::Args;
use gdl_text::{Anneal, Event, Length, OptimizerKind, RunSummary, seq2seq};
use gdl_train::report::ReportOptions;
use std::{ops::ControlFlow, path::Path};

/// The bar of a training, with its loss and its rate.
#[derive(Debug)]
pub(crate) struct TrainingBar {
    pub(crate) progress: Progress,
}

impl TrainingBar {
    /// For a training of so many steps.
    pub(crate) fn new(context: &Context, name: &str, total: usize) -> Self {
        Self { progress: Progress::new(context.verbosity, name, total as u64) }
    }

    /// Shows what has happened.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Step { report, tokens_per_second, .. } => self.progress.at(
                report.step as u64,
                format!(
                    "loss {:.3} perplexity {:.2} bits/char {:.3}  {tokens_per_second:.0} tokens/s",
                    report.loss, report.perplexity, report.bits_per_char
                ),
            ),
            Event::Validation { step, report, best } => self.progress.println(format!(
                "step {step}: validation loss {:.4}, perplexity {:.3}, bits/char {:.4}{}",
                report.loss,
                report.perplexity,
                report.bits_per_char,
                if *best { "" } else { " (not the best)" }
            )),
            _ => {}
        }
    }
}

/// A training that is about to run.
#[derive(Debug)]
pub(in crate::commands) struct Course<'a> {
    pub(in crate::commands) context: &'a Context,
    pub(in crate::commands) place: &'a RunPlace,
    pub(in crate::commands) out: &'a Path,
    /// Its steps, those done before too.
    pub(in crate::commands) total: usize,
    /// The command that goes on with it after Ctrl-C.
    pub(in crate::commands) again: String,
    /// What to do with the run in the end.
    pub(in crate::commands) next: String,
}

impl Course<'_> {
    /// Says that there is nothing left to do, if there is not.
    pub(in crate::commands) fn is_over(&self, done: usize) -> bool {
        let over = done >= self.total;
        if over {
            let out = self.out.display();
            self.context
                .verbosity
                .say(format_args!("{out}: all {done} steps are done; --steps or --epochs names a later end"));
        }
        over
    }

    /// Runs it with a bar, and says how it ended.
    pub(in crate::commands) fn run(
        &self,
        train: impl FnOnce(&mut dyn FnMut(&Event) -> ControlFlow<()>) -> gdl_text::Result<RunSummary>,
    ) -> Result<()> {
        let say = self.context.verbosity;
        let mut bar = TrainingBar::new(self.context, "train", self.total);
        let interrupt = Interrupt::watch(say);
        let trained = train(&mut |event| {
            bar.show(event);
            interrupt.flow()
        });
        bar.progress.finish();
        let summary = self.place.unless_saved(trained)?;
        let (out, total, step) = (self.out.display(), self.total, summary.steps);
        if summary.stopped && step < total {
            let message = format!("at step {step} of {total}: {} goes on", self.again);
            return Err(Interrupted(message).into());
        }
        let best = summary.best.map_or(String::new(), |(step, loss)| {
            format!(", best validation loss {loss:.4} after step {step}")
        });
        let why = if summary.out_of_patience { " (no better since then)" } else { "" };
        say.say(format_args!("{out}: {step} steps in {:.0} s{best}{why}; {}", summary.seconds, self.next));
        Ok(())
    }
}

/// The flags by name, which a run that goes on has already.
pub(in crate::commands) const COURSE: [&str; 14] = [
    "batch",
    "optimizer",
    "lr",
    "schedule",
    "weight_decay",
    "clip",
    "label_smoothing",
    "valid_rows",
    "eval_every",
    "eval_each_epoch",
    "patience",
    "no_html",
    "no_tensorboard",
    "seed",
];

/// How to train on rows: pairs, or questions with their passages.
#[derive(Debug, Args)]
pub(in crate::commands) struct CourseArgs {
    /// Rows in a step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count, help_heading = "Course")]
    batch: usize,
    /// Passes over the rows, counted from the first ever [default: 10]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps", help_heading = "Course")]
    epochs: Option<usize>,
    /// Optimizer steps, instead of --epochs, counted from the first ever
    #[arg(long, value_name = "N", value_parser = values::count, help_heading = "Course")]
    steps: Option<usize>,
    /// What changes the weights
    #[arg(long, value_name = "NAME", default_value = "adam", help_heading = "Course",
        value_parser = values::named::<OptimizerKind>(&["adam", "rms-prop", "sgd"]))]
    optimizer: OptimizerKind,
    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.001, value_parser = values::positive, help_heading = "Course")]
    lr: f64,
    /// How it falls over the whole training [default: linear; constant of the book's question generator]
    #[arg(long, value_name = "HOW", help_heading = "Course",
        value_parser = values::named::<Anneal>(&["constant", "linear", "cosine"]))]
    schedule: Option<Anneal>,
    /// Weight decay
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = values::non_negative, help_heading = "Course")]
    weight_decay: f64,
    /// Largest norm of the gradient
    #[arg(long, value_name = "NORM", default_value_t = 5.0, value_parser = values::positive, help_heading = "Course")]
    clip: f64,
    /// Probability that is taken from the right token and spread over all
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = values::fraction, help_heading = "Course")]
    label_smoothing: f64,
    /// Rows at the end that are kept for validation [default: a twentieth, at most 1000]
    #[arg(long, value_name = "N", help_heading = "Validation and records")]
    valid_rows: Option<usize>,
    /// Steps between two validations, each followed by a checkpoint; 0 for one at the end alone
    #[arg(long, value_name = "N", default_value_t = 500, help_heading = "Validation and records")]
    eval_every: usize,
    /// Validate after each pass over the rows too
    #[arg(long, help_heading = "Validation and records")]
    eval_each_epoch: bool,
    /// Stop after so many validations in a row that were no better than the best [default: never]
    #[arg(long, value_name = "N", value_parser = values::count, help_heading = "Validation and records")]
    patience: Option<usize>,
    /// Write no page RUN/index.html
    #[arg(long, help_heading = "Validation and records")]
    no_html: bool,
    /// Write no event files RUN/tensorboard
    #[arg(long, help_heading = "Validation and records")]
    no_tensorboard: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl CourseArgs {
    /// How long to train, where it was said.
    pub(in crate::commands) fn length(&self) -> Option<Length> {
        self.steps.map(Length::Steps).or(self.epochs.map(Length::Epochs))
    }

    /// The settings with what the flags say.
    pub(in crate::commands) fn apply(&self, config: &mut seq2seq::TrainConfig) {
        config.batch = self.batch;
        config.length = self.length().unwrap_or(config.length);
        config.learning_rate = self.lr;
        config.anneal = self.schedule.unwrap_or(config.anneal);
        config.optimizer = self.optimizer;
        config.weight_decay = self.weight_decay;
        config.clip = self.clip;
        config.loss.label_smoothing = self.label_smoothing;
        config.valid_rows = self.valid_rows;
        config.eval_every = self.eval_every;
        config.eval_each_epoch = self.eval_each_epoch;
        config.patience = self.patience;
        config.seed = self.seed;
        config.report = ReportOptions { html: !self.no_html, tensorboard: !self.no_tensorboard };
    }
}
