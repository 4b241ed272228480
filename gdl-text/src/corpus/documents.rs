use super::text::Chunks;
use super::{CorpusConfig, Documents};
use crate::{Error, Result};
use std::collections::VecDeque;
use std::io::Read;

/// A piece of a document.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Whether the document ends with it.
    pub(super) ends: bool,
}

/// What opens an input, given the encoding of files.
type Open<'a> =
    Box<dyn FnOnce(&'static encoding_rs::Encoding) -> Result<Box<dyn Read + Send + 'a>> + Send + 'a>;

/// One thing to read.
pub(super) struct Input<'a> {
    /// What it is called in errors.
    name: String,
    open: Open<'a>,
}

impl<'a> Input<'a> {
    pub(super) fn new(
        name: impl Into<String>,
        open: impl FnOnce(&'static encoding_rs::Encoding) -> Result<Box<dyn Read + Send + 'a>> + Send + 'a,
    ) -> Self {
        Self { name: name.into(), open: Box::new(open) }
    }
}

/// Reads the documents of some inputs, one after the other.
pub(super) struct Reader<'a> {
    inputs: std::vec::IntoIter<Input<'a>>,
    config: &'a CorpusConfig,
    open: Option<Opened<'a>>,
    ready: VecDeque<Piece>,
}

enum Opened<'a> {
    Text { chunks: Chunks<'a>, name: String, lines: Lines },
    Table { rows: csv::StringRecordsIntoIter<Box<dyn Read + Send + 'a>>, column: usize, name: String },
}

impl<'a> Reader<'a> {
    pub(super) fn new(inputs: Vec<Input<'a>>, config: &'a CorpusConfig) -> Self {
        Self { inputs: inputs.into_iter(), config, open: None, ready: VecDeque::new() }
    }

    fn read(&mut self) -> Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            match &mut self.open {
                Some(open) => {
                    if !open.read(self.config, &mut self.ready)? {
                        self.open = None;
                    }
                }
                None => match self.inputs.next() {
                    Some(input) => self.open = Some(Opened::new(input, self.config)?),
                    None => return Ok(None),
                },
            }
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl<'a> Opened<'a> {
    fn new(input: Input<'a>, config: &CorpusConfig) -> Result<Self> {
        let Input { name, open } = input;
        let reader = open(config.encoding()?)?;
        let Documents::Csv(column) = &config.documents else {
            let chunks = Chunks::new(reader, name.clone());
            return Ok(Self::Text { chunks, name, lines: Lines::default() });
        };
        let tabs = [".tsv", ".tab"].iter().any(|end| name.to_lowercase().ends_with(end));
        let number = column.parse::<usize>().ok().filter(|&number| number > 0);
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(if tabs { b'\t' } else { b',' }).has_headers(number.is_none()).flexible(true);
        // A tab-separated file has no quotes of its own.
        builder.quoting(!tabs);
        let mut table = builder.from_reader(reader);
        let column = match number {
            Some(number) => number - 1,
            None => {
                let names = table.headers().map_err(|e| refused(&name, &e))?;
                let found = names.iter().position(|header| header.trim() == column);
                found.ok_or_else(|| Error::Table {
                    origin: name.clone(),
                    line: 1,
                    message: format!(
                        "the first row names no column {column:?}; it has {}",
                        names.iter().collect::<Vec<_>>().join(", ")
                    ),
                })?
            }
        };
        Ok(Self::Table { rows: table.into_records(), column, name })
    }

    /// Reads on: whether there was more.
    fn read(&mut self, config: &CorpusConfig, ready: &mut VecDeque<Piece>) -> Result<bool> {
        match self {
            Self::Table { rows, column, name } => {
                let Some(row) = rows.next() else { return Ok(false) };
                let row = row.map_err(|e| refused(name, &e))?;
                let field = row.get(*column).ok_or_else(|| Error::Table {
                    origin: name.clone(),
                    line: row.position().map_or(0, csv::Position::line),
                    message: format!("the row has {} columns, column {} is wanted", row.len(), *column + 1),
                })?;
                ready.push_back(Piece { text: field.to_string(), ends: true });
                Ok(true)
            }
            Self::Text { chunks, name, lines } => {
                let Some(chunk) = chunks.next().transpose()? else {
                    lines.finish(ready);
                    return Ok(false);
                };
                // What a decoder cannot read becomes this character; UTF-8 that has it means it.
                if chunk.contains('\u{fffd}') && config.encoding()? != encoding_rs::UTF_8 {
                    return Err(Error::NotDecoded {
                        origin: name.clone(),
                        encoding: config.encoding.clone(),
                    });
                }
                match config.documents {
                    Documents::Lines => lines.each(&chunk, ready),
                    Documents::Blank(blank) => lines.between_blank(&chunk, blank, ready),
                    _ => lines.whole(chunk, ready),
                }
                Ok(true)
            }
        }
    }
}

/// What is wrong with a table of comma-separated values, and where.
pub(crate) fn refused(name: &str, error: &csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::Io(source) => source.to_string(),
        csv::ErrorKind::Utf8 { err, .. } => format!("not UTF-8: {err}; name the file's encoding"),
        _ => error.to_string(),
    };
    Error::Table { origin: name.to_string(), line, message }
}

/// Where a text stands that is taken apart into documents.
#[derive(Debug, Default)]
struct Lines {
    /// Whether a document has begun.
    begun: bool,
    /// Whether a line has.
    within: bool,
    /// Line ends and blank lines that go on with the document if it goes on.
    held: String,
    /// How many blank lines.
    blank: usize,
}

impl Lines {
    fn whole(&mut self, chunk: String, ready: &mut VecDeque<Piece>) {
        self.begun = true;
        ready.push_back(Piece { text: chunk, ends: false });
    }

    fn each(&mut self, chunk: &str, ready: &mut VecDeque<Piece>) {
        for line in chunk.split_inclusive('\n') {
            let ends = line.ends_with('\n');
            let text = line.trim_end_matches(['\n', '\r']);
            self.begun |= !text.is_empty();
            if self.begun {
                ready.push_back(Piece { text: text.to_string(), ends });
            }
            self.begun &= !ends;
        }
    }

    fn between_blank(&mut self, chunk: &str, lines: usize, ready: &mut VecDeque<Piece>) {
        for line in chunk.split_inclusive('\n') {
            let ends = line.ends_with('\n');
            if !self.within && ends && line.trim().is_empty() {
                self.blank += 1;
                self.held.push_str(line);
                continue;
            }
            if !self.within && self.blank >= lines {
                self.finish(ready);
            }
            let text = line.strip_suffix('\n').unwrap_or(line);
            let before = std::mem::take(&mut self.held);
            ready
                .push_back(Piece { text: if self.begun { before + text } else { text.into() }, ends: false });
            (self.begun, self.within, self.blank) = (true, !ends, 0);
            self.held.push_str(&line[text.len()..]);
        }
    }

    /// Ends the document that has begun, if one has.
    fn finish(&mut self, ready: &mut VecDeque<Piece>) {
        self.held.clear();
        if std::mem::take(&mut self.begun) {
            ready.push_back(Piece { text: String::new(), ends: true });
        }
    }
}
