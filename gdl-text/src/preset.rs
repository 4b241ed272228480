use crate::{
    Cell, CorpusConfig, Documents, EpochDecay, Error, Layout, Length, Level, ModelConfig, OptimizerKind,
    Result, Split, TokenizerConfig, TrainConfig, WordSplit,
};
use std::fmt;
use std::str::FromStr;

/// Settings that belong together, from the literature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The language model of *Generative Deep Learning*, chapter 6: vectors of 100, one LSTM layer of 256, words in lower
    /// case, every window of 20 of them, RMSprop.
    Book,
    /// The defaults of torch-rnn: characters, vectors of 64, two LSTM layers of 128, the rate halved every 5 passes.
    TorchRnn,
    /// The small model of Zaremba et al. 2014: words as spaces part them, two LSTM layers of 200, gradient descent, the rate halved
    /// after each pass from the fifth on.
    Zaremba,
    /// AWD-LSTM (Merity et al. 2017) with its settings for the Penn Treebank: such words, three layers of 1150, tied vectors of 400,
    /// weight drop and the four dropouts, activation regularisation, random lengths, NT-ASGD.
    Awd,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Book, Self::TorchRnn, Self::Zaremba, Self::Awd];

    /// How it reads its text: the book's stories, parted by four blank lines or more, begin with 20 times `|` each, which is what
    /// a text is begun from too; the others take whole files.
    pub fn reading(self) -> CorpusConfig {
        match self {
            Self::Book => CorpusConfig {
                documents: Documents::Blank(4),
                before: "|".repeat(20),
                ..CorpusConfig::default()
            },
            _ => CorpusConfig::default(),
        }
    }

    /// Its settings.
    pub fn config(self) -> TrainConfig {
        let defaults = TrainConfig { eval_every: 0, eval_each_epoch: true, ..TrainConfig::default() };
        let words = TokenizerConfig::new(Level::Word);
        match self {
            Self::Book => TrainConfig {
                tokenizer: words.lowercase(true),
                model: ModelConfig::new(Cell::Lstm, 256, 1).embedding(100),
                batch: 32,
                seq: 20,
                layout: Layout::Windows,
                optimizer: OptimizerKind::RmsProp,
                learning_rate: 1e-3,
                ..defaults
            },
            Self::TorchRnn => TrainConfig {
                model: ModelConfig::new(Cell::Lstm, 128, 2).embedding(64),
                length: Length::Epochs(50),
                decay: Some(EpochDecay { after: 5, every: 5, gamma: 0.5 }),
                split: Split { valid: 0.1, test: 0.1, ..Split::default() },
                ..defaults
            },
            Self::Zaremba => TrainConfig {
                tokenizer: words.lowercase(false).min_count(1).words(WordSplit::Space),
                model: ModelConfig { init_range: Some(0.1), ..ModelConfig::new(Cell::Lstm, 200, 2) },
                batch: 20,
                seq: 20,
                length: Length::Epochs(13),
                optimizer: OptimizerKind::Sgd,
                // The paper's rate of 1 and norm of 5 are for the loss summed over the 20 tokens of a step; here it is their mean.
                learning_rate: 20.0,
                clip: 0.25,
                decay: Some(EpochDecay { after: 4, every: 1, gamma: 0.5 }),
                ..defaults
            },
            Self::Awd => TrainConfig {
                tokenizer: words.lowercase(false).min_count(1).words(WordSplit::Space),
                model: ModelConfig {
                    embedding: 400,
                    dropout: 0.25,
                    input_dropout: Some(0.4),
                    output_dropout: Some(0.4),
                    locked_dropout: true,
                    embedding_dropout: 0.1,
                    weight_drop: 0.5,
                    tied: true,
                    init_range: Some(0.1),
                    ..ModelConfig::new(Cell::Lstm, 1150, 3)
                },
                batch: 20,
                seq: 70,
                random_seq: true,
                length: Length::Epochs(500),
                optimizer: OptimizerKind::NtAsgd,
                learning_rate: 30.0,
                weight_decay: 1.2e-6,
                clip: 0.25,
                activation_reg: 2.0,
                temporal_reg: 1.0,
                ..defaults
            },
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Book => "book",
            Self::TorchRnn => "torch-rnn",
            Self::Zaremba => "zaremba",
            Self::Awd => "awd",
        })
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let names = || Self::ALL.map(|preset| preset.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|preset| preset.to_string() == name);
        found.ok_or_else(|| Error::setting("preset", format!("there is no {name:?}; there are {}", names())))
    }
}
