//! Text inside the crate, for demonstrations and tests.

/// Short fables, written for this project: a title, a few paragraphs and a moral each, with an empty line between them.
pub const FABLES: &str = include_str!("../data/fables.txt");
