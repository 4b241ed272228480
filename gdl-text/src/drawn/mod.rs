//! Sequence-to-sequence data drawn by code from a seed, so that anybody can repeat a measurement without a
//! download.
//!
//! Four tasks of pairs (a source and its target), and [stories](fn@stories) with questions about them. The
//! parts of a task have nothing in common, whatever the seeds they are drawn from: which part a string, a
//! date, a name or a verb belongs to is decided by the thing itself (a fixed hash of it), 8 in 10 for
//! training and 1 in 10 each for validation and the test.
//!
//! What a seed draws is pinned by tests: it changes only with a new version of the crate, and then on
//! purpose.

mod dates;
mod inflection;
mod invented;
mod names;
mod reverse;
mod stories;
mod template;

pub use reverse::{LENGTHS, held_out_lengths};
pub use stories::{Story, stories, write_newsqa};

use crate::{Error, Level, Result};
use gdl_train::Rng;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// Draws in a row without anything new after which a task is taken to have no more.
const PATIENCE: usize = 10_000;

/// What the parts are drawn from; not a setting, or a test set of one seed could be the training set of
/// another.
const PARTS: u64 = 0;

/// A task of drawn pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// A string of 5 to 30 lower-case letters, written backwards: `drawn` -> `nward`. Training and validation
    /// leave out the lengths of [`held_out_lengths`], the test has all of them alike. A string and its
    /// reverse are in the same part.
    Reverse,
    /// A date from 1800 to 2100 in one of 36 written forms, as ISO 8601 writes it: `thurs 3 mar 1994` ->
    /// `1994-03-03`. No day of one part is in another, in any form.
    ///
    /// No form can be read in two ways: with slashes the month comes first, as in the United States, unless
    /// the year does; with dots the day comes first, as in Germany; years of two digits are those from 1950
    /// to 2049; the day of the week, where there is one, is the right one.
    Dates,
    /// A sentence about a person and a place, said in another way: `my name is Sela and i live in Mirado .`
    /// -> `Sela from Mirado says hello .` Tokens are parted by spaces. The names are invented, and none of
    /// one part is in another, so those of the test are outside any vocabulary of the training part: they can
    /// only be copied.
    Names,
    /// A verb and what is wanted of it, inflected in an invented language: `talopma+PST+3PL` -> `taloptar`.
    /// No regular verb of one part is in another; of the twelve irregular ones each part has forms of its
    /// own.
    ///
    /// The language is always the same, whatever the seed. Its grammar:
    #[doc = include_str!("inflection/grammar.md")]
    Inflection,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reverse, Self::Dates, Self::Names, Self::Inflection];

    /// What it asks for, in one line.
    pub fn description(self) -> &'static str {
        match self {
            Self::Reverse => {
                "strings of 5 to 30 letters, written backwards; the test has lengths never trained on"
            }
            Self::Dates => "dates from 1800 to 2100 in 36 written forms, as ISO 8601 writes them",
            Self::Names => {
                "sentences with invented names, said in another way; the test's names were never seen"
            }
            Self::Inflection => {
                "verbs of an invented language, inflected; the test's regular verbs were never seen"
            }
        }
    }

    /// What its tokens are meant to be.
    pub fn level(self) -> Level {
        match self {
            Self::Names => Level::Word,
            Self::Reverse | Self::Dates | Self::Inflection => Level::Char,
        }
    }

    /// Draws once: nothing, when it belongs to another part.
    fn row(self, part: DrawnPart, rng: &mut Rng) -> Option<(String, String)> {
        match self {
            Self::Reverse => reverse::row(part, rng),
            Self::Dates => dates::row(part, rng),
            Self::Names => Some(names::row(part, rng)),
            Self::Inflection => inflection::row(part, rng),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reverse => "reverse",
            Self::Dates => "dates",
            Self::Names => "names",
            Self::Inflection => "inflection",
        })
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let names = || Self::ALL.map(|task| task.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|task| task.to_string() == name);
        found.ok_or_else(|| Error::setting("task", format!("there is no {name:?}; there are {}", names())))
    }
}

/// A part of drawn data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DrawnPart {
    /// What the model learns from.
    Train,
    /// What its progress is measured on.
    Valid,
    /// What is left for the end.
    Test,
}

impl DrawnPart {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// The part that a thing belongs to, always.
    fn of(key: &str) -> Self {
        match Rng::stream(PARTS, key).below(10) {
            8 => Self::Valid,
            9 => Self::Test,
            _ => Self::Train,
        }
    }
}

impl fmt::Display for DrawnPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        })
    }
}

/// How many rows are drawn where nobody says: 20,000 for training, 1,000 for validation and for the test.
pub fn default_rows(part: DrawnPart) -> usize {
    match part {
        DrawnPart::Train => 20_000,
        DrawnPart::Valid | DrawnPart::Test => 1_000,
    }
}

/// Draws pairs of a source and its target, without tabs or line breaks in them; no source comes twice.
///
/// Fewer rows begin the same as more of them. There are fewer than asked for only where a task has no more:
/// dates have some 3 million sources in training, the others many more.
///
/// # Example
/// ```
/// use gdl_text::drawn::{DrawnPart, Task, draw};
///
/// let rows = draw(Task::Reverse, DrawnPart::Train, 3, 1);
/// assert_eq!(rows.len(), 3);
/// for (source, target) in &rows {
///     assert_eq!(source.chars().rev().collect::<String>(), *target);
/// }
/// assert_eq!(draw(Task::Reverse, DrawnPart::Train, 3, 1), rows);
/// ```
pub fn draw(task: Task, part: DrawnPart, rows: usize, seed: u64) -> Vec<(String, String)> {
    let mut rng = Rng::stream(seed, &format!("drawn {task} {part}"));
    distinct(rows, || task.row(part, &mut rng), |(source, _)| source)
}

/// Draws until there are so many that differ in their keys, or nothing new comes any more.
fn distinct<T>(rows: usize, mut draw: impl FnMut() -> Option<T>, key: impl Fn(&T) -> &String) -> Vec<T> {
    let (mut all, mut seen, mut vain) = (Vec::new(), HashSet::new(), 0);
    while all.len() < rows && vain < PATIENCE {
        match draw() {
            Some(new) if seen.insert(key(&new).clone()) => {
                all.push(new);
                vain = 0;
            }
            _ => vain += 1,
        }
    }
    all
}

/// One of some things, each as likely.
fn choose<T: Copy>(rng: &mut Rng, things: &[T]) -> T {
    things[rng.below(things.len())]
}

#[cfg(test)]
mod tests;
