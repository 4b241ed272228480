mod config;
mod documents;
#[cfg(feature = "files")]
mod files;
mod parts;
mod text;

pub use config::{CorpusConfig, Documents, Split, SplitBy};
pub(crate) use documents::refused;
pub(crate) use parts::{Blocks, cut};
pub use parts::{Part, Parts};

use crate::tokens::Scratch;
use crate::{Error, Result, builtin};
use documents::{Input, Piece, Reader};
use gdl_kernels::Fnv1a;
use std::sync::Arc;

/// A text to learn from, and where it came from: a file, a folder, or what is in memory. Files are read anew each time that they
/// are needed, a megabyte at a time, so that a corpus may be larger than memory.
///
/// # Example
/// ```
/// use gdl_text::{Corpus, Split};
///
/// let corpus = Corpus::from_text("greetings", "hello hello hello hello ")?;
/// let parts = corpus.split(&Split { valid: 0.25, test: 0.25, ..Split::default() })?;
/// assert_eq!([parts.train, parts.valid, parts.test], ["hello hello ", "hello ", "hello "]);
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Corpus {
    origin: String,
    source: Arc<dyn Source>,
    config: CorpusConfig,
    size: Size,
    scratch: Scratch,
}

/// What a corpus is read from, as often as it is needed.
trait Source: std::fmt::Debug + Send + Sync {
    /// What is to be read, one after the other; `origin` is the corpus' name.
    fn inputs<'a>(&'a self, origin: &'a str) -> Vec<Input<'a>>;
}

/// A text in memory.
impl Source for String {
    fn inputs<'a>(&'a self, origin: &'a str) -> Vec<Input<'a>> {
        vec![Input::new(origin, |_| Ok(Box::new(self.as_bytes())))]
    }
}

/// How much there is, what stands before and behind documents included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Size {
    documents: u64,
    chars: u64,
    bytes: u64,
    fnv1a: u64,
}

impl Corpus {
    /// A text that is already there; `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::Empty`] when there is nothing but white space, [`Error::Binary`] when there is a 0 in it.
    pub fn from_text(origin: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        Self::from_text_with(origin, text, CorpusConfig::default())
    }

    /// As [`from_text`](Self::from_text), taken apart into documents as the settings say; their encoding plays no part.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text), and [`Error::Table`].
    pub fn from_text_with(
        origin: impl Into<String>,
        text: impl Into<String>,
        config: CorpusConfig,
    ) -> Result<Self> {
        Self::new(origin.into(), Arc::new(text.into()), config)
    }

    /// The fables inside this crate ([`builtin::FABLES`]).
    ///
    /// # Errors
    /// None in practice: the text is not empty.
    pub fn fables() -> Result<Self> {
        Self::from_text("builtin:fables", builtin::FABLES)
    }

    fn new(origin: String, source: Arc<dyn Source>, config: CorpusConfig) -> Result<Self> {
        let (size, scratch) = (Size::default(), Scratch::default());
        let mut corpus = Self { origin, source, config, size, scratch };
        let (mut size, mut hash, mut blank) = (Size::default(), Fnv1a::default(), true);
        for piece in corpus.pieces() {
            let Piece { text, ends } = piece?;
            blank = blank && text.trim().is_empty();
            size.documents += u64::from(ends);
            size.chars += text.chars().count() as u64;
            size.bytes += text.len() as u64;
            text.bytes().for_each(|byte| hash.update(byte));
        }
        if blank {
            return Err(Error::Empty { origin: corpus.origin });
        }
        size.fnv1a = hash.finish();
        corpus.size = size;
        Ok(corpus)
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Where the text came from, most often a path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How it is read.
    pub fn config(&self) -> &CorpusConfig {
        &self.config
    }

    /// How many documents there are.
    pub fn documents(&self) -> u64 {
        self.size.documents
    }

    /// Its characters, what stands before and behind documents included.
    pub fn chars(&self) -> u64 {
        self.size.chars
    }

    /// Its bytes in UTF-8.
    pub fn bytes(&self) -> u64 {
        self.size.bytes
    }

    /// FNV-1a of those bytes, 64 bits.
    pub fn fnv1a(&self) -> u64 {
        self.size.fnv1a
    }

    /// The whole text, in memory.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), when a file has changed.
    pub fn text(&self) -> Result<String> {
        self.texts().collect()
    }

    /// The text in pieces of any size.
    pub(crate) fn texts(&self) -> impl Iterator<Item = Result<String>> {
        self.pieces().map(|piece| Ok(piece?.text))
    }

    /// The pieces of its documents, with what stands before and behind them.
    fn pieces(&self) -> impl Iterator<Item = Result<Piece>> {
        let (mut begins, after) = (true, self.config.after());
        Reader::new(self.source.inputs(&self.origin), &self.config).map(move |piece| {
            let mut piece = piece?;
            if std::mem::replace(&mut begins, piece.ends) {
                piece.text.insert_str(0, &self.config.before);
            }
            if piece.ends {
                piece.text.push_str(&after);
            }
            Ok(piece)
        })
    }
}
