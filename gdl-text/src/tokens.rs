use crate::corpus::Blocks;
use crate::{Corpus, Error, Part, Result, Split, Tokenizer};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// As many tokens are kept in memory; more of them in a file.
const IN_MEMORY: usize = 1 << 24;

/// The tokens of a text: in memory, or, where they are many, in a temporary file that is read where it is needed and goes with the
/// last of its owners. Read by position rather than mapped: what is mapped counts as memory.
///
/// # Example
/// ```
/// use gdl_text::Tokens;
///
/// let tokens = Tokens::from(vec![5, 6, 7, 8]);
/// assert_eq!((tokens.len(), tokens.read(1..3)?), (4, vec![6, 7]));
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokens {
    kept: Kept,
    len: usize,
}

#[derive(Debug, Clone)]
enum Kept {
    Memory(Arc<Vec<u32>>),
    File { file: Arc<Mutex<File>>, width: Width, folder: PathBuf },
}

/// Bytes of a token in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    Two,
    Four,
}

impl Width {
    fn of(vocab_size: usize) -> Self {
        match vocab_size {
            0..=0x100 => Self::One,
            0x101..=0x1_0000 => Self::Two,
            _ => Self::Four,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    fn put(self, ids: &[u32]) -> Vec<u8> {
        ids.iter().flat_map(|id| id.to_le_bytes().into_iter().take(self.bytes())).collect()
    }

    fn get(self, bytes: &[u8]) -> impl Iterator<Item = u32> {
        let id = |bytes: &[u8]| bytes.iter().rev().fold(0, |id, &byte| id << 8 | u32::from(byte));
        bytes.chunks_exact(self.bytes()).map(id)
    }
}

impl From<Vec<u32>> for Tokens {
    fn from(ids: Vec<u32>) -> Self {
        Self { len: ids.len(), kept: Kept::Memory(Arc::new(ids)) }
    }
}

impl Tokens {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Some of them.
    ///
    /// # Errors
    /// [`Error::Read`] when the file cannot be read, [`Error::Setting`] when there are not so many.
    pub fn read(&self, range: Range<usize>) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(range.len());
        self.read_into(range, &mut ids)?;
        Ok(ids)
    }

    /// Adds some of them to `ids`.
    pub(crate) fn read_into(&self, range: Range<usize>, ids: &mut Vec<u32>) -> Result<()> {
        if range.start > range.end || range.end > self.len {
            let message = format!("there are {}, {}..{} were asked for", self.len, range.start, range.end);
            return Err(Error::setting("tokens", message));
        }
        match &self.kept {
            Kept::Memory(all) => ids.extend_from_slice(&all[range]),
            Kept::File { file, width, folder } => {
                let mut bytes = vec![0; range.len() * width.bytes()];
                let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                file.seek(SeekFrom::Start((range.start * width.bytes()) as u64))
                    .and_then(|_| file.read_exact(&mut bytes))
                    .map_err(|source| Error::Read { path: folder.clone(), source })?;
                ids.extend(width.get(&bytes));
            }
        }
        Ok(())
    }
}

/// Takes the tokens of a text as they come.
struct Writer<'a> {
    ids: Vec<u32>,
    file: Option<BufWriter<File>>,
    len: usize,
    width: Width,
    folder: &'a Path,
    in_memory: usize,
}

impl<'a> Writer<'a> {
    fn new(vocab_size: usize, folder: &'a Path) -> Self {
        let width = Width::of(vocab_size);
        Self { ids: Vec::new(), file: None, len: 0, width, folder, in_memory: IN_MEMORY }
    }

    fn refused(&self) -> impl Fn(std::io::Error) -> Error + use<> {
        let path = self.folder.to_path_buf();
        move |source| Error::Scratch { path: path.clone(), source }
    }

    fn add(&mut self, ids: &[u32]) -> Result<()> {
        self.len += ids.len();
        let refused = self.refused();
        if self.file.is_none() && self.len <= self.in_memory {
            self.ids.extend_from_slice(ids);
            return Ok(());
        }
        if self.file.is_none() {
            let mut file = BufWriter::new(tempfile::tempfile_in(self.folder).map_err(&refused)?);
            file.write_all(&self.width.put(&std::mem::take(&mut self.ids))).map_err(&refused)?;
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&self.width.put(ids)).map_err(&refused)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Tokens> {
        let refused = self.refused();
        let Self { ids, file, len, width, folder, .. } = self;
        let Some(file) = file else { return Ok(ids.into()) };
        let file = Arc::new(Mutex::new(file.into_inner().map_err(|e| refused(e.into_error()))?));
        Ok(Tokens { kept: Kept::File { file, width, folder: folder.into() }, len })
    }
}

/// A text in tokens.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) tokens: Tokens,
    /// Characters that they stand for.
    pub(crate) chars: usize,
    /// Tokens that stand for what the vocabulary does not have.
    pub(crate) unknown: usize,
}

/// Encodes one part of a text after the other, as its pieces come.
struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    writer: Writer<'a>,
    blocks: Blocks,
    chars: usize,
    unknown: usize,
}

impl<'a> Encoder<'a> {
    fn new(tokenizer: &'a Tokenizer, corpus: &'a Corpus) -> Self {
        let writer = Writer::new(tokenizer.vocab_size(), corpus.scratch());
        Self { tokenizer, writer, blocks: Blocks::default(), chars: 0, unknown: 0 }
    }

    fn add(&mut self, text: &str) -> Result<()> {
        self.blocks.add(text).map_or(Ok(()), |block| self.encode(&block))
    }

    fn encode(&mut self, block: &str) -> Result<()> {
        let ids = self.tokenizer.encode(block)?;
        self.chars += block.chars().count();
        if let Some(unknown) = self.tokenizer.unknown() {
            self.unknown += ids.iter().filter(|&&id| id == unknown).count();
        }
        self.writer.add(&ids)
    }

    fn finish(mut self) -> Result<Encoded> {
        if let Some(rest) = self.blocks.finish() {
            self.encode(&rest)?;
        }
        Ok(Encoded { tokens: self.writer.finish()?, chars: self.chars, unknown: self.unknown })
    }
}

impl Corpus {
    /// The whole text in tokens.
    pub(crate) fn encode(&self, tokenizer: &Tokenizer) -> Result<Encoded> {
        let mut encoder = Encoder::new(tokenizer, self);
        for text in self.texts() {
            encoder.add(&text?)?;
        }
        encoder.finish()
    }

    /// The parts to train and to validate with in tokens; the training part is not empty.
    pub(crate) fn encode_parts(&self, split: &Split, tokenizer: &Tokenizer) -> Result<[Encoded; 2]> {
        let mut train = Encoder::new(tokenizer, self);
        let mut valid = Encoder::new(tokenizer, self);
        let mut blank = true;
        for piece in self.parts(split)? {
            match piece? {
                (Part::Train, text) => {
                    blank = blank && text.trim().is_empty();
                    train.add(&text)?;
                }
                (Part::Valid, text) => valid.add(&text)?,
                (Part::Test, _) => {}
            }
        }
        if blank {
            return Err(self.nothing_left(split));
        }
        Ok([train.finish()?, valid.finish()?])
    }

    /// The training part in blocks of about a megabyte.
    pub(crate) fn training_blocks(&self, split: &Split) -> Result<impl Iterator<Item = Result<String>>> {
        let train = self.parts(split)?.filter_map(|piece| match piece {
            Ok((part, text)) => (part == Part::Train).then_some(Ok(text)),
            Err(e) => Some(Err(e)),
        });
        Ok(Blocks::of(train))
    }

    /// The whole text in such blocks.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Result<String>> {
        Blocks::of(self.texts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_a_file_are_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        for (vocab_size, highest) in [(256, 255), (257, 256), (65_536, 65_535), (70_000, 69_999)] {
            let ids: Vec<u32> = (0..1000).map(|i| (i * 7919) % (highest + 1)).chain([highest]).collect();
            let mut writer = Writer { in_memory: 100, ..Writer::new(vocab_size, folder.path()) };
            ids.chunks(60).for_each(|ids| writer.add(ids).unwrap());
            let tokens = writer.finish().unwrap();
            assert!(matches!(tokens.kept, Kept::File { .. }));
            assert_eq!(tokens.len(), ids.len());
            assert_eq!(tokens.read(0..ids.len()).unwrap(), ids);
            assert_eq!(tokens.read(95..130).unwrap(), ids[95..130]);
            assert!(tokens.read(990..1002).is_err());
        }
        let gone = folder.path().join("gone");
        let mut writer = Writer { in_memory: 0, ..Writer::new(9, &gone) };
        let error = writer.add(&[1]).unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
    }
}
