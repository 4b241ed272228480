//! The flags of `gdl text train`, and the settings they come to.

use crate::commands::values;
use crate::console::UsageError;
use anyhow::Result;
use clap::Args;
use gdl_text::{
    Anneal, Cell, CorpusConfig, EpochDecay, Layout, Length, Level, ModelConfig, OptimizerKind, Preset, Split,
    SplitBy, Stemming, Tokenizer, TokenizerConfig, TrainConfig, WordSplit,
};
use gdl_train::report::ReportOptions;
use std::path::PathBuf;

/// The settings' flags by name, for what excludes them: those that say what the model is and reads, which one that is begun from says
/// itself,
pub(super) const MODEL: [&str; 15] = [
    "preset",
    "level",
    "tokenizer",
    "words",
    "max_vocab",
    "byte_fallback",
    "min_count",
    "keep_case",
    "stem",
    "cell",
    "hidden",
    "layers",
    "embedding",
    "tied",
    "init_range",
];

/// and the others.
pub(super) const COURSE: [&str; 35] = [
    "documents",
    "before_each",
    "after_each",
    "encoding",
    "bidirectional",
    "dropout",
    "input_dropout",
    "output_dropout",
    "locked_dropout",
    "embedding_dropout",
    "weight_drop",
    "batch",
    "seq",
    "random_seq",
    "windows",
    "optimizer",
    "lr",
    "schedule",
    "lr_decay",
    "lr_decay_after",
    "lr_decay_every",
    "weight_decay",
    "clip",
    "activation_reg",
    "temporal_reg",
    "non_monotone",
    "patience",
    "valid_fraction",
    "test_fraction",
    "split_by",
    "eval_every",
    "no_html",
    "no_tensorboard",
    "seed",
    "eval_each_epoch",
];

/// What is trained, and how.
#[derive(Debug, Args)]
pub(crate) struct SettingArgs {
    /// Settings that belong together, which other flags may change: book (the book's model), torch-rnn (its defaults), zaremba
    /// (the small model of Zaremba et al. 2014), awd (AWD-LSTM)
    #[arg(long, value_name = "NAME", value_parser = ["book", "torch-rnn", "zaremba", "awd"])]
    preset: Option<String>,
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
    /// What a token is: a character, a word, or a run of bytes learnt from the text [default: char]
    #[arg(long, value_name = "char|word|bpe|unigram",
        value_parser = values::named::<Level>(&["char", "word", "bpe", "unigram"]))]
    level: Option<Level>,
    /// Take the tokens of this tokenizer.json
    #[arg(long, value_name = "FILE", conflicts_with_all =
        ["level", "min_count", "keep_case", "stem", "words", "max_vocab", "byte_fallback"])]
    tokenizer: Option<PathBuf>,
    /// Tokens seen less often become the unknown token, pairs seen less often are not merged [default: 1 for characters, 2 for
    /// words and bpe]
    #[arg(long, value_name = "N", value_parser = values::count)]
    min_count: Option<usize>,
    /// Keep upper and lower case apart (word level)
    #[arg(long)]
    keep_case: bool,
    /// What a word is: punctuation marks are tokens of their own, or what stands between spaces is one [default: punctuation; space
    /// for the presets zaremba and awd]
    #[arg(long, value_name = "punctuation|space",
        value_parser = values::named::<WordSplit>(&["punctuation", "space"]))]
    words: Option<WordSplit>,
    /// The largest vocabulary, of the most frequent tokens [default: 4096 for bpe and unigram, no limit for others]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_vocab: Option<usize>,
    /// Spell characters that the vocabulary does not have in bytes (character level)
    #[arg(long)]
    byte_fallback: bool,
    /// Reduce words to their stems (word level, English)
    #[arg(long)]
    stem: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
struct ModelArgs {
    /// The recurrent cell [default: lstm]
    #[arg(long, value_name = "lstm|gru", value_parser = values::named::<Cell>(&["lstm", "gru"]))]
    cell: Option<Cell>,
    /// Width of each recurrent layer [default: 128]
    #[arg(long, value_name = "N", value_parser = values::count)]
    hidden: Option<usize>,
    /// Number of recurrent layers [default: 2]
    #[arg(long, value_name = "N", value_parser = values::count)]
    layers: Option<usize>,
    /// Width of the token embedding [default: that of the hidden layers]
    #[arg(long, value_name = "N", value_parser = values::count)]
    embedding: Option<usize>,
    /// Score tokens by their embeddings; the last layer gets their width
    #[arg(long)]
    tied: bool,
    /// Refused: a layer that reads backwards has seen what it is to predict
    #[arg(long, hide = true)]
    bidirectional: bool,
    /// Start embedding and scores uniformly within so much of 0, instead of as PyTorch does
    #[arg(long, value_name = "X", value_parser = values::positive)]
    init_range: Option<f64>,
    /// Dropout between layers, and into and out of them where the next two do not say otherwise [default: 0]
    #[arg(long, value_name = "P", value_parser = values::fraction)]
    dropout: Option<f64>,
    /// Dropout of the embeddings' features
    #[arg(long, value_name = "P", value_parser = values::fraction)]
    input_dropout: Option<f64>,
    /// Dropout of the last layer's features
    #[arg(long, value_name = "P", value_parser = values::fraction)]
    output_dropout: Option<f64>,
    /// Drop the same features at every token of a step
    #[arg(long)]
    locked_dropout: bool,
    /// Dropout of whole embeddings [default: 0]
    #[arg(long, value_name = "P", value_parser = values::fraction)]
    embedding_dropout: Option<f64>,
    /// Dropout of the weights from state to state [default: 0]
    #[arg(long, value_name = "P", value_parser = values::fraction)]
    weight_drop: Option<f64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Course")]
struct CourseArgs {
    /// Streams of text read side by side [default: 50]
    #[arg(long, value_name = "N", value_parser = values::count)]
    batch: Option<usize>,
    /// Steps that the gradient goes back [default: 50]
    #[arg(long, value_name = "N", value_parser = values::count)]
    seq: Option<usize>,
    /// Draw the length of each step around --seq
    #[arg(long)]
    random_seq: bool,
    /// Read every window of --seq tokens by itself, in random order, and predict what follows it, as the book does
    #[arg(long)]
    windows: bool,
    /// Passes over the training text, counted from the first ever [default: 20]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Optimizer steps, instead of --epochs, counted from the first ever
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// What changes the weights [default: adam]
    #[arg(long, value_name = "NAME",
        value_parser = values::choice(&["adam", "rmsprop", "sgd", "nt-asgd"], optimizer_named))]
    optimizer: Option<OptimizerKind>,
    /// Learning rate [default: 0.002]
    #[arg(long, value_name = "RATE", value_parser = values::positive)]
    lr: Option<f64>,
    /// How the learning rate falls over the whole training [default: constant]
    #[arg(long, value_name = "HOW", value_parser = values::named::<Anneal>(&["constant", "linear", "cosine"]))]
    schedule: Option<Anneal>,
    /// Factor on the learning rate after --lr-decay-after passes, and again after every --lr-decay-every more
    #[arg(long, value_name = "X", value_parser = values::positive)]
    lr_decay: Option<f64>,
    /// Passes at the full rate [default: 1]
    #[arg(long, value_name = "N", requires = "lr_decay")]
    lr_decay_after: Option<usize>,
    /// Passes between two falls of the rate [default: 1]
    #[arg(long, value_name = "N", value_parser = values::count, requires = "lr_decay")]
    lr_decay_every: Option<usize>,
    /// Weight decay [default: 0]
    #[arg(long, value_name = "X", value_parser = values::non_negative)]
    weight_decay: Option<f64>,
    /// Largest norm of the gradient [default: 5]
    #[arg(long, value_name = "NORM", value_parser = values::positive)]
    clip: Option<f64>,
    /// Weight of the mean square of the last layer's output [default: 0]
    #[arg(long, value_name = "X", value_parser = values::non_negative)]
    activation_reg: Option<f64>,
    /// Weight of the mean square of its change from token to token [default: 0]
    #[arg(long, value_name = "X", value_parser = values::non_negative)]
    temporal_reg: Option<f64>,
    /// The last validations that nt-asgd does not compare with [default: 5]
    #[arg(long, value_name = "N")]
    non_monotone: Option<usize>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Validation and records")]
struct CheckArgs {
    /// Part of the text that is kept for validation, behind the training part [default: 0.05]
    #[arg(long, value_name = "PART", value_parser = values::fraction)]
    valid_fraction: Option<f64>,
    /// Part of the text that is kept for a test, at its end [default: 0.05]
    #[arg(long, value_name = "PART", value_parser = values::fraction)]
    test_fraction: Option<f64>,
    /// Keep back a stretch of the text, or whole documents from all over it [default: position]
    #[arg(long, value_name = "position|documents",
        value_parser = values::named::<SplitBy>(&["position", "documents"]))]
    split_by: Option<SplitBy>,
    /// Steps between two validations, each followed by a checkpoint; 0 for one at the end alone [default: 500; presets have one
    /// after each pass]
    #[arg(long, value_name = "N")]
    eval_every: Option<usize>,
    /// Validate after each pass over the text too
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

fn optimizer_named(name: &str) -> OptimizerKind {
    match name {
        "rmsprop" => OptimizerKind::RmsProp,
        "sgd" => OptimizerKind::Sgd,
        "nt-asgd" => OptimizerKind::NtAsgd,
        _ => OptimizerKind::Adam,
    }
}

impl SettingArgs {
    /// How the preset reads its text.
    pub(super) fn reading(&self) -> Result<CorpusConfig> {
        Ok(match &self.preset {
            Some(name) => name.parse::<Preset>()?.reading(),
            None => CorpusConfig::default(),
        })
    }

    /// The tokenizer that was named.
    pub(super) fn tokenizer(&self) -> Result<Option<Tokenizer>> {
        let load = |file| Tokenizer::load(file, &TokenizerConfig::new(Level::Custom));
        Ok(self.tokens.tokenizer.as_ref().map(load).transpose()?)
    }

    /// How long to train, where it was said.
    pub(super) fn length(&self) -> Option<Length> {
        let CourseArgs { epochs, steps, .. } = self.course;
        steps.map(Length::Steps).or(epochs.map(Length::Epochs))
    }

    /// The preset's settings, or the usual ones, with what the flags say instead.
    pub(super) fn config(&self) -> Result<TrainConfig> {
        let base = match &self.preset {
            Some(name) => name.parse::<Preset>()?.config(),
            None => TrainConfig { length: Length::Epochs(20), ..TrainConfig::default() },
        };
        let (course, checks) = (&self.course, &self.checks);
        let decay = match course.lr_decay {
            Some(gamma) => Some(EpochDecay {
                after: course.lr_decay_after.unwrap_or(1),
                every: course.lr_decay_every.unwrap_or(1),
                gamma,
            }),
            None => base.decay,
        };
        Ok(TrainConfig {
            tokenizer: self.tokens.config(base.tokenizer),
            model: self.model.config(base.model)?,
            batch: course.batch.unwrap_or(base.batch),
            seq: course.seq.unwrap_or(base.seq),
            random_seq: course.random_seq || base.random_seq,
            layout: if course.windows { Layout::Windows } else { base.layout },
            length: self.length().unwrap_or(base.length),
            optimizer: course.optimizer.unwrap_or(base.optimizer),
            learning_rate: course.lr.unwrap_or(base.learning_rate),
            anneal: course.schedule.unwrap_or(base.anneal),
            decay,
            weight_decay: course.weight_decay.unwrap_or(base.weight_decay),
            clip: course.clip.unwrap_or(base.clip),
            activation_reg: course.activation_reg.unwrap_or(base.activation_reg),
            temporal_reg: course.temporal_reg.unwrap_or(base.temporal_reg),
            non_monotone: course.non_monotone.unwrap_or(base.non_monotone),
            split: Split {
                valid: checks.valid_fraction.unwrap_or(base.split.valid),
                test: checks.test_fraction.unwrap_or(base.split.test),
                by: checks.split_by.unwrap_or(base.split.by),
            },
            eval_every: checks.eval_every.unwrap_or(base.eval_every),
            eval_each_epoch: checks.eval_each_epoch || (base.eval_each_epoch && checks.eval_every.is_none()),
            patience: checks.patience.or(base.patience),
            seed: self.seed,
            report: ReportOptions { html: !checks.no_html, tensorboard: !checks.no_tensorboard },
            schedule: base.schedule,
        })
    }
}

impl TokenArgs {
    fn config(&self, base: TokenizerConfig) -> TokenizerConfig {
        let mut config = match self.level {
            Some(level) if level != base.level => TokenizerConfig::new(level),
            _ => base,
        };
        if self.tokenizer.is_some() {
            return TokenizerConfig::new(Level::Custom);
        }
        if let Some(min_count) = self.min_count {
            config = config.min_count(min_count);
        }
        if self.keep_case {
            config = config.lowercase(false);
        }
        if let Some(words) = self.words {
            config = config.words(words);
        }
        if self.max_vocab.is_some() {
            config = config.max_vocab(self.max_vocab);
        }
        if self.byte_fallback {
            config = config.byte_fallback(true);
        }
        if self.stem {
            config = config.stemming(Some(Stemming::English));
        }
        config
    }
}

impl ModelArgs {
    fn config(&self, base: ModelConfig) -> Result<ModelConfig> {
        if self.bidirectional {
            let message = "--bidirectional: a layer that reads the text backwards has seen the token that it is to \
                           predict; such layers tag and encode texts (gdl-rnn, gdl-seq2seq), they do not write";
            return Err(UsageError(message.to_string()).into());
        }
        // Vectors as wide as the layers, where a preset has them so.
        let hidden = self.hidden.unwrap_or(base.hidden);
        let embedding = if base.embedding == base.hidden { hidden } else { base.embedding };
        Ok(ModelConfig {
            cell: self.cell.unwrap_or(base.cell),
            hidden,
            layers: self.layers.unwrap_or(base.layers),
            embedding: self.embedding.unwrap_or(embedding),
            tied: self.tied || base.tied,
            init_range: self.init_range.or(base.init_range),
            dropout: self.dropout.unwrap_or(base.dropout),
            input_dropout: self.input_dropout.or(base.input_dropout),
            output_dropout: self.output_dropout.or(base.output_dropout),
            locked_dropout: self.locked_dropout || base.locked_dropout,
            embedding_dropout: self.embedding_dropout.unwrap_or(base.embedding_dropout),
            weight_drop: self.weight_drop.unwrap_or(base.weight_drop),
            window: base.window,
        })
    }
}
