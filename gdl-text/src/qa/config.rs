use crate::config::at_least_one;
use crate::seq2seq::{self, TeacherForcing};
use crate::{Anneal, Error, Level, Result, TokenizerConfig, WordSplit};
use gdl_seq2seq::{Cell, Features, Seq2SeqConfig};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How questions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From the answer's words alone, as the passage's reader has them.
    Book,
    /// From the whole passage, by attention and copying.
    Pointer,
}

/// Vectors of words to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorsConfig {
    /// The file, in GloVe's text format; a training that goes on does not read it again.
    pub path: PathBuf,
    /// Whether tables of vectors stay as they are, with what was drawn for words that the file does not have. Default false.
    #[serde(default)]
    pub freeze: bool,
}

/// How to train a [`Model`](super::Model).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How questions are written.
    pub kind: Kind,
    /// Features of each direction of the GRU that marks answers. Default 100.
    pub tagger: usize,
    /// Vectors of words to begin with, whose size [`embedding`](Seq2SeqConfig::embedding) then is. Default: all are drawn.
    pub vectors: Option<VectorsConfig>,
    /// All else, as for other encoder-decoders, with `max_source` for passages and `max_target` for questions. Words are what spaces part,
    /// in one vocabulary; of the tokenizer's `min_count`, a passage with its questions counts once however often it has a word. `model` is the network that writes; of the book's kind `embedding`, `hidden` and `dropout` alone count.
    pub training: seq2seq::TrainConfig,
}

impl TrainConfig {
    /// The book's: vectors of 100, GRUs of 100 features in each direction and of 200 to read the answer and to write, all in lower case,
    /// weights that start as PyTorch's layers do, Adam at a rate of 0.001.
    pub fn book() -> Self {
        let model = Seq2SeqConfig {
            embedding: 100,
            hidden: 200,
            layers: 1,
            cell: Cell::Gru,
            bidirectional_encoder: false,
            attention: None,
            ..Seq2SeqConfig::new(0, 0)
        };
        let training =
            seq2seq::TrainConfig { model, init_range: None, anneal: Anneal::Constant, ..Self::words(true) };
        Self { kind: Kind::Book, tagger: 100, vectors: None, training }
    }

    /// The better one: vectors of 128, a bidirectional LSTM of 256 with general attention and copying, a vector of 16 for whether a word is
    /// part of the answer, dropout of 0.2, words with their case that are in 5 passages, the rate falling in a line from 0.001.
    pub fn pointer() -> Self {
        let features = Some(Features { values: 2, size: 16 });
        let model = Seq2SeqConfig { copy: true, dropout: 0.2, features, ..Seq2SeqConfig::new(0, 0) };
        let mut training = seq2seq::TrainConfig { model, ..Self::words(false) };
        // What is rare is copied, and how that is done is learned from words that are not in the vocabulary.
        training.tokenizer.min_count = 5;
        Self { kind: Kind::Pointer, tagger: 100, vectors: None, training }
    }

    fn words(lowercase: bool) -> seq2seq::TrainConfig {
        seq2seq::TrainConfig {
            tokenizer: TokenizerConfig::new(Level::Word).words(WordSplit::Space).lowercase(lowercase),
            shared: true,
            ..seq2seq::TrainConfig::new(Level::Word)
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.training.check()?;
        at_least_one("tagger", self.tagger)?;
        let seq2seq::TrainConfig { tokenizer, shared, model, teacher_forcing, .. } = &self.training;
        if (tokenizer.level, tokenizer.words) != (Level::Word, WordSplit::Space)
            || tokenizer.stemming.is_some()
        {
            return Err(Error::setting(
                "tokenizer",
                "answers are counted in words as spaces part them: no other tokens do",
            ));
        }
        if !shared {
            return Err(Error::setting("shared", "passages and questions have one vocabulary"));
        }
        match self.kind {
            Kind::Book => {
                let plain = model.cell == Cell::Gru && model.layers == 1 && model.attention.is_none();
                if !plain || model.features.is_some() {
                    let message =
                        "the book's network writes with one GRU layer, without attention and features";
                    return Err(Error::setting("model", message));
                }
                if *teacher_forcing != TeacherForcing::Always {
                    return Err(Error::setting(
                        "teacher forcing",
                        "the book's network always reads the right word",
                    ));
                }
            }
            Kind::Pointer if model.features.is_none_or(|features| features.values != 2) => {
                return Err(Error::setting(
                    "features",
                    "there are two: a word is part of the answer, or is not",
                ));
            }
            Kind::Pointer => {}
        }
        Ok(())
    }
}
