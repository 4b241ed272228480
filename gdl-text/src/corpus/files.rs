//! Corpora in files and folders, and from pipes.

use super::documents::Input;
use super::{Corpus, CorpusConfig, Source};
use crate::tokens::Scratch;
use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files, by name.
#[derive(Debug)]
struct Files(Vec<PathBuf>);

/// What came through a pipe; the file goes with the last corpus of it.
#[derive(Debug)]
struct Piped(tempfile::TempPath);

impl Source for Files {
    fn inputs<'a>(&'a self, _: &'a str) -> Vec<Input<'a>> {
        self.0.iter().map(|path| file(path)).collect()
    }
}

impl Source for Piped {
    fn inputs<'a>(&'a self, _: &'a str) -> Vec<Input<'a>> {
        vec![file(&self.0)]
    }
}

fn file(path: &Path) -> Input<'_> {
    Input::new(path.display().to_string(), move |encoding| {
        let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
        // UTF-8 passes as it is, and is checked where it is cut; without a byte order mark if it has one.
        let builder = &mut encoding_rs_io::DecodeReaderBytesBuilder::new();
        let utf8 = encoding == encoding_rs::UTF_8;
        builder.encoding((!utf8).then_some(encoding)).utf8_passthru(true).strip_bom(true).bom_override(true);
        Ok(Box::new(builder.build(file)))
    })
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
        Self::new(path.display().to_string(), Arc::new(Files(files)), config)
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
        Self::new(origin, Arc::new(Piped(file.into_temp_path())), config)
    }

    /// Where tokens are kept that are too many for memory, while they are needed. Default: the system's folder for temporary
    /// files.
    pub fn with_scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = Scratch::at(folder);
        self
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
