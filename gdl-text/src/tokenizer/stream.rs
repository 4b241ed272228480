use super::spacing::Spacing;
use super::{Tokenizer, WordSplit};
use crate::{Error, Result};

/// Turns ids into text one by one, as they are generated; made by [`Tokenizer::stream`].
///
/// Each piece is whole characters, never half of one, and the pieces joined are what [`Tokenizer::decode`] gives for all the
/// ids at once.
///
/// # Example
/// ```
/// use gdl_text::{Level, Tokenizer, TokenizerConfig};
///
/// let tokenizer = Tokenizer::train("träume süß", &TokenizerConfig::new(Level::Char))?;
/// let mut stream = tokenizer.stream();
/// for (id, piece) in tokenizer.encode("süß")?.into_iter().zip(["s", "ü", "ß"]) {
///     assert_eq!(stream.push(id)?, piece);
/// }
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    spacing: Spacing,
    /// Whether something was printed before.
    started: bool,
    /// The bytes of a character that is not whole yet.
    held: Vec<u8>,
}

impl<'a> StreamDecoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self::in_context(tokenizer, 0)
    }

    pub(super) fn in_context(tokenizer: &'a Tokenizer, context: usize) -> Self {
        let spacing = Spacing::from_context(context, tokenizer.config.words == WordSplit::Space);
        Self { tokenizer, spacing, started: context > 0, held: Vec::new() }
    }

    /// What the text so far means for how the next token is printed; see [`Vocabulary`](crate::sampling::Vocabulary).
    pub fn context(&self) -> usize {
        match &self.tokenizer.printed {
            Some(printed) => usize::from(self.started).min(printed.contexts() - 1),
            None => self.spacing.context(),
        }
    }

    /// The text so far ends in a space: the next word brings none.
    pub(crate) fn after_space(&mut self) {
        self.spacing.glue();
    }

    /// The text that the next id adds: nothing where it is the beginning of a character.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the id lies outside the vocabulary.
    pub fn push(&mut self, id: u32) -> Result<String> {
        if (id as usize) >= self.tokenizer.vocab_size() {
            let size = self.tokenizer.vocab_size();
            let message = format!("id {id} is outside the vocabulary of {size}");
            return Err(Error::tokenizer("the tokenizer", message));
        }
        if let Some(printed) = &self.tokenizer.printed {
            let bytes = printed.get(usize::from(self.started), id).unwrap_or_default();
            self.started = true;
            if self.held.is_empty()
                && let Ok(text) = std::str::from_utf8(bytes)
            {
                return Ok(text.to_string());
            }
            self.held.extend_from_slice(bytes);
            return Ok(whole_characters(&mut self.held));
        }
        Ok(self.push_word(&self.tokenizer.token(id).unwrap_or_default()))
    }

    /// The text that a token adds that the vocabulary does not have.
    pub(crate) fn push_word(&mut self, token: &str) -> String {
        if self.tokenizer.printed.is_some() {
            self.started = true;
            return whole_characters(&mut self.held) + token;
        }
        self.spacing.place(token).to_string() + &super::without_marks(token)
    }
}

/// Takes the whole characters off the front, and what is none; leaves what may become one.
fn whole_characters(held: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut rest = held.as_slice();
    let left = loop {
        match std::str::from_utf8(rest) {
            Ok(whole) => {
                text.push_str(whole);
                break Vec::new();
            }
            Err(e) => {
                let (whole, wrong) = rest.split_at(e.valid_up_to());
                text.push_str(&String::from_utf8_lossy(whole));
                match e.error_len() {
                    Some(wrong_len) => rest = &wrong[wrong_len..],
                    None => break wrong.to_vec(),
                }
            }
        }
    };
    *held = left;
    text
}
