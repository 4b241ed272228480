use super::{Corpus, Piece, Split, SplitBy};
use crate::{Error, Result};
use gdl_train::Rng;
use std::collections::VecDeque;

/// A part of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What the model learns from.
    Train,
    /// What its progress is measured on.
    Valid,
    /// What is left for the end.
    Test,
}

/// The three parts of a corpus, in memory; those kept back may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// What the model learns from.
    pub train: String,
    /// What its progress is measured on.
    pub valid: String,
    /// What is left for the end.
    pub test: String,
}

impl Parts {
    fn of(&mut self, part: Part) -> &mut String {
        match part {
            Part::Train => &mut self.train,
            Part::Valid => &mut self.valid,
            Part::Test => &mut self.test,
        }
    }
}

impl Corpus {
    /// Cuts the text into its three parts, and reads them into memory.
    ///
    /// # Errors
    /// [`Error::Setting`] when a fraction is negative or nothing is left for training, and those of [`open`](Self::open), when a
    /// file has changed.
    pub fn split(&self, split: &Split) -> Result<Parts> {
        let mut parts = Parts::default();
        for piece in self.parts(split)? {
            let (part, text) = piece?;
            parts.of(part).push_str(&text);
        }
        if parts.train.trim().is_empty() {
            return Err(self.nothing_left(split));
        }
        Ok(parts)
    }

    /// The error of a split that leaves nothing for training.
    pub(crate) fn nothing_left(&self, split: &Split) -> Error {
        let Split { valid, test, by } = *split;
        let of = match by {
            SplitBy::Position => format!("{} characters", self.chars()),
            SplitBy::Documents => format!("{} document(s)", self.documents()),
        };
        let message = format!("{valid} for validation and {test} for the test leave nothing of {of}");
        Error::setting("valid fraction", message)
    }

    /// The text piece by piece, each with the part that it belongs to.
    pub(crate) fn parts(&self, split: &Split) -> Result<PartPieces<'_>> {
        split.check()?;
        Ok(PartPieces {
            pieces: Box::new(self.pieces()),
            cut: match split.by {
                SplitBy::Position => Cut::Position { at: 0, ends: split.ends(self.chars()) },
                SplitBy::Documents => Cut::Documents(Box::new(Draw::new(split, self.documents()))),
            },
            ready: VecDeque::new(),
        })
    }
}

/// Pieces of a corpus and the part that each belongs to.
pub(crate) struct PartPieces<'a> {
    pieces: Box<dyn Iterator<Item = Result<Piece>> + Send + 'a>,
    cut: Cut,
    ready: VecDeque<(Part, String)>,
}

enum Cut {
    Position { at: u64, ends: [u64; 2] },
    Documents(Box<Draw>),
}

/// Draws the part of each document, so that in the end each part has its number.
///
/// # Source
/// Knuth, *The Art of Computer Programming* 2, 3.4.2, algorithm S.
struct Draw {
    rng: Rng,
    left: [u64; 3],
    /// The part of the document that has begun.
    part: Option<Part>,
}

impl Draw {
    fn new(split: &Split, documents: u64) -> Self {
        let [train, valid] = split.ends(documents);
        Self { rng: Rng::stream(0, "documents"), left: [train, valid - train, documents - valid], part: None }
    }

    fn part(&mut self, ends: bool) -> Part {
        let part = *self.part.get_or_insert_with(|| {
            let mut drawn = self.rng.below(self.left.iter().sum::<u64>().max(1) as usize) as u64;
            for (left, part) in self.left.iter_mut().zip([Part::Train, Part::Valid, Part::Test]) {
                if drawn < *left {
                    *left -= 1;
                    return part;
                }
                drawn -= *left;
            }
            Part::Train // More documents than there were.
        });
        if ends {
            self.part = None;
        }
        part
    }
}

impl Iterator for PartPieces<'_> {
    type Item = Result<(Part, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(Ok(piece));
            }
            let Piece { text, ends } = match self.pieces.next()? {
                Ok(piece) => piece,
                Err(e) => return Some(Err(e)),
            };
            match &mut self.cut {
                Cut::Documents(draw) => self.ready.push_back((draw.part(ends), text)),
                Cut::Position { at, ends } => by_position(text, at, *ends, &mut self.ready),
            }
        }
    }
}

fn by_position(mut text: String, at: &mut u64, ends: [u64; 2], ready: &mut VecDeque<(Part, String)>) {
    for (part, end) in [(Part::Train, ends[0]), (Part::Valid, ends[1]), (Part::Test, u64::MAX)] {
        if *at >= end || text.is_empty() {
            continue;
        }
        let chars = text.chars().count() as u64;
        if chars <= end - *at {
            *at += chars;
            return ready.push_back((part, text));
        }
        let cut = text.char_indices().nth((end - *at) as usize).map_or(text.len(), |(byte, _)| byte);
        let rest = text.split_off(cut);
        *at = end;
        ready.push_back((part, std::mem::replace(&mut text, rest)));
    }
}

/// Bytes of a block.
const BLOCK: usize = 1 << 20;

/// Collects a text in blocks of about a megabyte, cut where words and lines begin, whatever pieces it comes in.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    held: String,
}

impl Blocks {
    /// Takes a piece; gives a block when there is one.
    pub(crate) fn add(&mut self, piece: &str) -> Option<String> {
        self.held.push_str(piece);
        if self.held.len() < BLOCK {
            return None;
        }
        let rest = self.held.split_off(cut(&self.held));
        Some(std::mem::replace(&mut self.held, rest))
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> Option<String> {
        (!self.held.is_empty()).then(|| std::mem::take(&mut self.held))
    }

    /// The blocks of pieces.
    pub(crate) fn of(pieces: impl Iterator<Item = Result<String>>) -> impl Iterator<Item = Result<String>> {
        let (mut pieces, mut blocks) = (pieces.fuse(), Self::default());
        std::iter::from_fn(move || {
            for piece in pieces.by_ref() {
                match piece.map(|piece| blocks.add(&piece)) {
                    Ok(None) => {}
                    Ok(Some(block)) => return Some(Ok(block)),
                    Err(e) => return Some(Err(e)),
                }
            }
            blocks.finish().map(Ok)
        })
    }
}

/// Where a text can be cut so that the two sides have the tokens that the whole has: behind the last line end that something visible
/// follows, else before the last space that follows something visible, else at its end.
pub(crate) fn cut(text: &str) -> usize {
    let line = text
        .rmatch_indices('\n')
        .map(|(at, _)| at + 1)
        .find(|&at| text[at..].chars().next().is_some_and(|next| !next.is_whitespace()));
    let space = || {
        let visible = |&(at, _): &(usize, &str)| text[..at].ends_with(|before: char| !before.is_whitespace());
        text.rmatch_indices(' ').find(visible).map(|(at, _)| at)
    };
    line.or_else(space).unwrap_or(text.len())
}
