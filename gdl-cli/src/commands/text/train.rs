//! `gdl text train`.

use super::{
    super::{Context, Kind, RunPlace, values},
    corpus,
};
use crate::progress::Progress;
use anyhow::Result;
use clap::{Args, ValueEnum};
use gdl_text::{
    Event, GenerateConfig, Length, ModelConfig, Split, Stemming, TokenizerConfig, TrainConfig, Trainer,
};
use gdl_train::{OnExisting, RunDir, report::ReportOptions};
use std::{ops::ControlFlow, path::PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    Char,
    Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cell {
    Lstm,
    Gru,
}

/// Flags of `gdl text train`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    /// A UTF-8 text file, or builtin:fables
    #[arg(value_name = "CORPUS")]
    corpus: String,
    /// The run's directory: the model, its tokenizer, its metrics, and what --resume needs
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// What a token is
    #[arg(long, value_enum, default_value_t = Level::Char)]
    level: Level,
    /// The recurrent cell
    #[arg(long, value_enum, default_value_t = Cell::Lstm)]
    cell: Cell,
    /// Width of each recurrent layer
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = values::count)]
    hidden: usize,
    /// Number of recurrent layers
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count)]
    layers: usize,
    /// Width of the token embedding [default: that of the hidden layers]
    #[arg(long, value_name = "N", value_parser = values::count)]
    embedding: Option<usize>,
    /// Dropout between layers
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = values::fraction)]
    dropout: f64,
    /// Streams of text read side by side
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = values::count)]
    batch: usize,
    /// Steps that the gradient goes back
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = values::count)]
    seq: usize,
    /// Passes over the training text, counted from the first ever [default: 20]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Optimizer steps, instead of --epochs, counted from the first ever
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value_t = 2e-3, value_parser = values::positive)]
    lr: f64,
    /// Largest norm of the gradient
    #[arg(long, value_name = "NORM", default_value_t = 5.0, value_parser = values::positive)]
    clip: f64,
    /// Part of the text that is kept for validation, behind the training part
    #[arg(long, value_name = "PART", default_value_t = 0.05, value_parser = values::fraction)]
    valid_fraction: f64,
    /// Part of the text that is kept for a test, at its end
    #[arg(long, value_name = "PART", default_value_t = 0.05, value_parser = values::fraction)]
    test_fraction: f64,
    /// Steps between two validations, each followed by a checkpoint; 0 for one at the end alone
    #[arg(long, value_name = "N", default_value_t = 500)]
    eval_every: usize,
    /// Steps between two samples of what the model writes, in RUN/samples and on the page; 0 for none
    #[arg(long, value_name = "N", default_value_t = 500)]
    sample_every: usize,
    /// Write no page RUN/index.html
    #[arg(long)]
    no_html: bool,
    /// Write no event files RUN/tensorboard
    #[arg(long)]
    no_tensorboard: bool,
    /// Tokens seen less often become the unknown token [default: 1 for characters, 2 for words]
    #[arg(long, value_name = "N", value_parser = values::count)]
    min_count: Option<usize>,
    /// Keep upper and lower case apart (word level)
    #[arg(long)]
    keep_case: bool,
    /// Reduce words to their stems (word level, English)
    #[arg(long)]
    stem: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with; --steps or --epochs
    /// may name a new end
    #[arg(long, conflicts_with_all = ["level", "cell", "hidden", "layers", "embedding", "dropout", "batch", "seq", "lr",
        "clip", "valid_fraction", "test_fraction", "eval_every", "min_count", "keep_case", "stem", "seed",
        "no_html", "no_tensorboard"])]
    resume: bool,
}

impl TrainArgs {
    /// How long to train, where it was said.
    fn length(&self) -> Option<Length> {
        self.steps.map(Length::Steps).or(self.epochs.map(Length::Epochs))
    }

    fn config(&self) -> TrainConfig {
        let mut tokenizer = match self.level {
            Level::Char => TokenizerConfig::new(gdl_text::Level::Char),
            Level::Word => TokenizerConfig::new(gdl_text::Level::Word).lowercase(!self.keep_case),
        };
        if let Some(min_count) = self.min_count {
            tokenizer = tokenizer.min_count(min_count);
        }
        if self.stem {
            tokenizer = tokenizer.stemming(Some(Stemming::English));
        }
        let cell = match self.cell {
            Cell::Lstm => gdl_text::Cell::Lstm,
            Cell::Gru => gdl_text::Cell::Gru,
        };
        TrainConfig {
            tokenizer,
            model: ModelConfig::new(cell, self.hidden, self.layers)
                .embedding(self.embedding.unwrap_or(self.hidden))
                .dropout(self.dropout),
            batch: self.batch,
            seq: self.seq,
            length: self.length().unwrap_or(Length::Epochs(20)),
            learning_rate: self.lr,
            clip: self.clip,
            split: Split { valid: self.valid_fraction, test: self.test_fraction },
            eval_every: self.eval_every,
            seed: self.seed,
            report: ReportOptions { html: !self.no_html, tensorboard: !self.no_tensorboard },
            ..TrainConfig::default()
        }
    }
}

/// Tokens of a sample.
const SAMPLE: usize = 300;

pub(super) fn train(args: &TrainArgs, context: &Context) -> Result<()> {
    let say = context.verbosity;
    let corpus = corpus(&args.corpus)?;
    let place = RunPlace::look(&args.out);
    let (mut trainer, run) = if args.resume {
        Kind::Text.check(&args.out)?;
        let run = RunDir::open(&args.out)?;
        (Trainer::resume(&run, &corpus, args.length(), &context.device)?, run)
    } else {
        let trainer = Trainer::new(&corpus, args.config(), &context.device)?;
        let run = trainer.create_run(&args.out, OnExisting::Refuse)?;
        (trainer, run)
    };
    let out = args.out.display();
    if trainer.steps_left() == 0 {
        say.say(format_args!(
            "{out}: all {} steps are done; --steps or --epochs names a later end",
            trainer.steps_done()
        ));
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
    let mut bar = TrainingBar::new(context, "train", &trainer);
    let trained = trainer.run(Some(&run), |event| {
        bar.show(event);
        ControlFlow::Continue(())
    });
    bar.progress.finish();
    let summary = place.unless_saved(trained)?;
    say.say(format_args!(
        "{out}: {} steps in {:.0} s; gdl text generate {out} --temperature 0.6",
        summary.steps, summary.seconds
    ));
    Ok(())
}

/// The bar of a training, with its loss and its rate.
#[derive(Debug)]
pub(crate) struct TrainingBar {
    pub(crate) progress: Progress,
}

impl TrainingBar {
    pub(crate) fn new(context: &Context, name: &str, trainer: &Trainer) -> Self {
        let total = trainer.steps_done() + trainer.steps_left();
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
            Event::Validation { step, report } => self.progress.println(format!(
                "step {step}: validation loss {:.4}, perplexity {:.3}, bits/char {:.4}",
                report.loss, report.perplexity, report.bits_per_char
            )),
            _ => {}
        }
    }
}
