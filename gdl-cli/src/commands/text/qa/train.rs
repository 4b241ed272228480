//! `gdl text qa train`.

use super::{data, data::questions, flags::SettingArgs};
use crate::commands::{
    Context, Kind, RunPlace,
    text::{COURSE, Course},
};
use anyhow::Result;
use clap::Args;
use gdl_text::drawn::DrawnPart;
use gdl_text::qa::{RunConfig, Trainer};
use gdl_train::{OnExisting, RunDir};
use std::path::PathBuf;

/// Flags of `gdl text qa train`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    /// Passages with questions and answers: a table (.csv) with the columns story_text, question and answer_token_ranges (START:END,
    /// in words counted from 0), - for standard input, or builtin:stories for stories that are drawn
    #[arg(value_name = "STORIES")]
    stories: String,
    /// The run's directory: the model, its tokenizer, its metrics, and what --resume needs
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Validate on this table instead of some rows at the end of STORIES
    #[arg(long, value_name = "STORIES", conflicts_with = "valid_rows")]
    valid: Option<String>,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with; --steps or --epochs
    /// may name a new end
    #[arg(long, conflicts_with_all = super::flags::SETTINGS.iter().chain(&COURSE).copied())]
    resume: bool,
    /// Steps between two samples of what the model asks about validation passages, in RUN/samples and on the page; 0 for none
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
        again: format!("gdl text qa train {} --out {out} --resume", args.stories),
        next: format!("gdl text qa ask {out} reads passages, a line each"),
    };
    if course.is_over(trainer.steps_done()) {
        return Ok(());
    }
    say.detail(format_args!("{:#?}", trainer.config()));
    let (train, valid, left_out) = trainer.counts();
    say.detail(format_args!(
        "{train} questions to train on, {valid} to validate on, {} weights, {} steps an epoch",
        trainer.store().num_parameters(),
        trainer.steps_per_epoch()
    ));
    if left_out > 0 {
        say.say(format_args!("{left_out} questions are too long, or their passages, and are left out"));
    }
    if let Some((known, all)) = trainer.known_words() {
        say.say(format_args!("{known} of {all} words begin with vectors of the file, the others are drawn"));
    }
    trainer.sample_every(args.sample_every);
    course.run(|observe| trainer.run(Some(&run), observe))
}

fn begin(args: &TrainArgs, context: &Context) -> Result<(Trainer, RunDir)> {
    let config = args.settings.config();
    let train = questions(&args.stories, DrawnPart::Train)?;
    // Drawn stories have a part for that too.
    let drawn = (args.valid.is_none() && args.stories == data::STORIES).then_some(&args.stories);
    let valid = args.valid.as_ref().or(drawn).map(|valid| questions(valid, DrawnPart::Valid)).transpose()?;
    let trainer = Trainer::new(&train, valid.as_ref(), config, &context.device)?;
    let run = trainer.create_run(&args.out, OnExisting::Refuse)?;
    Ok((trainer, run))
}

fn go_on(args: &TrainArgs, context: &Context) -> Result<(Trainer, RunDir)> {
    Kind::Qa.check(&args.out)?;
    let run = RunDir::open(&args.out)?;
    let mark = RunConfig::read(&run)?.valid;
    let train = questions(&args.stories, DrawnPart::Train)?;
    let valid = args.valid.as_ref().or(mark.as_ref().map(|mark| &mark.origin));
    let valid = valid.map(|valid| questions(valid, DrawnPart::Valid)).transpose()?;
    let length = args.settings.length();
    let trainer = Trainer::resume(&run, &train, valid.as_ref(), length, &context.device)?;
    Ok((trainer, run))
}
