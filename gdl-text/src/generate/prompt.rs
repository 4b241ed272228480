use super::reader::read;
use crate::{Error, LanguageModel, Result, State, Tokenizer};
use candle_core::Device;

/// A prompt that a model has read: its state after it, and what it expects next. Many texts can go on from it, and it can be saved.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub(super) text: String,
    pub(super) ids: Vec<u32>,
    pub(super) state: State,
    pub(super) logits: Vec<f32>,
}

impl Prompt {
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tokens that were read: those of the text, or what stands for the start of a line where there is none.
    pub fn tokens(&self) -> &[u32] {
        &self.ids
    }

    /// Reads a text, or what stands for the start of one where it is empty; only what is new of it where the state after its beginning is there.
    pub(crate) fn read(
        model: &LanguageModel,
        tokenizer: &Tokenizer,
        (text, start): (&str, &str),
        begun: Option<&Self>,
        device: &Device,
    ) -> Result<Self> {
        let ids = encode(tokenizer, text, start, model.start())?;
        let (state, new) = match begun {
            None => (None, &ids[..]),
            Some(begun) => match ids.strip_prefix(&begun.ids[..]) {
                Some([]) => return Ok(Self { text: text.into(), ..begun.clone() }),
                Some(new) => (Some(&begun.state), new),
                None => return Err(Error::OtherPrompt { saved: begun.text.clone() }),
            },
        };
        let (logits, state) = read(model, new, 1, state, device)?;
        Ok(Self { text: text.into(), ids, state, logits })
    }
}

/// The ids of a prompt; where there is none, of what stands before each document, or what the model's texts start with, or of a line
/// end, or of the first token of a text without lines.
fn encode(tokenizer: &Tokenizer, prompt: &str, start: &str, token: Option<u32>) -> Result<Vec<u32>> {
    for text in [prompt, start] {
        let ids = encode_seen(tokenizer, text)?;
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    if let Some(token) = token {
        return Ok(vec![token]);
    }
    let line_end = tokenizer.encode("\n")?;
    let known = line_end.iter().all(|&id| Some(id) != tokenizer.unknown());
    Ok(if known && !line_end.is_empty() { line_end } else { vec![1] })
}

/// The ids of a text that must not have characters which a character vocabulary lacks.
pub(super) fn encode_seen(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let unseen = tokenizer.unseen_chars(text);
    if !unseen.is_empty() {
        let list = |chars: &mut dyn Iterator<Item = String>| chars.collect::<Vec<_>>().join(" ");
        let known = (1..tokenizer.vocab_size() as u32).filter_map(|id| tokenizer.token(id));
        return Err(Error::Unseen {
            unseen: list(&mut unseen.iter().map(|c| format!("{c:?}"))),
            known: list(&mut known.map(|c| c.escape_debug().to_string())),
        });
    }
    tokenizer.encode(text)
}
