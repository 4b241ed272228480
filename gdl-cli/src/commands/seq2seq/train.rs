//! `gdl seq2seq train`.

use super::data::{pairs, task};
use super::flags::{SETTINGS, SettingArgs};
use crate::commands::{
    Context, Kind, RunPlace,
    text::{COURSE, Course},
};
use anyhow::Result;
use clap::Args;
use gdl_text::drawn::DrawnPart;
use gdl_text::seq2seq::{RunConfig, Trainer};
use gdl_train::{OnExisting, RunDir};
use std::path::PathBuf;

/// Flags of `gdl seq2seq train`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    /// Pairs, a source, a tab and a target in each line: a file, - for standard input, or builtin:TASK for a task that is drawn
    /// (reverse, dates, names, inflection)
    #[arg(value_name = "PAIRS")]
    pairs: String,
    /// The run's directory: the model, its tokenizers, its metrics, and what --resume needs
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Validate on these pairs instead of some at the end of PAIRS
    #[arg(long, value_name = "PAIRS", conflicts_with = "valid_rows")]
    valid: Option<String>,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with; --steps or --epochs
    /// may name a new end
    #[arg(long, conflicts_with_all = SETTINGS.iter().chain(&COURSE).copied())]
    resume: bool,
    /// Steps between two samples of what the model makes of validation pairs, in RUN/samples and on the page; 0 for none
    #[arg(long, value_name = "N", default_value_t = 500)]
    sample_every: usize,
    #[command(flatten)]
    settings: SettingArgs,
}

pub(super) fn train(args: &TrainArgs, context: &Context) -> Result<()> {
    let say = context.verbosity;
    let place = RunPlace::look(&args.out);
    let (mut trainer, run) = if args.resume { go_on(args, context)? } else { begin(args, context)? };
    let out = args.out.display();
    let course = Course {
        context,
        place: &place,
        out: &args.out,
        total: trainer.steps_done() + trainer.steps_left(),
        again: format!("gdl seq2seq train {} --out {out} --resume", args.pairs),
        next: format!("gdl seq2seq run {out} reads texts, a line each"),
    };
    if course.is_over(trainer.steps_done()) {
        return Ok(());
    }
    say.detail(format_args!("{:#?}", trainer.config()));
    let (train, valid, left_out) = trainer.counts();
    say.detail(format_args!(
        "{train} pairs to train on, {valid} to validate on, {} weights, {} steps an epoch",
        trainer.store().num_parameters(),
        trainer.steps_per_epoch()
    ));
    if left_out > 0 {
        say.say(format_args!(
            "{left_out} pairs are too long, or empty once they are in tokens, and are left out"
        ));
    }
    trainer.sample_every(args.sample_every);
    course.run(|observe| trainer.run(Some(&run), observe))
}

fn begin(args: &TrainArgs, context: &Context) -> Result<(Trainer, RunDir)> {
    let config = args.settings.config(task(&args.pairs)?);
    let train = pairs(&args.pairs, DrawnPart::Train)?;
    // A drawn task has pairs for that too.
    let drawn = (args.valid.is_none() && args.pairs.starts_with("builtin:")).then_some(&args.pairs);
    let valid = args.valid.as_ref().or(drawn).map(|valid| pairs(valid, DrawnPart::Valid)).transpose()?;
    let trainer = Trainer::new(&train, valid.as_ref(), config, &context.device)?;
    let run = trainer.create_run(&args.out, OnExisting::Refuse)?;
    Ok((trainer, run))
}

fn go_on(args: &TrainArgs, context: &Context) -> Result<(Trainer, RunDir)> {
    Kind::Seq2Seq.check(&args.out)?;
    let run = RunDir::open(&args.out)?;
    let mark = RunConfig::read(&run)?.valid;
    let train = pairs(&args.pairs, DrawnPart::Train)?;
    let valid = args.valid.as_ref().or(mark.as_ref().map(|mark| &mark.origin));
    let valid = valid.map(|valid| pairs(valid, DrawnPart::Valid)).transpose()?;
    let length = args.settings.length();
    let trainer = Trainer::resume(&run, &train, valid.as_ref(), length, &context.device)?;
    Ok((trainer, run))
}
