use crate::{Error, Result, halves};
use candle_core::Tensor;
use gdl_image_io::{Filter, LoadOptions, load_image, resize};
use std::path::PathBuf;

/// Which part of a file's picture is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The left half, of a file that holds a pair.
    Left,
    /// The right half.
    Right,
}

/// Pictures to score with, in a fixed order: files that are read when their turn comes, or pictures in memory.
#[derive(Debug, Clone)]
pub struct Pictures {
    source: Source,
    size: Option<usize>,
}

#[derive(Debug, Clone)]
enum Source {
    Files(Vec<PathBuf>, Part),
    Drawn(Vec<Tensor>),
}

impl Pictures {
    /// Of files.
    pub fn files(paths: Vec<PathBuf>, part: Part) -> Self {
        Self { source: Source::Files(paths, part), size: None }
    }

    /// In memory.
    ///
    /// # Shape
    /// Each (3, H, W) in [0, 1], on the CPU.
    pub fn drawn(pictures: Vec<Tensor>) -> Self {
        Self { source: Source::Drawn(pictures), size: None }
    }

    /// Scaled to squares of that side, as the reference does for tests; or not.
    pub fn sized(mut self, size: Option<usize>) -> Self {
        self.size = size;
        self
    }

    /// No more than so many of them, the first; or all.
    pub fn first(mut self, count: Option<usize>) -> Self {
        let count = count.unwrap_or(usize::MAX);
        match &mut self.source {
            Source::Files(paths, _) => paths.truncate(count),
            Source::Drawn(pictures) => pictures.truncate(count),
        }
        self
    }

    /// How many.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Files(paths, _) => paths.len(),
            Source::Drawn(pictures) => pictures.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What to call a picture in a message.
    pub fn name(&self, index: usize) -> String {
        match &self.source {
            Source::Files(paths, _) => paths.get(index).map(|path| path.display().to_string()),
            Source::Drawn(_) => None,
        }
        .unwrap_or_else(|| format!("picture {}", index + 1))
    }

    /// Reads a picture.
    ///
    /// # Shape
    /// (3, H, W) in [0, 1], on the CPU.
    ///
    /// # Errors
    /// When the file cannot be read or holds no pair, and beyond the last picture.
    pub fn load(&self, index: usize) -> Result<Tensor> {
        let fault = |e: candle_core::Error| Error::Data { spec: self.name(index), message: e.to_string() };
        let picture = match &self.source {
            Source::Files(paths, part) => paths.get(index).map(|path| {
                let picture = load_image(path, &LoadOptions::default())?;
                Ok::<_, Error>(match part {
                    Part::Whole => picture,
                    Part::Left => halves(&picture).map_err(fault)?.0,
                    Part::Right => halves(&picture).map_err(fault)?.1,
                })
            }),
            Source::Drawn(pictures) => pictures.get(index).map(|picture| Ok(picture.clone())),
        };
        let picture = picture.unwrap_or_else(|| {
            let message = format!("there is no such picture; there are {}", self.len());
            Err(Error::Data { spec: self.name(index), message })
        })?;
        match self.size {
            Some(size) => Ok(resize(&picture, size, size, Filter::CatmullRom)?),
            None => Ok(picture),
        }
    }

    /// All of them, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Result<Tensor>> + '_ {
        (0..self.len()).map(|i| self.load(i))
    }
}
