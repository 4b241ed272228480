use super::spacing::Spacing;
use super::{Level, OPENING, Tokenizer};
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
}

impl<'a> StreamDecoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, spacing: Spacing::default() }
    }

    pub(super) fn in_context(tokenizer: &'a Tokenizer, context: usize) -> Self {
        Self { tokenizer, spacing: Spacing::from_context(context) }
    }

    /// What the text so far means for how the next token is printed; see [`Vocabulary`](crate::sampling::Vocabulary).
    pub fn context(&self) -> usize {
        self.spacing.context()
    }

    /// The text so far ends in a space: the next word brings none.
    pub(crate) fn after_space(&mut self) {
        self.spacing.glue();
    }

    /// The text that the next id adds.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the id lies outside the vocabulary.
    pub fn push(&mut self, id: u32) -> Result<String> {
        let token = self.tokenizer.token(id).ok_or_else(|| {
            Error::tokenizer(
                "the tokenizer",
                format!("id {id} is outside the vocabulary of {}", self.tokenizer.vocab_size()),
            )
        })?;
        Ok(match self.tokenizer.config().level {
            Level::Char => token,
            Level::Word => {
                let mark = OPENING.iter().find(|(_, opening)| token.chars().eq([*opening]));
                let spelled = mark.map_or(token.clone(), |(mark, _)| mark.to_string());
                self.spacing.place(&token).to_string() + &spelled
            }
        })
    }
}
