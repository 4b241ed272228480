//! The flags of `gdl text qa train`, and the settings they come to.

use crate::commands::{text::CourseArgs, values};
use clap::Args;
use gdl_seq2seq::{Attention, Cell};
use gdl_text::Length;
use gdl_text::qa::{Kind, TrainConfig, VectorsConfig};
use std::path::PathBuf;

/// The settings' flags by name, which a run that goes on has already.
pub(super) const SETTINGS: [&str; 19] = [
    "preset",
    "vectors",
    "freeze_vectors",
    "lowercase",
    "keep_case",
    "min_count",
    "max_vocab",
    "tagger",
    "embedding",
    "hidden",
    "cell",
    "layers",
    "attention",
    "no_copy",
    "dropout",
    "init_range",
    "torch_init",
    "max_passage",
    "max_question",
];

/// What is trained, and how.
#[derive(Debug, Args)]
pub(super) struct SettingArgs {
    /// How questions are written: from the answer's words alone, as the book has it, or from the whole passage, by attention and copying
    #[arg(long, value_name = "book|pointer", default_value = "pointer",
        value_parser = values::named::<Kind>(&["book", "pointer"]))]
    preset: Kind,
    #[command(flatten)]
    words: WordArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    lengths: LengthArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Words")]
struct WordArgs {
    /// Begin with the vectors of this file, in GloVe's text format; the size of vectors is theirs
    #[arg(long, value_name = "FILE", conflicts_with = "embedding")]
    vectors: Option<PathBuf>,
    /// Leave all vectors of words as they are
    #[arg(long, requires = "vectors")]
    freeze_vectors: bool,
    /// Make everything lower case [default of the book's]
    #[arg(long, conflicts_with = "keep_case")]
    lowercase: bool,
    /// Tell Words from words [default of pointer]
    #[arg(long)]
    keep_case: bool,
    /// Words that fewer passages (with their questions) have become the unknown word [default: 2 of the book's, 5 of pointer]
    #[arg(long, value_name = "N", value_parser = values::count)]
    min_count: Option<usize>,
    /// The largest vocabulary, of the most frequent words [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_vocab: Option<usize>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
struct ModelArgs {
    /// Width of each direction of the layer that finds answers
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = values::count)]
    tagger: usize,
    /// Width of a word's vector [default: 100 of the book's, 128 of pointer]
    #[arg(long, value_name = "N", value_parser = values::count)]
    embedding: Option<usize>,
    /// Width of the layers that write; of pointer the two directions that read have half of it each [default: 200 of the book's, 256 of pointer]
    #[arg(long, value_name = "N", value_parser = values::count)]
    hidden: Option<usize>,
    /// The recurrent cell, of pointer [default: lstm]
    #[arg(long, value_name = "lstm|gru", value_parser = values::named::<Cell>(&["lstm", "gru"]))]
    cell: Option<Cell>,
    /// Number of recurrent layers that read and that write, of pointer [default: 1]
    #[arg(long, value_name = "N", value_parser = values::count)]
    layers: Option<usize>,
    /// How it looks back at the passage, of pointer: dot, general, additive [default: general]
    #[arg(long, value_name = "NAME", value_parser = values::named::<Attention>(&["dot", "general", "additive"]))]
    attention: Option<Attention>,
    /// Copy no words from the passage, of pointer
    #[arg(long)]
    no_copy: bool,
    /// Dropout of vectors, between layers and before the output layers [default: 0 of the book's, 0.2 of pointer]
    #[arg(long, value_name = "P", value_parser = values::fraction)]
    dropout: Option<f64>,
    /// Start all weights uniformly within so much of 0 [default: 0.1 of pointer]
    #[arg(long, value_name = "X", value_parser = values::positive, conflicts_with = "torch_init")]
    init_range: Option<f64>,
    /// Start weights as PyTorch's layers do instead [default of the book's]
    #[arg(long)]
    torch_init: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Course")]
struct LengthArgs {
    /// Leave questions out whose passage has more words [default: none]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_passage: Option<usize>,
    /// Leave questions out that have more words [default: none]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_question: Option<usize>,
}

impl SettingArgs {
    /// How long to train, where it was said.
    pub(super) fn length(&self) -> Option<Length> {
        self.course.length()
    }

    pub(super) fn config(&self) -> TrainConfig {
        let Self { words, lengths, .. } = self;
        let mut config = match self.preset {
            Kind::Book => TrainConfig::book(),
            Kind::Pointer => TrainConfig::pointer(),
        };
        self.model.apply(&mut config);
        config.vectors =
            words.vectors.clone().map(|path| VectorsConfig { path, freeze: words.freeze_vectors });
        let training = &mut config.training;
        let lowercase = (training.tokenizer.lowercase || words.lowercase) && !words.keep_case;
        training.tokenizer.lowercase = lowercase;
        training.tokenizer.min_count = words.min_count.unwrap_or(training.tokenizer.min_count);
        training.tokenizer.max_vocab = words.max_vocab;
        (training.max_source, training.max_target) = (lengths.max_passage, lengths.max_question);
        self.course.apply(training);
        config
    }
}

impl ModelArgs {
    /// Of the book's kind, what it has not got is refused by the library.
    fn apply(&self, config: &mut TrainConfig) {
        config.tagger = self.tagger;
        config.training.init_range =
            self.init_range.or(config.training.init_range).filter(|_| !self.torch_init);
        let model = &mut config.training.model;
        model.embedding = self.embedding.unwrap_or(model.embedding);
        model.hidden = self.hidden.unwrap_or(model.hidden);
        model.cell = self.cell.unwrap_or(model.cell);
        model.layers = self.layers.unwrap_or(model.layers);
        model.attention = self.attention.or(model.attention);
        model.copy &= !self.no_copy;
        model.dropout = self.dropout.unwrap_or(model.dropout);
    }
}
