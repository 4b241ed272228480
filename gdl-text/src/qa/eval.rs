use super::trainer::Likelihood;
use super::{AskConfig, Model, Question, Questions};
use crate::metrics::{Scores, SpanScores, TagScores, span_f1, tag_f1};
use crate::seq2seq::{Search, Written};
use crate::{Error, EvalReport, Result};
use serde::Serialize;

/// How well a model finds the answers of passages, and asks for them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Rows scored.
    pub questions: usize,
    /// The words of all answers it marks, by the words of the right ones.
    pub tags: TagScores,
    /// The same by passage.
    pub spans: SpanScores,
    /// The mean cross-entropy per word of the passages of its being part of the answer, in nats.
    pub tag_loss: f64,
    /// The mean cross-entropy per word of the questions, in nats, each given the right answer and the right words before it.
    pub loss: f64,
    /// `exp(loss)`.
    pub perplexity: f64,
    /// Words of the questions, their ends among them.
    pub question_words: usize,
    /// Those that can neither be generated nor copied.
    pub unknown: usize,
    /// Unknown words that were written for the right answers.
    pub unknown_written: usize,
    /// The questions that it writes for the right answers.
    pub given: Scores,
    /// The questions that it writes for the likeliest of the answers that it finds in each passage.
    pub found: Scores,
}

impl Model {
    /// Scores the model on questions. What was written is compared with them in lower case if the model has nothing else; of several texts
    /// that are written for an answer, the first counts.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), and [`Error::Setting`] for samples, of which none is the best.
    pub fn evaluate(&self, questions: &Questions, config: &AskConfig) -> Result<Evaluation> {
        if matches!(config.write.search, Search::Sample(_)) {
            return Err(Error::setting("sample", "questions to score are looked for, not drawn"));
        }
        let rows = questions.rows();
        let passages: Vec<&str> = rows.iter().map(Question::passage).collect();
        let asked = self.ask(&passages, config)?;
        let truth: Vec<Vec<bool>> = rows.iter().map(Question::tags).collect();
        let marked: Vec<Vec<bool>> = asked
            .iter()
            .zip(&truth)
            .map(|(asked, truth)| {
                (0..truth.len()).map(|word| asked.iter().any(|asked| asked.words.contains(&word))).collect()
            })
            .collect();
        let found = asked.into_iter().map(|asked| {
            asked
                .into_iter()
                .max_by(|a, b| a.probability.total_cmp(&b.probability))
                .map(|asked| asked.questions)
        });
        let found: Vec<Vec<Written>> = found.map(Option::unwrap_or_default).collect();
        let given = self.ask_for(rows, &config.write)?;
        let Likelihood { tag_loss, questions: EvalReport { tokens, unknown, loss, perplexity, .. } } =
            self.likelihood(questions)?;
        let unknown_written = self.unknown_among(&given);
        Ok(Evaluation {
            questions: rows.len(),
            tags: tag_f1(&marked, &truth)?,
            spans: span_f1(&marked, &truth)?,
            tag_loss,
            loss,
            perplexity,
            question_words: tokens,
            unknown,
            unknown_written,
            given: self.scores(given, rows)?,
            found: self.scores(found, rows)?,
        })
    }

    fn scores(&self, written: Vec<Vec<Written>>, rows: &[Question]) -> Result<Scores> {
        let first = written
            .into_iter()
            .map(|all| all.into_iter().next().map(|w| (w.text, w.tokens)).unwrap_or_default());
        let (texts, tokens): (Vec<String>, Vec<Vec<String>>) = first.unzip();
        let tokenizer = &self.sides.target.tokenizer;
        let wanted: Vec<String> = rows.iter().map(|row| tokenizer.cased(row.question()).collect()).collect();
        let names = |text: &String| text.split(' ').map(str::to_string).collect();
        let wanted_tokens: Vec<Vec<String>> = wanted.iter().map(names).collect();
        Scores::of(&texts, &wanted, &tokens, &wanted_tokens)
    }

    fn unknown_among(&self, written: &[Vec<Written>]) -> usize {
        let tokenizer = &self.sides.target.tokenizer;
        let unknown = tokenizer.unknown().and_then(|id| tokenizer.token(id));
        let first = written.iter().filter_map(|all| all.first());
        first.flat_map(|written| &written.tokens).filter(|token| unknown.as_ref() == Some(token)).count()
    }
}
