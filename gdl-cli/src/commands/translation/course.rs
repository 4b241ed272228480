//! Flags of data and training, under the names of pytorch-CycleGAN-and-pix2pix where it has them.

use crate::commands::values;
use clap::Args;
use gdl_cyclegan::{GuardConfig, Length, LrPolicy, OnFailure, TrainingConfig};
use gdl_image_io::Preprocess;
use gdl_train::{AdamConfig, report::ReportOptions};

/// The flags' names, for those that exclude them.
pub(super) const FLAGS: [&str; 21] = [
    "size",
    "load_size",
    "preprocess",
    "no_flip",
    "epochs",
    "steps",
    "batch",
    "lr",
    "beta1",
    "lr_policy",
    "lr_decay_iters",
    "checkpoint_every",
    "sample_every",
    "no_html",
    "no_tensorboard",
    "seed",
    "accumulate",
    "checkpoint_blocks",
    "on_failure",
    "snapshot_every",
    "collapse_after",
];

/// How pictures are brought to size, and the course of a training.
#[derive(Debug, Args)]
pub(crate) struct CourseArgs {
    /// Side of the square training crops in pixels
    #[arg(long, visible_alias = "crop_size", value_name = "PIXELS", default_value_t = 256, value_parser = values::side)]
    pub(crate) size: usize,
    /// What pictures are scaled to before they are cropped [default: 286 for each 256 of --size]
    #[arg(long = "load_size", value_name = "PIXELS", value_parser = values::side)]
    pub(crate) load_size: Option<usize>,
    /// How pictures are brought to size
    #[arg(long, value_name = "HOW", default_value = "resize_and_crop", value_parser = values::named::<Preprocess>(&[
        "resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"]))]
    pub(crate) preprocess: Preprocess,
    /// Do not mirror every second picture
    #[arg(long = "no_flip")]
    pub(crate) no_flip: bool,
    /// Passes over the pictures, or the larger set of two [default: 200]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Training steps, instead of --epochs; each takes --batch times --accumulate pictures
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// Pictures that are computed at once
    #[arg(long, visible_alias = "batch_size", value_name = "N", default_value_t = 1, value_parser = values::count)]
    batch: usize,
    /// Batches whose mean gradient makes a step, in the memory of one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count)]
    accumulate: usize,
    /// Compute the generators' blocks again in the backward pass instead of keeping what is inside them: less memory, more time,
    /// the same results
    #[arg(long)]
    checkpoint_blocks: bool,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value_t = 2e-4, value_parser = values::positive)]
    lr: f64,
    /// Adam's first beta
    #[arg(long, value_name = "X", default_value_t = 0.5, value_parser = values::fraction)]
    beta1: f64,
    /// The learning rate's course: linear to 0 over the second half, a tenth every --lr_decay_iters epochs, a fifth when the
    /// generators' loss stops falling, or a cosine to 0
    #[arg(long = "lr_policy", value_name = "NAME", default_value = "linear",
        value_parser = values::named::<LrPolicy>(&["linear", "step", "plateau", "cosine"]))]
    lr_policy: LrPolicy,
    /// Epochs between two falls of --lr_policy step; steps, with --steps
    #[arg(long = "lr_decay_iters", value_name = "N", default_value_t = 50, value_parser = values::count)]
    lr_decay_iters: usize,
    /// Steps between two checkpoints, from which --resume goes on (the reference counts pictures)
    #[arg(long, visible_alias = "save_latest_freq", value_name = "N", default_value_t = 1000, value_parser = values::count)]
    checkpoint_every: usize,
    /// Steps between two sheets of samples, in RUN/samples and on the page; 0 for none (the reference counts pictures)
    #[arg(long, visible_alias = "display_freq", value_name = "N", default_value_t = 500)]
    sample_every: usize,
    /// Write no page RUN/index.html
    #[arg(long, visible_alias = "no_html")]
    no_html: bool,
    /// Write no event files RUN/tensorboard
    #[arg(long)]
    no_tensorboard: bool,
    /// What happens when a number is no longer finite or a network collapses: back to the last good state and on with half the
    /// learning rate, up to three times, or stop
    #[arg(long, value_name = "WHAT", default_value = "rollback", value_parser = values::named::<OnFailure>(&["rollback", "stop"]))]
    on_failure: OnFailure,
    /// Steps between two states that are kept in memory for --on-failure rollback
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = values::count)]
    snapshot_every: usize,
    /// Steps in a row that a network has to look collapsed for; 0 for never
    #[arg(long, value_name = "N", default_value_t = 500)]
    collapse_after: u64,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

impl CourseArgs {
    /// Adam as it was asked for.
    pub(crate) fn optimizer(&self) -> AdamConfig {
        AdamConfig { learning_rate: self.lr, beta1: self.beta1, ..AdamConfig::gan() }
    }

    /// A training of that model on these pictures.
    pub(crate) fn training<C: Default, D>(&self, model: C, data: D) -> TrainingConfig<C, D> {
        let length = match (self.epochs, self.steps) {
            (_, Some(steps)) => Length::Steps(steps as u64),
            (epochs, None) => Length::Epochs(epochs.unwrap_or(200) as u64),
        };
        TrainingConfig {
            model,
            batch: self.batch,
            accumulate: self.accumulate,
            length,
            lr_policy: self.lr_policy,
            lr_decay_iters: self.lr_decay_iters as u64,
            checkpoint_every: self.checkpoint_every as u64,
            sample_every: self.sample_every as u64,
            report: ReportOptions { html: !self.no_html, tensorboard: !self.no_tensorboard },
            checkpoint_blocks: self.checkpoint_blocks,
            guard: GuardConfig {
                on_failure: self.on_failure,
                snapshot_every: self.snapshot_every as u64,
                collapse_after: self.collapse_after,
                ..GuardConfig::default()
            },
            ..TrainingConfig::new(data)
        }
    }
}
