mod config;
mod documents;
mod parts;
mod text;

pub use config::{CorpusConfig, Documents, Split, SplitBy};
pub(crate) use documents::refused;
pub(crate) use parts::{Blocks, cut};
pub use parts::{Part, Parts};

use crate::{Error, Result, builtin};
use documents::{Input, Piece, Reader};
use gdl_kernels::Fnv1a;
use std::io::Read;
use std::path::{Path, PathBuf};
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
    source: Source,
    config: CorpusConfig,
    size: Size,
    scratch: PathBuf,
}

#[derive(Debug, Clone)]
enum Source {
    Text(Arc<str>),
    Files(Vec<PathBuf>),
    /// What came through a pipe; the file goes with the last corpus of it.
    Piped(Arc<tempfile::TempPath>),
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
    /// Reads one UTF-8 file, or a folder with everything that is in it: [`open`](Self::open) with the default settings.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::open(path, CorpusConfig::default())
    }

    /// A file, or all files in a folder and the folders in it, by name; what begins with a point is left out. They are read once,
    /// to see that they can be and how much there is. A byte order mark at a file's start is dropped.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::NotUtf8`] with the place of the first wrong byte, [`Error::Binary`], [`Error::NotDecoded`],
    /// [`Error::Table`] with the line, [`Error::Setting`] for an encoding that there is not, and [`Error::Empty`] when there is
    /// nothing but white space.
    pub fn open(path: impl AsRef<Path>, config: CorpusConfig) -> Result<Self> {
        let path = path.as_ref();
        let files = if path.is_dir() { files_in(path)? } else { vec![path.into()] };
        Self::new(path.display().to_string(), Source::Files(files), config)
    }

    /// What a reader gives, to its end, kept in a temporary file for as long as there is the corpus: standard input, for one.
    /// `origin` names it in errors.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn from_reader(
        origin: impl Into<String>,
        mut reader: impl Read,
        config: CorpusConfig,
    ) -> Result<Self> {
        let origin = origin.into();
        let refused = |source| Error::Read { path: origin.clone().into(), source };
        let mut file = tempfile::NamedTempFile::new().map_err(refused)?;
        std::io::copy(&mut reader, &mut file).map_err(refused)?;
        let source = Source::Piped(Arc::new(file.into_temp_path()));
        Self::new(origin, source, config)
    }

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
        Self::new(origin.into(), Source::Text(text.into().into()), config)
    }

    /// The fables inside this crate ([`builtin::FABLES`]).
    ///
    /// # Errors
    /// None in practice: the text is not empty.
    pub fn fables() -> Result<Self> {
        Self::from_text("builtin:fables", builtin::FABLES)
    }

    fn new(origin: String, source: Source, config: CorpusConfig) -> Result<Self> {
        let scratch = std::env::temp_dir();
        let mut corpus = Self { origin, source, config, size: Size::default(), scratch };
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

    /// Where tokens are kept that are too many for memory, while they are needed. Default: the system's folder for temporary
    /// files.
    pub fn with_scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = folder.into();
        self
    }

    pub(crate) fn scratch(&self) -> &Path {
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
        Reader::new(self.inputs(), &self.config).map(move |piece| {
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

    fn inputs(&self) -> Vec<Input<'_>> {
        match &self.source {
            Source::Text(text) => vec![Input::Memory { name: &self.origin, text }],
            Source::Files(files) => files.iter().map(|path| Input::File(path)).collect(),
            Source::Piped(path) => vec![Input::File(path)],
        }
    }
}

/// The files in a folder and the folders in it, by name.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let refused = |source| Error::Read { path: folder.into(), source };
    let mut entries = std::fs::read_dir(folder)
        .and_then(|all| all.collect::<std::io::Result<Vec<_>>>())
        .map_err(refused)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link to a folder is not followed: it may lead back here.
        if entry.file_type().map_err(refused)?.is_dir() {
            files.extend(files_in(&path)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}
