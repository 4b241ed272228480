//! `gdl text train`.

mod flags;

use super::{
    super::{Context, Kind, RunPlace},
    CorpusArgs,
    corpus::corpus as corpus_at,
    load,
    training::Course,
};
use crate::console::UsageError;
use anyhow::Result;
use clap::Args;
use flags::{COURSE, MODEL, SettingArgs};
use gdl_text::{Corpus, CorpusConfig, GenerateConfig, RunConfig, TrainConfig, Trainer};
use gdl_train::{OnExisting, RunDir};
use std::path::{Path, PathBuf};

/// Flags of `gdl text train`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    /// A text file, a folder of them, - for standard input, or builtin:fables; it may be larger than memory
    #[arg(value_name = "CORPUS")]
    corpus: String,
    /// The run's directory: the model, its tokenizer, its metrics, and what --resume needs
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with; --steps or --epochs
    /// may name a new end
    #[arg(long, conflicts_with_all = MODEL.iter().chain(&COURSE).copied())]
    resume: bool,
    /// Begin with the weights and the tokenizer of this run, one that was imported too, instead of drawing them
    #[arg(long, value_name = "RUN", conflicts_with_all = MODEL, conflicts_with = "resume")]
    init_from: Option<PathBuf>,
    /// Steps between two samples of what the model writes, in RUN/samples and on the page; 0 for none
    #[arg(long, value_name = "N", default_value_t = 500)]
    sample_every: usize,
    /// Validate on this text instead of a part of CORPUS; it is read in the same way
    #[arg(long, value_name = "FILE", conflicts_with = "valid_fraction")]
    valid: Option<String>,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    text: CorpusArgs,
}

/// Tokens of a sample.
const SAMPLE: usize = 300;

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
        again: format!("gdl text train {} --out {out} --resume", args.corpus),
        next: format!("gdl text generate {out} --temperature 0.6"),
    };
    if course.is_over(trainer.steps_done()) {
        return Ok(());
    }
    say.detail(format_args!("{:#?}", trainer.config()));
    say.detail(format_args!(
        "{} tokens in the vocabulary, {} weights, {} steps an epoch",
        trainer.tokenizer().vocab_size(),
        trainer.store().num_parameters(),
        trainer.steps_per_epoch()
    ));
    trainer.sample_every(args.sample_every, GenerateConfig { length: SAMPLE, ..GenerateConfig::default() });
    course.run(|observe| trainer.run(Some(&run), observe))
}

fn begin(args: &TrainArgs, context: &Context) -> Result<(Trainer, RunDir)> {
    let mut config = args.settings.config()?;
    if args.valid.is_some() {
        config.split.valid = 0.0;
    }
    let reading = args.text.config(args.settings.reading()?);
    let corpus = read(args, reading.clone())?;
    let mut trainer = match (&args.init_from, args.settings.tokenizer()?) {
        (Some(run), _) => begin_from(run, &corpus, config, context)?,
        (None, Some(tokenizer)) => Trainer::with_tokenizer(&corpus, tokenizer, config, &context.device)?,
        (None, None) => Trainer::new(&corpus, config, &context.device)?,
    };
    if let Some(valid) = &args.valid {
        trainer.validate_with(&corpus_at(valid, reading)?)?;
    }
    let run = trainer.create_run(&args.out, OnExisting::Refuse)?;
    Ok((trainer, run))
}

fn go_on(args: &TrainArgs, context: &Context) -> Result<(Trainer, RunDir)> {
    Kind::Text.check(&args.out)?;
    let run = RunDir::open(&args.out)?;
    let config = RunConfig::read(&run)?;
    if let (Some(valid), None) = (&args.valid, &config.valid) {
        let message = format!("--valid {valid}: this run validates on a part of its corpus, and goes on so");
        return Err(UsageError(message).into());
    }
    let corpus = read(args, config.reading.clone())?;
    let mut trainer = Trainer::resume(&run, &corpus, args.settings.length(), &context.device)?;
    if let Some(mark) = &config.valid {
        let valid = corpus_at(args.valid.as_ref().unwrap_or(&mark.origin), config.reading.clone())?;
        config.check_valid(&valid)?;
        trainer.validate_with(&valid)?;
    }
    Ok((trainer, run))
}

/// The text to train on; what is too much for memory is kept beside the run while it lasts.
fn read(args: &TrainArgs, config: CorpusConfig) -> Result<Corpus> {
    let corpus = corpus_at(&args.corpus, config)?;
    let folder = match args.out.parent() {
        Some(folder) if folder.as_os_str().is_empty() => ".".into(),
        Some(folder) => folder.to_path_buf(),
        None => return Ok(corpus),
    };
    Ok(if folder.is_dir() { corpus.with_scratch(folder) } else { corpus })
}

/// A training from the weights of a run; what its vocabulary lacks of the text is said.
fn begin_from(run: &Path, corpus: &Corpus, config: TrainConfig, context: &Context) -> Result<Trainer> {
    /// Characters that are named.
    const NAMED: usize = 10;
    let model = load(run, false, context)?;
    let trainer = Trainer::begin_from(corpus, &model, config)?;
    let unseen = model.unseen_chars(corpus)?;
    if !unseen.is_empty() {
        let (run, named) = (run.display(), &unseen[..unseen.len().min(NAMED)]);
        let more = if unseen.len() > NAMED { ", and more" } else { "" };
        context
            .verbosity
            .say(format_args!("{run}: does not know these characters of the text: {named:?}{more}"));
    }
    Ok(trainer)
}
