use std::path::PathBuf;

/// What can go wrong with corpora, vocabularies, prompts and runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A corpus that cannot be opened or read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file without text.
    #[error("{origin} is empty: there is nothing to learn from or to score; name a file with text")]
    Empty {
        /// The file.
        origin: String,
    },
    /// Text that is not UTF-8.
    #[error("{} is not UTF-8 text: byte {offset} (line {line}) is 0x{byte:02X}; name its encoding (windows-1252 is that \
         of most old Western files)", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where the first wrong byte is, counted from 0.
        offset: usize,
        /// The line it is on, counted from 1.
        line: usize,
        /// The byte.
        byte: u8,
    },
    /// A file that is no text.
    #[error("{origin} is a binary file: byte {offset} is 0; name a file with text")]
    Binary {
        /// The file.
        origin: String,
        /// Where the first 0 is, counted from 0.
        offset: usize,
    },
    /// A file that is not in the encoding named.
    #[error("{origin} has bytes that are no {encoding}: name the encoding that it was written in")]
    NotDecoded {
        /// The file.
        origin: String,
        /// The encoding.
        encoding: String,
    },
    /// A table that has not what it should.
    #[error("{origin}, line {line}: {message}")]
    Table {
        /// The file.
        origin: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A folder in which no temporary file can be made or filled.
    #[error("cannot keep tokens in {}: {source}; it takes up to 4 bytes each", path.display())]
    Scratch {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Too few tokens for one step.
    #[error(
        "{origin} is too short: {part} {have} tokens, and one step of batch {batch} x seq {seq} takes at least \
         {need}; lower batch or seq, or give more text"
    )]
    TooShort {
        /// The file.
        origin: String,
        /// What is too short: "its training part has".
        part: &'static str,
        /// How many tokens there are.
        have: usize,
        /// How many it takes.
        need: usize,
        /// Streams side by side.
        batch: usize,
        /// Steps of each.
        seq: usize,
    },
    /// Fewer than two different tokens: whatever the model says is right.
    #[error(
        "{origin} has {have} different token(s) besides the unknown one: it takes two to learn anything{hint}"
    )]
    Vocabulary {
        /// The file.
        origin: String,
        /// How many there are.
        have: usize,
        /// What to try, where there is something.
        hint: &'static str,
    },
    /// A text too short to predict anything in it.
    #[error("{origin} has {have} token(s): scoring takes at least 2")]
    NothingToScore {
        /// The file.
        origin: String,
        /// How many tokens there are.
        have: usize,
    },
    /// A prompt with characters that the model has never seen.
    #[error(
        "the prompt has characters that this model has never seen: {unseen}; leave them out, it knows {known}"
    )]
    Unseen {
        /// The characters.
        unseen: String,
        /// Those of the vocabulary.
        known: String,
    },
    /// A tokenizer that cannot be built or read.
    #[error("{origin}: no usable tokenizer: {message}")]
    Tokenizer {
        /// The file, or "the tokenizer".
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// A saved tokenizer, configuration or text other than the one the weights were trained with.
    #[error("{origin} does not fit this run: {message}")]
    Mismatch {
        /// The file.
        origin: String,
        /// What was expected and what was found.
        message: String,
    },
    /// A file of weights that is not that of such a language model as there are here.
    #[error("{origin} cannot be imported: {message}")]
    Import {
        /// The file.
        origin: String,
        /// What is wrong, with the names of tensors.
        message: String,
    },
    /// A file that is no vocabulary, or not that of the weights.
    #[error("{} is not the vocabulary: {message}", path.display())]
    VocabularyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A setting outside its range.
    #[error("{key}: {message}")]
    Setting {
        /// The setting's name.
        key: &'static str,
        /// What it must be, and what it was.
        message: String,
    },
    /// A regular expression that cannot be used, or that nothing matches.
    #[error("the pattern {pattern:?}: {message}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// What is wrong.
        message: String,
    },
    /// Every token is banned.
    #[error(
        "after {written} tokens none is left to go on with: what is banned, the pattern and the n-grams that must \
         not repeat leave nothing; relax one of them"
    )]
    DeadEnd {
        /// Tokens written before.
        written: usize,
    },
    /// A file that is no prompt's state of this model.
    #[error("{}: {message}; name another file, and the prompt will be read anew", path.display())]
    PromptState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A prompt that does not begin with the one whose state was saved.
    #[error("the prompt does not begin with the one whose state was saved, {saved:?}, in the same tokens")]
    OtherPrompt {
        /// The saved one.
        saved: String,
    },
    /// A loss that is not a number any more.
    #[error("the loss became {loss} at step {step}: lower the learning rate or the clip norm")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// Something about the run directory, its files or the optimizer.
    #[error(transparent)]
    Train(#[from] gdl_train::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn setting(key: &'static str, message: impl Into<String>) -> Self {
        Self::Setting { key, message: message.into() }
    }

    pub(crate) fn import(origin: &str, message: impl Into<String>) -> Self {
        Self::Import { origin: origin.to_string(), message: message.into() }
    }

    pub(crate) fn tokenizer(origin: &str, message: impl std::fmt::Display) -> Self {
        Self::Tokenizer { origin: origin.to_string(), message: message.to_string() }
    }
}
