//! The text that a command reads.

use crate::console::UsageError;
use anyhow::Result;
use clap::Args;
use gdl_text::{Corpus, CorpusConfig, Documents};
use std::io;

/// How a text is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub(super) struct CorpusArgs {
    /// What a document is: files (whole ones), lines, blank:N (parted by at least N blank lines), csv:COLUMN (a column of a comma- or
    /// tab-separated table, by name or number) [default: files]
    #[arg(long, value_name = "WHAT", value_parser = documents)]
    documents: Option<Documents>,
    /// What stands before each document, \n for a line end and \t for a tab [default: nothing]
    #[arg(long, value_name = "TEXT", value_parser = unescaped)]
    before_each: Option<String>,
    /// What stands behind each [default: what the files have there, a line end behind a field of a table]
    #[arg(long, value_name = "TEXT", value_parser = unescaped)]
    after_each: Option<String>,
    /// The files' encoding: utf-8, windows-1252, utf-16le, shift_jis and the others of the web [default: utf-8]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
}

impl CorpusArgs {
    /// What the flags say, and for the rest `base`.
    pub(super) fn config(&self, base: CorpusConfig) -> CorpusConfig {
        CorpusConfig {
            documents: self.documents.clone().unwrap_or(base.documents),
            before: self.before_each.clone().unwrap_or(base.before),
            after: self.after_each.clone().or(base.after),
            encoding: self.encoding.clone().unwrap_or(base.encoding),
        }
    }
}

/// The text that an argument names: a file, a folder, standard input, or the fables inside the program.
pub(super) fn corpus(name: &str, config: CorpusConfig) -> Result<Corpus> {
    match name.strip_prefix("builtin:") {
        Some("fables") => Ok(Corpus::from_text_with(name, gdl_text::builtin::FABLES, config)?),
        Some(_) => Err(UsageError(format!("{name}: no such text; there is builtin:fables")).into()),
        None if name == "-" => Ok(Corpus::from_reader(name, io::stdin().lock(), config)?),
        None => Ok(Corpus::open(name, config)?),
    }
}

fn documents(text: &str) -> Result<Documents, String> {
    text.parse::<Documents>().map_err(|e| e.to_string())
}

/// A text with its line ends and tabs written as in Rust.
fn unescaped(text: &str) -> Result<String, String> {
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        out.push(match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => '\n',
            ('\\', Some('t')) => '\t',
            ('\\', Some('\\')) => '\\',
            ('\\', _) => return Err("a \\ stands before n, t or another \\".to_string()),
            (c, _) => c,
        });
    }
    Ok(out)
}
