use crate::corpus::refused;
use crate::drawn::Story;
use crate::seq2seq::PairsMark;
use crate::{Error, Result};
use gdl_kernels::Fnv1a;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

/// The columns of a table, in the order in which [`write_newsqa`](crate::drawn::write_newsqa) writes them.
const COLUMNS: [&str; 3] = ["story_text", "question", "answer_token_ranges"];

/// A passage, a question about it and where the answer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    passage: Arc<str>,
    question: String,
    answer: Vec<Range<usize>>,
}

impl Question {
    /// Takes the words of both texts, whatever white space parts them.
    fn new(passage: &str, question: &str, answer: Vec<Range<usize>>) -> std::result::Result<Self, String> {
        let words = passage.split_whitespace().count();
        if words == 0 {
            return Err("the passage is empty: there is nothing to read".into());
        }
        if question.trim().is_empty() {
            return Err("the question is empty: there is nothing to write".into());
        }
        if answer.is_empty() {
            return Err("there is no answer".into());
        }
        for Range { start, end } in &answer {
            if start >= end {
                return Err(format!(
                    "the answer {start}:{end} has no words: its end is the first word behind it"
                ));
            }
            if *end > words {
                return Err(format!("the answer {start}:{end} goes beyond the {words} words of the passage"));
            }
        }
        Ok(Self { passage: parted(passage).into(), question: parted(question), answer })
    }

    /// The passage, its words parted by single spaces.
    pub fn passage(&self) -> &str {
        &self.passage
    }

    /// The question, its words parted by single spaces.
    pub fn question(&self) -> &str {
        &self.question
    }

    /// The words of the passage that answer it, counted from 0; ranges may overlap.
    pub fn answer(&self) -> &[Range<usize>] {
        &self.answer
    }

    /// For each word of the passage whether it is part of the answer.
    pub fn tags(&self) -> Vec<bool> {
        let words = self.passage.split(' ').count();
        (0..words).map(|word| self.answer.iter().any(|range| range.contains(&word))).collect()
    }

    /// The words of the answer.
    pub fn answer_text(&self) -> String {
        let tagged = self.passage.split(' ').zip(self.tags()).filter(|(_, tag)| *tag);
        tagged.map(|(word, _)| word).collect::<Vec<_>>().join(" ")
    }
}

/// Words parted by single spaces.
fn parted(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Passages with questions and answers: a table of comma-separated values whose first row names its columns `story_text`, `question` and
/// `answer_token_ranges`, in any order and beside whatever others.
///
/// Words are what white space parts. An answer is one range `start:end` of words of the story, counted from 0, `end` being the first one
/// behind it, or several with commas between them.
///
/// # Example
/// ```
/// use gdl_text::qa::Questions;
///
/// let table = "question,story_text,answer_token_ranges\nwho slept ?,the old fox slept .,\"1:3\"\n";
/// let questions = Questions::from_reader("memory", table.as_bytes())?;
/// assert_eq!(questions.rows()[0].answer_text(), "old fox");
/// let error = Questions::from_reader("memory", table.replace("1:3", "1:9").as_bytes()).unwrap_err();
/// assert_eq!(error.to_string(), "memory, line 2: the answer 1:9 goes beyond the 5 words of the passage");
/// # Ok::<(), gdl_text::Error>(())
/// ```
///
/// # Source
/// The table of NewsQA (Trischler et al. 2017, <https://arxiv.org/abs/1611.09830>) that Foster's *Generative Deep Learning*, chapter 6,
/// learns from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    origin: String,
    rows: Vec<Question>,
}

impl Questions {
    /// Reads to the end of what a reader gives; `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read, [`Error::Table`] with the line for a column that is missing, an empty passage or question,
    /// an answer that is none or not in the passage, or what is no UTF-8, [`Error::Empty`] when there is no row.
    pub fn from_reader(origin: impl Into<String>, reader: impl Read) -> Result<Self> {
        let origin = origin.into();
        let mut table = csv::Reader::from_reader(reader);
        let names = table.headers().map_err(|e| refused(&origin, &e))?.clone();
        if names.is_empty() {
            return Err(Error::Empty { origin });
        }
        let mut columns = [0; COLUMNS.len()];
        for (column, wanted) in columns.iter_mut().zip(COLUMNS) {
            // A byte order mark stands before the first name.
            let found = names.iter().position(|name| name.trim_start_matches('\u{feff}').trim() == wanted);
            *column = found.ok_or_else(|| {
                let have = names.iter().collect::<Vec<_>>().join(", ");
                let message = format!("the first row names no column {wanted:?}; it has {have}");
                Error::Table { origin: origin.clone(), line: 1, message }
            })?;
        }
        let mut rows: Vec<Question> = Vec::new();
        for row in table.records() {
            let row = row.map_err(|e| refused(&origin, &e))?;
            let [passage, question, answer] = columns.map(|column| row.get(column).unwrap_or_default());
            let read = ranges(answer).and_then(|answer| Question::new(passage, question, answer));
            let line = row.position().map_or(0, csv::Position::line);
            let read = read.map_err(|message| Error::Table { origin: origin.clone(), line, message })?;
            push(&mut rows, read);
        }
        Self::some(origin, rows)
    }

    /// Passages, questions and answers that are there already.
    ///
    /// # Errors
    /// [`Error::Table`] with the row for an empty passage or question, or an answer that is not in the passage, [`Error::Empty`] when
    /// there is none.
    pub fn from_rows<P, Q, R>(origin: impl Into<String>, rows: R) -> Result<Self>
    where
        P: AsRef<str>,
        Q: AsRef<str>,
        R: IntoIterator<Item = (P, Q, Vec<Range<usize>>)>,
    {
        let origin = origin.into();
        let mut all = Vec::new();
        for (n, (passage, question, answer)) in rows.into_iter().enumerate() {
            let row = Question::new(passage.as_ref(), question.as_ref(), answer);
            let line = n as u64 + 1;
            push(&mut all, row.map_err(|message| Error::Table { origin: origin.clone(), line, message })?);
        }
        Self::some(origin, all)
    }

    /// Stories that were drawn.
    ///
    /// # Errors
    /// [`Error::Empty`] when there is none.
    pub fn from_stories(origin: impl Into<String>, stories: &[Story]) -> Result<Self> {
        Self::from_rows(
            origin,
            stories.iter().map(|story| (&story.text, &story.question, vec![story.answer.clone()])),
        )
    }

    fn some(origin: String, rows: Vec<Question>) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::Empty { origin });
        }
        Ok(Self { origin, rows })
    }

    /// Where they came from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// All of them.
    pub fn rows(&self) -> &[Question] {
        &self.rows
    }

    /// Their mark.
    pub fn mark(&self) -> PairsMark {
        let mut hash = Fnv1a::default();
        let mut take = |text: &str, end: u8| text.bytes().chain([end]).for_each(|byte| hash.update(byte));
        for Question { passage, question, answer } in &self.rows {
            take(passage, b'\t');
            take(question, b'\t');
            answer.iter().for_each(|range| take(&format!("{}:{}", range.start, range.end), b','));
            take("", b'\n');
        }
        PairsMark {
            origin: self.origin.clone(),
            rows: self.rows.len(),
            fnv1a: format!("{:016x}", hash.finish()),
        }
    }
}

/// Questions about one passage, which come behind each other, share it.
fn push(rows: &mut Vec<Question>, mut row: Question) {
    if let Some(last) = rows.last().filter(|last| last.passage == row.passage) {
        row.passage = last.passage.clone();
    }
    rows.push(row);
}

fn ranges(text: &str) -> std::result::Result<Vec<Range<usize>>, String> {
    let range = |range: &str| {
        let (start, end) = range.split_once(':')?;
        Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
    };
    let wrong = |what: &str| format!("expected an answer like 3:5 or 3:5,8:9, found {what:?}");
    text.split(',').map(|part| range(part).ok_or_else(|| wrong(text))).collect()
}
