//! The flags of `gdl seq2seq train`, and the settings they come to.

use crate::commands::{text::CourseArgs, values};
use clap::Args;
use gdl_seq2seq::{Attention, Bridge, Cell, Seq2SeqConfig, Tied};
use gdl_text::drawn::Task;
use gdl_text::seq2seq::{TeacherForcing, TrainConfig};
use gdl_text::{EpochDecay, Length, Level, TokenizerConfig, WordSplit};

/// The settings' flags by name, which a run that goes on has already.
pub(super) const SETTINGS: [&str; 29] = [
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
    "teacher_forcing",
    "lr_decay",
    "lr_decay_after",
    "lr_decay_every",
    "max_source",
    "max_target",
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
    rows: RowArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens")]
struct TokenArgs {
    /// What a token is: a character, a word, or a run of bytes learnt from the texts [default: word, or what a drawn task is
    /// meant for]
    #[arg(long, value_name = "char|word|bpe|unigram",
        value_parser = values::named::<Level>(&["char", "word", "bpe", "unigram"]))]
    level: Option<Level>,
    /// What a word is: punctuation marks are tokens of their own, or what stands between spaces is one [default: punctuation;
    /// space of a drawn task]
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
struct RowArgs {
    /// Factor on the learning rate after --lr-decay-after passes, and again after every --lr-decay-every more
    #[arg(long, value_name = "X", value_parser = values::positive)]
    lr_decay: Option<f64>,
    /// Passes at the full rate
    #[arg(long, value_name = "N", default_value_t = 1, requires = "lr_decay")]
    lr_decay_after: usize,
    /// Passes between two falls of the rate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count, requires = "lr_decay")]
    lr_decay_every: usize,
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

impl SettingArgs {
    /// How long to train, where it was said.
    pub(super) fn length(&self) -> Option<Length> {
        self.course.length()
    }

    /// The settings for such a task, if it is one that is drawn.
    pub(super) fn config(&self, task: Option<Task>) -> TrainConfig {
        let rows = &self.rows;
        let level = self.tokens.level.or(task.map(Task::level)).unwrap_or(Level::Word);
        let mut config = TrainConfig::new(level);
        if task.is_some() && level == Level::Word {
            config.tokenizer.words = WordSplit::Space;
        }
        self.course.apply(&mut config);
        config.tokenizer = self.tokens.config(config.tokenizer);
        config.shared = (config.shared || self.tokens.shared) && !self.tokens.separate;
        config.model = self.model.config(&config.model);
        config.init_range = (!self.model.torch_init).then_some(self.model.init_range);
        config.loss.coverage = self.model.coverage_loss.unwrap_or(0.0);
        config.decay = rows.lr_decay.map(|gamma| EpochDecay {
            after: rows.lr_decay_after,
            every: rows.lr_decay_every,
            gamma,
        });
        config.teacher_forcing = rows.teacher_forcing;
        (config.max_source, config.max_target) = (rows.max_source, rows.max_target);
        config
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
