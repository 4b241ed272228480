use crate::{Error, Result};
use std::io::Read;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// Reads UTF-8 in pieces of about a megabyte, cut at a line end where there is one.
pub(super) struct Chunks<'a> {
    input: Box<dyn Read + Send + 'a>,
    /// The file, in errors.
    name: String,
    /// What was read behind the last cut.
    rest: Vec<u8>,
    /// Bytes and line ends before that.
    bytes: usize,
    lines: usize,
    done: bool,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(input: Box<dyn Read + Send + 'a>, name: String) -> Self {
        Self { input, name, rest: Vec::new(), bytes: 0, lines: 0, done: false }
    }

    fn next_chunk(&mut self) -> Result<Option<String>> {
        while !self.done {
            let mut chunk = std::mem::take(&mut self.rest);
            let want = CHUNK.saturating_sub(chunk.len()).max(CHUNK / 4) as u64;
            let read = (&mut self.input).take(want).read_to_end(&mut chunk);
            let read = read.map_err(|source| Error::Read { path: self.name.clone().into(), source })?;
            self.done = (read as u64) < want;
            if let Some(at) = chunk.iter().position(|&byte| byte == 0) {
                return Err(Error::Binary { origin: self.name.clone(), offset: self.bytes + at });
            }
            let whole = self.whole(&chunk)?;
            let end = if self.done { whole } else { cut(&chunk[..whole]) };
            self.rest = chunk.split_off(end);
            if chunk.is_empty() {
                continue;
            }
            self.bytes += end;
            self.lines += chunk.iter().filter(|&&byte| byte == b'\n').count();
            // The check is the one above; this moves the bytes.
            let text = String::from_utf8(chunk).map_err(|e| {
                Error::tokenizer(&self.name, format!("a character was cut: {}", e.utf8_error()))
            })?;
            return Ok(Some(text));
        }
        Ok(None)
    }

    /// How much of it is whole characters: all, but for a last one that is still to be read to its end.
    fn whole(&self, chunk: &[u8]) -> Result<usize> {
        let Err(e) = std::str::from_utf8(chunk) else { return Ok(chunk.len()) };
        let at = e.valid_up_to();
        if e.error_len().is_none() && !self.done {
            return Ok(at);
        }
        let line = 1 + self.lines + chunk[..at].iter().filter(|&&byte| byte == b'\n').count();
        Err(Error::NotUtf8 { path: self.name.clone().into(), offset: self.bytes + at, line, byte: chunk[at] })
    }
}

/// Where whole characters can be cut: behind the last line end, else before the last space, else at their end.
fn cut(text: &[u8]) -> usize {
    let line = text.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1);
    line.or_else(|| text.iter().rposition(|&byte| byte == b' ').filter(|&at| at > 0)).unwrap_or(text.len())
}

impl Iterator for Chunks<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_chunk();
        self.done |= next.is_err();
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &[u8]) -> Result<Vec<String>> {
        Chunks::new(Box::new(text), "t".into()).collect()
    }

    #[test]
    fn chunks_join_to_the_text_and_end_at_lines() {
        let lines: String = (0..400_000).map(|i| format!("{i} ä\n")).collect();
        let found = chunks(lines.as_bytes()).unwrap();
        assert!(found.len() > 2 && found.iter().all(|chunk| chunk.ends_with('\n')));
        assert_eq!(found.concat(), lines);
        // A line of several chunks, and one without a space.
        for text in ["ä b ".repeat(1 << 20), "ß".repeat(1 << 20)] {
            let found = chunks(text.as_bytes()).unwrap();
            assert!(found.len() > 1 && found.iter().all(|chunk| chunk.len() <= CHUNK + CHUNK / 4));
            assert_eq!(found.concat(), text);
        }
        assert!(chunks(b"").unwrap().is_empty());
    }

    #[test]
    fn wrong_bytes_are_named_by_their_place() {
        let mut text = "a line\n".repeat(1 << 18).into_bytes();
        text.extend(b"ab\xff");
        let at = text.len() - 1;
        let error = chunks(&text).unwrap_err().to_string();
        assert!(error.contains(&format!("byte {at} (line {}) is 0xFF", (1 << 18) + 1)), "{error}");
        // A character that the file does not end.
        assert!(matches!(chunks(b"ab\xc3"), Err(Error::NotUtf8 { offset: 2, .. })));
        text[at - 1] = 0;
        assert!(matches!(chunks(&text), Err(Error::Binary { offset, .. }) if offset == at - 1));
    }
}
