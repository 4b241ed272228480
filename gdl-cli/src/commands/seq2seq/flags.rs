//! The flags of `gdl seq2seq train`, and the settings they come to.

use crate::commands::values;
use anyhow::Result;
use clap::Args;
use gdl_seq2seq::{Attention, Bridge, Cell, LossConfig, Seq2SeqConfig, Tied};
use gdl_text::seq2seq::{TeacherForcing, TrainConfig};
use gdl_text::{Anneal, EpochDecay, Length, Level, OptimizerKind, TokenizerConfig, WordSplit};
use gdl_train::report::ReportOptions;

/// The settings' flags by name, which a run that goes on has already.
pub(super) const SETTINGS: [&str; 43] = [
    "level",
    "words",
    "lowercase",
    "min_count",
    "max_vocab",
    "shared",
    "separate",
    "cell",
    "hidden",
    "layers",
    "embedding",
    "one_direction",
    "bridge",
    "attention",
    "input_feeding",
    "copy",
    "coverage",
    "coverage_loss",
    "tied",
    "dropout",
    "init_range",
    "torch_init",
    "label_smoothing",
    "teacher_forcing",
    "batch",
    "optimizer",
    "lr",
    "schedule",
    "lr_decay",
    "lr_decay_after",
    "lr_decay_every",
    "weight_decay",
    "clip",
    "valid_rows",
    "max_source",
    "max_target",
    "eval_every",
    "eval_each_epoch",
    "patience",
    "no_html",
    "no_tensorboard",
    "seed",
    "valid",
];

/// What is trained, and how.
#[derive(Debug, Args)]
pub(super) struct SettingArgs {
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    checks: CheckArgs,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens")]
struct TokenArgs {
    /// What a token is: a character, a word, or a run of bytes learnt from the texts
    #[arg(long, value_name = "char|word|bpe|unigram", default_value = "word",
        value_parser = values::named::<Level>(&["char", "word", "bpe", "unigram"]))]
    level: Level,
    /// What a word is: punctuation marks are tokens of their own, or what stands between spaces is one [default: punctuation]
    #[arg(long, value_name = "punctuation|space",
        value_parser = values::named::<WordSplit>(&["punctuation", "space"]))]
    words: Option<WordSplit>,
    /// Make everything lower case
    #[arg(long)]
    lowercase: bool,
    /// Tokens seen less often become the unknown token, pairs seen less often are not merged [default: 1 for characters, 2 for
    /// words and bpe]
    #[arg(long, value_name = "N", value_parser = values::count)]
    min_count: Option<usize>,
    /// The largest vocabulary, of the most frequent tokens [default: 4096 for bpe and unigram, no limit for others]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_vocab: Option<usize>,
    /// One vocabulary for source and target [default: but for words]
    #[arg(long, conflicts_with = "separate")]
    shared: bool,
    /// A vocabulary for each [default: for words]
    #[arg(long)]
    separate: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
struct ModelArgs {
    /// The recurrent cell
    #[arg(long, value_name = "lstm|gru", default_value = "lstm", value_parser = values::named::<Cell>(&["lstm", "gru"]))]
    cell: Cell,
    /// Width of each recurrent layer; the two directions of the encoder have half of it each
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = values::count)]
    hidden: usize,
    /// Number of recurrent layers, of the encoder and of the decoder
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count)]
    layers: usize,
    /// Width of a token's vector
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = values::count)]
    embedding: usize,
    /// Let the encoder read from left to right only, instead of in both directions
    #[arg(long)]
    one_direction: bool,
    /// From the encoder's state to the decoder's: as it is, or through a layer
    #[arg(long, value_name = "copy|dense", default_value = "copy",
        value_parser = values::named::<Bridge>(&["copy", "dense"]))]
    bridge: Bridge,
    /// How the decoder looks back at the source: dot, general (Luong et al.), additive (Bahdanau et al.), or not at all
    #[arg(long, value_name = "NAME", default_value = "general",
        value_parser = values::choice(&["dot", "general", "additive", "none"], attention_named))]
    attention: Looks,
    /// Feed what attention gave at a step into the next (trains step by step, and so slower)
    #[arg(long)]
    input_feeding: bool,
    /// Let words be copied from the source, those that no vocabulary has too (pointer-generator)
    #[arg(long)]
    copy: bool,
    /// Let attention know where it has been (trains step by step, and so slower)
    #[arg(long)]
    coverage: bool,
    /// Weight of the loss for looking again where attention has been [default: 0]
    #[arg(long, value_name = "X", value_parser = values::non_negative)]
    coverage_loss: Option<f64>,
    /// Tables of vectors in common: none, target (with the output layer), all (the source's too, with --shared)
    #[arg(long, value_name = "none|target|all", default_value = "none",
        value_parser = values::named::<Tied>(&["none", "target", "all"]))]
    tied: Tied,
    /// Dropout of vectors, between layers and before the output layer
    #[arg(long, value_name = "P", default_value_t = 0.2, value_parser = values::fraction)]
    dropout: f64,
    /// Start all weights uniformly within so much of 0
    #[arg(long, value_name = "X", default_value_t = 0.1, value_parser = values::positive, conflicts_with = "torch_init")]
    init_range: f64,
    /// Start weights as PyTorch's layers do instead
    #[arg(long)]
    torch_init: bool,
}

/// The kind of attention, if any.
#[derive(Debug, Clone, Copy)]
struct Looks(Option<Attention>);

fn attention_named(name: &str) -> Looks {
    Looks(match name {
        "dot" => Some(Attention::Dot),
        "general" => Some(Attention::General),
        "additive" => Some(Attention::Additive),
        _ => None,
    })
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Course")]
struct CourseArgs {
    /// Pairs in a step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    batch: usize,
    /// Passes over the pairs, counted from the first ever [default: 10]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Optimizer steps, instead of --epochs, counted from the first ever
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// What changes the weights
    #[arg(long, value_name = "NAME", default_value = "adam",
        value_parser = values::named::<OptimizerKind>(&["adam", "rms-prop", "sgd"]))]
    optimizer: OptimizerKind,
    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.001, value_parser = values::positive)]
    lr: f64,
    /// How it falls over the whole training
    #[arg(long, value_name = "HOW", default_value = "linear",
        value_parser = values::named::<Anneal>(&["constant", "linear", "cosine"]))]
    schedule: Anneal,
    /// Factor on the learning rate after --lr-decay-after passes, and again after every --lr-decay-every more
    #[arg(long, value_name = "X", value_parser = values::positive)]
    lr_decay: Option<f64>,
    /// Passes at the full rate
    #[arg(long, value_name = "N", default_value_t = 1, requires = "lr_decay")]
    lr_decay_after: usize,
    /// Passes between two falls of the rate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count, requires = "lr_decay")]
    lr_decay_every: usize,
    /// Weight decay
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = values::non_negative)]
    weight_decay: f64,
    /// Largest norm of the gradient
    #[arg(long, value_name = "NORM", default_value_t = 5.0, value_parser = values::positive)]
    clip: f64,
    /// Probability that is taken from the right token and spread over all
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = values::fraction)]
    label_smoothing: f64,
    /// How often the decoder reads the right token in training instead of one of its own: always, linear:END, exponential:K
    /// (K^step), inverse-sigmoid:K (K / (K + exp(step / K))) (scheduled sampling, Bengio et al. 2015)
    #[arg(long, value_name = "HOW", default_value = "always", value_parser = teacher_forcing)]
    teacher_forcing: TeacherForcing,
    /// Leave pairs out whose source has more tokens [default: none]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_source: Option<usize>,
    /// Leave pairs out whose target has more tokens [default: none]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_target: Option<usize>,
}

fn teacher_forcing(text: &str) -> Result<TeacherForcing, String> {
    let says = || "must be always, linear:END, exponential:K or inverse-sigmoid:K".to_string();
    if text == "always" {
        return Ok(TeacherForcing::Always);
    }
    let (name, value) = text.split_once(':').ok_or_else(says)?;
    let value = values::finite(value).map_err(|_| says())?;
    match name {
        "linear" => Ok(TeacherForcing::Linear(value)),
        "exponential" => Ok(TeacherForcing::Exponential(value)),
        "inverse-sigmoid" => Ok(TeacherForcing::InverseSigmoid(value)),
        _ => Err(says()),
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Validation and records")]
struct CheckArgs {
    /// Pairs at the end of PAIRS that are kept for validation [default: a twentieth, at most 1000]
    #[arg(long, value_name = "N")]
    valid_rows: Option<usize>,
    /// Steps between two validations, each followed by a checkpoint; 0 for one at the end alone
    #[arg(long, value_name = "N", default_value_t = 500)]
    eval_every: usize,
    /// Validate after each pass over the pairs too
    #[arg(long)]
    eval_each_epoch: bool,
    /// Stop after so many validations in a row that were no better than the best [default: never]
    #[arg(long, value_name = "N", value_parser = values::count)]
    patience: Option<usize>,
    /// Write no page RUN/index.html
    #[arg(long)]
    no_html: bool,
    /// Write no event files RUN/tensorboard
    #[arg(long)]
    no_tensorboard: bool,
}

impl SettingArgs {
    /// How long to train, where it was said.
    pub(super) fn length(&self) -> Option<Length> {
        let CourseArgs { epochs, steps, .. } = self.course;
        steps.map(Length::Steps).or(epochs.map(Length::Epochs))
    }

    pub(super) fn config(&self) -> Result<TrainConfig> {
        let (course, checks) = (&self.course, &self.checks);
        let base = TrainConfig::new(self.tokens.level);
        let decay = course.lr_decay.map(|gamma| EpochDecay {
            after: course.lr_decay_after,
            every: course.lr_decay_every,
            gamma,
        });
        Ok(TrainConfig {
            tokenizer: self.tokens.config(base.tokenizer.clone()),
            shared: (base.shared || self.tokens.shared) && !self.tokens.separate,
            model: self.model.config(&base.model),
            init_range: (!self.model.torch_init).then_some(self.model.init_range),
            batch: course.batch,
            length: self.length().unwrap_or(base.length),
            learning_rate: course.lr,
            anneal: course.schedule,
            decay,
            optimizer: course.optimizer,
            weight_decay: course.weight_decay,
            clip: course.clip,
            loss: LossConfig {
                label_smoothing: course.label_smoothing,
                coverage: self.model.coverage_loss.unwrap_or(0.0),
            },
            teacher_forcing: course.teacher_forcing,
            valid_rows: checks.valid_rows,
            max_source: course.max_source,
            max_target: course.max_target,
            eval_every: checks.eval_every,
            eval_each_epoch: checks.eval_each_epoch,
            patience: checks.patience,
            seed: self.seed,
            report: ReportOptions { html: !checks.no_html, tensorboard: !checks.no_tensorboard },
            ..base
        })
    }
}

impl TokenArgs {
    fn config(&self, base: TokenizerConfig) -> TokenizerConfig {
        let words = self.words.unwrap_or(base.words);
        let min_count = self.min_count.unwrap_or(base.min_count);
        let max_vocab = self.max_vocab.or(base.max_vocab);
        base.lowercase(self.lowercase).words(words).min_count(min_count).max_vocab(max_vocab)
    }
}

impl ModelArgs {
    fn config(&self, base: &Seq2SeqConfig) -> Seq2SeqConfig {
        Seq2SeqConfig {
            cell: self.cell,
            hidden: self.hidden,
            layers: self.layers,
            embedding: self.embedding,
            bidirectional_encoder: !self.one_direction,
            bridge: self.bridge,
            attention: self.attention.0,
            input_feeding: self.input_feeding,
            copy: self.copy,
            coverage: self.coverage,
            tied: self.tied,
            dropout: self.dropout,
            ..base.clone()
        }
    }
}
