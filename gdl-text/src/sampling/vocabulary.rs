/// What a sampler has to know about tokens.
///
/// How a token is printed can depend on what stands before it: a word gets a space, unless it opens a line. So there are a
/// few *contexts*, numbered from 0: each says how every token is printed in it and which context follows. A
/// vocabulary whose tokens are always printed alike has one.
pub trait Vocabulary {
    /// How many tokens there are.
    fn size(&self) -> usize;

    /// The token that stands for all that the vocabulary does not have.
    fn unknown(&self) -> Option<u32>;

    /// The token that ends a text, if there is one.
    fn end(&self) -> Option<u32> {
        None
    }

    /// The text of a token by itself.
    fn text(&self, token: u32) -> Option<String>;

    /// How many contexts there are.
    fn contexts(&self) -> usize {
        1
    }

    /// Adds what the token prints in that context to `out`, in bytes, and gives the context after it.
    fn print(&self, context: usize, token: u32, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(self.text(token).unwrap_or_default().as_bytes());
        context
    }
}
