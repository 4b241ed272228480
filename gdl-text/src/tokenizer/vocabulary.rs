use super::Tokenizer;
use super::spacing::Spacing;
use crate::sampling::Vocabulary;

/// Words print by the spacing so far, other tokens always alike, or differently at the start of a text.
impl Vocabulary for Tokenizer {
    fn size(&self) -> usize {
        self.vocab_size()
    }

    fn unknown(&self) -> Option<u32> {
        Tokenizer::unknown(self)
    }

    /// A word, or what the token prints in the midst of a text, where that is whole characters; else its name.
    fn text(&self, token: u32) -> Option<String> {
        let printed = self.printed.as_ref().and_then(|printed| printed.get(1, token));
        match printed.and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            Some(text) if !text.is_empty() => Some(text.to_string()),
            _ => self.token(token),
        }
    }

    fn contexts(&self) -> usize {
        self.printed.as_ref().map_or(Spacing::CONTEXTS, |printed| printed.contexts())
    }

    fn print(&self, context: usize, token: u32, out: &mut Vec<u8>) -> usize {
        if let Some(printed) = &self.printed {
            out.extend_from_slice(printed.get(context, token).unwrap_or_default());
            return printed.contexts() - 1;
        }
        let mut stream = self.stream_in(context);
        // An id outside the vocabulary prints nothing.
        if let Ok(text) = stream.push(token) {
            out.extend_from_slice(text.as_bytes());
        }
        stream.context()
    }
}
