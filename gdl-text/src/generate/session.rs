use super::Writer;
use super::prompt::encode_seen;
use super::reader::Reader;
use crate::Result;
use crate::sampling::Draws;
use crate::tokenizer::StreamDecoder;

/// A text that grows token by token: what may come next can be looked at, drawn or chosen. Made by [`Writer::session`].
#[derive(Debug)]
pub struct Session<'a> {
    writer: &'a Writer<'a>,
    reader: Reader<'a>,
    draws: Draws<'a>,
    decoder: StreamDecoder<'a>,
    text: String,
    /// A token of the text that the model has still to read.
    unread: Option<u32>,
}

/// A token that may come next.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The token.
    pub token: u32,
    /// What it would add to the text.
    pub text: String,
    /// The probability that it would be drawn with.
    pub probability: f64,
}

impl<'a> Session<'a> {
    pub(super) fn new(writer: &'a Writer<'a>) -> Result<Self> {
        let Writer { prompt, sampler, decoder, .. } = writer;
        let draws = sampler.start(&prompt.ids, decoder.context(), writer.rng(0), writer.config.length)?;
        let reader = Reader::new(writer.model, prompt.state.clone(), prompt.logits.clone(), writer.device)?;
        Ok(Self { writer, reader, draws, decoder: decoder.clone(), text: String::new(), unread: None })
    }

    /// What was written, without the prompt.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tokens written.
    pub fn tokens(&self) -> &[u32] {
        self.draws.written()
    }

    /// The likeliest tokens that may come next, at most `n`; none at the end of the text.
    ///
    /// # Errors
    /// Those of [`Writer::generate`].
    pub fn choices(&mut self, n: usize) -> Result<Vec<Choice>> {
        self.read()?;
        let candidates = self.draws.candidates(self.reader.logits(), n)?;
        candidates
            .into_iter()
            .map(|c| {
                let text = self.decoder.clone().push(c.token)?;
                Ok(Choice { token: c.token, text, probability: c.probability })
            })
            .collect()
    }

    /// Draws the next token; the text that it adds, or none at the end.
    ///
    /// # Errors
    /// Those of [`Writer::generate`].
    pub fn draw(&mut self) -> Result<Option<String>> {
        self.read()?;
        let token = self.draws.next(self.reader.logits())?;
        token.map(|token| self.add(token)).transpose()
    }

    /// Goes on with a token; the text that it adds, or none, and nothing has changed, where the pattern has no place for it.
    ///
    /// # Errors
    /// When the token lies outside the vocabulary.
    pub fn take(&mut self, token: u32) -> Result<Option<String>> {
        self.decoder.clone().push(token)?;
        self.read()?;
        if !self.draws.push(token) {
            return Ok(None);
        }
        self.add(token).map(Some)
    }

    /// Goes on with the tokens of a text, as [`take`](Self::take) does with one; unseen words are read as unknown.
    /// Where the pattern has no place for one of them, nothing has changed.
    ///
    /// # Errors
    /// [`Error::Unseen`](crate::Error::Unseen) when a character is not in a character vocabulary.
    pub fn write(&mut self, text: &str) -> Result<Option<String>> {
        let ids = encode_seen(self.writer.tokenizer, text)?;
        let mut draws = self.draws.clone();
        if !ids.iter().all(|&id| draws.push(id)) {
            return Ok(None);
        }
        let mut added = String::new();
        for id in ids {
            added.extend(self.take(id)?);
        }
        Ok(Some(added))
    }

    fn add(&mut self, token: u32) -> Result<String> {
        let piece = self.decoder.push(token)?;
        self.text.push_str(&piece);
        self.unread = Some(token);
        Ok(piece)
    }

    fn read(&mut self) -> Result<()> {
        // Only when it matters what comes next: not after the last token.
        if let Some(token) = self.unread.take() {
            self.reader.read(&[token])?;
        }
        Ok(())
    }
}
