use super::spacing::Spacing;
use super::{Level, Tokenizer};
use crate::sampling::Vocabulary;

/// Characters print alike everywhere; before words it depends on the spacing so far.
impl Vocabulary for Tokenizer {
    fn size(&self) -> usize {
        self.vocab_size()
    }

    fn unknown(&self) -> Option<u32> {
        Some(Tokenizer::unknown(self))
    }

    fn text(&self, token: u32) -> Option<String> {
        self.token(token)
    }

    fn contexts(&self) -> usize {
        match self.config().level {
            Level::Char => 1,
            Level::Word => Spacing::CONTEXTS,
        }
    }

    fn print(&self, context: usize, token: u32, out: &mut Vec<u8>) -> usize {
        let mut stream = self.stream_in(context);
        // An id outside the vocabulary prints nothing.
        if let Ok(text) = stream.push(token) {
            out.extend_from_slice(text.as_bytes());
        }
        stream.context()
    }
}
