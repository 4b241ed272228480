use super::byte_token;
use std::collections::HashMap;

/// Ids of characters below this stand in a table.
const LOW: usize = 0x800;

/// Encodes characters: what the saved tokenizer does, some hundred times as fast.
#[derive(Debug)]
pub(super) struct Chars {
    low: Vec<Option<u32>>,
    high: HashMap<char, u32>,
    /// Of the bytes that spell other characters, if they do.
    bytes: Option<Vec<u32>>,
    lowercase: bool,
    unknown: u32,
}

impl Chars {
    pub(super) fn new(tokenizer: &tokenizers::Tokenizer, lowercase: bool, unknown: u32) -> Self {
        let (mut low, mut high) = (vec![None; LOW], HashMap::new());
        for (token, id) in tokenizer.get_vocab(true) {
            let mut chars = token.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if (c as usize) < LOW => low[c as usize] = Some(id),
                (Some(c), None) => drop(high.insert(c, id)),
                _ => {}
            }
        }
        let bytes = (0..=255).map(|byte| tokenizer.token_to_id(&byte_token(byte))).collect();
        Self { low, high, bytes, lowercase, unknown }
    }

    pub(super) fn get(&self, c: char) -> Option<u32> {
        match self.low.get(c as usize) {
            Some(id) => *id,
            None => self.high.get(&c).copied(),
        }
    }

    /// Whether every character can be encoded.
    pub(super) fn has_bytes(&self) -> bool {
        self.bytes.is_some()
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len());
        let mut add = |c: char| match (self.get(c), &self.bytes) {
            (Some(id), _) => ids.push(id),
            (None, None) => ids.push(self.unknown),
            (None, Some(bytes)) => {
                ids.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| bytes[usize::from(byte)]));
            }
        };
        match self.lowercase {
            false => text.chars().for_each(add),
            true => text.chars().flat_map(char::to_lowercase).for_each(&mut add),
        }
        ids
    }
}
