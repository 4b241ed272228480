#[cfg(feature = "files")]
mod spill;
#[cfg(not(feature = "files"))]
#[path = "tokens/memory.rs"]
mod spill;

pub(crate) use spill::Scratch;

use crate::corpus::Blocks;
use crate::{Corpus, Error, Part, Result, Split, Tokenizer};
use spill::Writer;
use std::ops::Range;
use std::sync::Arc;

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
    kept: Arc<dyn Store>,
    len: usize,
}

/// Where tokens are kept.
trait Store: std::fmt::Debug + Send + Sync {
    /// Adds those of a range, all of which there are, to `ids`.
    fn read_into(&self, range: Range<usize>, ids: &mut Vec<u32>) -> Result<()>;
}

impl Store for Vec<u32> {
    fn read_into(&self, range: Range<usize>, ids: &mut Vec<u32>) -> Result<()> {
        ids.extend_from_slice(&self[range]);
        Ok(())
    }
}

impl From<Vec<u32>> for Tokens {
    fn from(ids: Vec<u32>) -> Self {
        Self { len: ids.len(), kept: Arc::new(ids) }
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
        self.kept.read_into(range, ids)
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
    writer: Writer,
    blocks: Blocks,
    chars: usize,
    unknown: usize,
}

impl<'a> Encoder<'a> {
    fn new(tokenizer: &'a Tokenizer, corpus: &Corpus) -> Self {
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
