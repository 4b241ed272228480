use super::{Level, TokenizerConfig, byte_of_token};
use crate::{Error, Result};
use tokenizers::{Decoder, DecoderWrapper};

/// What every token prints, in bytes: a token may be a part of a character.
#[derive(Debug)]
pub(super) struct Printed {
    /// At the start of a text,
    first: Vec<Vec<u8>>,
    /// and behind another token, where that makes a difference.
    later: Option<Vec<Vec<u8>>>,
    /// Whether each is whole characters.
    pub(super) whole: bool,
}

impl Printed {
    pub(super) fn new(
        tokenizer: &tokenizers::Tokenizer,
        config: &TokenizerConfig,
        vocab_size: usize,
        origin: &str,
    ) -> Result<Self> {
        let added = tokenizer.get_added_tokens_decoder();
        let (mut first, mut later) = (Vec::with_capacity(vocab_size), Vec::with_capacity(vocab_size));
        for id in 0..vocab_size as u32 {
            let token = tokenizer.id_to_token(id).unwrap_or_default();
            let (alone, behind) = match added.get(&id) {
                // What is only a sign for programs is not shown.
                Some(added) if added.special => Default::default(),
                Some(_) => (token.clone().into_bytes(), token.into_bytes()),
                None if config.level == Level::Char => {
                    let bytes = Some(&token).filter(|_| config.byte_fallback).and_then(|t| byte_of_token(t));
                    let bytes = bytes.map_or_else(|| token.into_bytes(), |byte| vec![byte]);
                    (bytes.clone(), bytes)
                }
                None => decode(tokenizer.get_decoder(), token).map_err(|e| Error::tokenizer(origin, e))?,
            };
            first.push(alone);
            later.push(behind);
        }
        let whole = first.iter().chain(&later).all(|bytes| std::str::from_utf8(bytes).is_ok());
        Ok(Self { later: (first != later).then_some(later), first, whole })
    }

    pub(super) fn contexts(&self) -> usize {
        if self.later.is_some() { 2 } else { 1 }
    }

    /// What a token prints in a context, 0 at the start of a text and 1 behind another token; none outside the vocabulary.
    pub(super) fn get(&self, context: usize, id: u32) -> Option<&[u8]> {
        let table = self.later.as_ref().filter(|_| context > 0).unwrap_or(&self.first);
        table.get(id as usize).map(Vec::as_slice)
    }
}

/// What a decoder makes of a token at the start and behind another.
fn decode(decoder: Option<&DecoderWrapper>, token: String) -> tokenizers::Result<(Vec<u8>, Vec<u8>)> {
    const BEFORE: &str = "a";
    let Some(decoder) = decoder else {
        // As `tokenizers` has it: words between spaces.
        return Ok((token.clone().into_bytes(), format!(" {token}").into_bytes()));
    };
    if let DecoderWrapper::ByteLevel(_) = decoder {
        // A character outside its alphabet stands for itself.
        let bytes: Vec<u8> = token
            .chars()
            .flat_map(|c| byte_level(c).map_or_else(|| c.to_string().into_bytes(), |byte| vec![byte]))
            .collect();
        return Ok((bytes.clone(), bytes));
    }
    if let (Some(byte), true) = (byte_of_token(&token), has_byte_fallback(decoder)) {
        return Ok((vec![byte], vec![byte]));
    }
    let chain = |tokens: &[&str]| -> tokenizers::Result<String> {
        Ok(decoder.decode_chain(tokens.iter().map(ToString::to_string).collect())?.concat())
    };
    let (alone, lead, both) = (chain(&[&token])?, chain(&[BEFORE])?, chain(&[BEFORE, &token])?);
    let behind = both.strip_prefix(&lead).map_or_else(|| alone.clone(), str::to_string);
    Ok((alone.into_bytes(), behind.into_bytes()))
}

fn has_byte_fallback(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteFallback(_) => true,
        DecoderWrapper::Sequence(all) => all.get_decoders().iter().any(has_byte_fallback),
        _ => false,
    }
}

/// The byte that a character of the byte-level alphabet stands for.
///
/// # Source
/// The encoder of GPT-2: visible characters of Latin-1 stand for themselves, the other bytes, in their order, for U+0100 and on.
fn byte_level(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => Some(code as u8),
        code @ 0x100..=0x120 => Some((code - 0x100) as u8),
        code @ 0x121..=0x142 => Some((code - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_level_alphabet_is_that_of_tokenizers() {
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let mut bytes: Vec<u8> = alphabet.iter().map(|&c| byte_level(c).unwrap()).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        // Which is which: the decoder says it of what is ASCII.
        let decoder = tokenizers::pre_tokenizers::byte_level::ByteLevel::default();
        for &c in alphabet.iter().filter(|&&c| byte_level(c).is_some_and(|byte| byte < 128)) {
            let text = decoder.decode_chain(vec![c.to_string()]).unwrap().concat();
            assert_eq!(text.as_bytes(), [byte_level(c).unwrap()]);
        }
    }
}
