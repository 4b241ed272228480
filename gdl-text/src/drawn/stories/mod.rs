mod draft;
mod kind;
mod kinds;
mod pools;

use super::{DrawnPart, distinct};
use draft::Draft;
use gdl_train::Rng;
use std::io;
use std::ops::{Range, RangeInclusive};

/// Sentences of a story, and its words.
const SENTENCES: RangeInclusive<usize> = 3..=6;
const WORDS: RangeInclusive<usize> = 25..=60;

/// A short story, a question about it and where the answer stands.
///
/// Words and punctuation marks are parted by single spaces. All is in lower case but for invented names,
/// which the question takes from the story too: each question has one at least.
///
/// # Example
/// ```
/// use gdl_text::drawn::{DrawnPart, stories};
///
/// for story in stories(DrawnPart::Test, 3, 1) {
///     println!("{}\n{} {}\n", story.text, story.question, story.answer_text());
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// 3 to 6 sentences, of 25 to 60 words and marks.
    pub text: String,
    /// What is asked about one of them.
    pub question: String,
    /// Which words of the text answer it, counted from 0.
    pub answer: Range<usize>,
}

impl Story {
    /// The words that answer the question.
    pub fn answer_text(&self) -> String {
        let words = self.text.split(' ').skip(self.answer.start).take(self.answer.len());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Draws stories with a question each; no text comes twice.
///
/// They are of 16 kinds of facts: who gave what to whom and when, who found it where, how many of them were
/// bought, why somebody left, and so on; some kinds come twice in a story, of other people, and some
/// sentences tell nothing that is asked for. Exactly one sentence answers the question. The names of one
/// part are in no other part, of stories or of [`Task::Names`](super::Task::Names).
///
/// Fewer rows begin the same as more of them.
pub fn stories(part: DrawnPart, rows: usize, seed: u64) -> Vec<Story> {
    let mut rng = Rng::stream(seed, &format!("drawn stories {part}"));
    distinct(rows, || draw(part, &mut rng), |story| &story.text)
}

/// Draws once: nothing, when it comes out too short or too long.
fn draw(part: DrawnPart, rng: &mut Rng) -> Option<Story> {
    let (least, most) = (*SENTENCES.start(), *SENTENCES.end());
    let sentences = least + rng.below(most - least + 1);
    let draft = Draft::draw(part, sentences, rng)?;
    let told: Vec<&str> = draft.sentences.iter().map(|sentence| sentence.text()).collect();
    let text = told.join(" ");
    let (question, answer) = draft.ask(rng)?;
    WORDS.contains(&text.split(' ').count()).then_some(Story { text, question, answer })
}

/// Writes stories as a table of comma-separated values with the columns `story_text`, `question` and
/// `answer_token_ranges`; a range is `start:end`, in words counted from 0, without the one at its end.
///
/// # Errors
/// Those of writing.
///
/// # Source
/// The table of NewsQA (Trischler et al. 2017, <https://arxiv.org/abs/1611.09830>) that Foster's *Generative
/// Deep Learning*, chapter 6, learns from, where an answer may be several ranges with commas between them;
/// here it is one. That table has other columns too, which [`Questions`](crate::qa::Questions) passes over: it
/// finds these three by their names.
pub fn write_newsqa(stories: &[Story], to: impl io::Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(to);
    table.write_record(["story_text", "question", "answer_token_ranges"])?;
    for Story { text, question, answer } in stories {
        table.write_record([text, question, &format!("{}:{}", answer.start, answer.end)])?;
    }
    table.flush()
}

#[cfg(test)]
mod tests;
