use super::reader::read;
use crate::{Cell, Error, LanguageModel, ModelConfig, Result, State, Tokenizer};
use candle_core::{DType, Device, Tensor};
use gdl_train::{load_tensors, save_tensors};
use std::path::Path;

const KIND: &str = "gdl-text prompt";

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

    /// Writes the state, under the mark of the model that it is of.
    pub(crate) fn save(&self, path: &Path, mark: &str) -> Result<()> {
        let mut tensors = self.state.tensors();
        tensors.insert("logits".into(), Tensor::new(&self.logits[..], &Device::Cpu)?);
        tensors.insert("tokens".into(), Tensor::new(&self.ids[..], &Device::Cpu)?);
        let metadata = [("kind", KIND), ("model", mark), ("prompt", self.text.as_str())];
        let metadata = metadata.map(|(key, value)| (key.to_string(), value.to_string()));
        Ok(save_tensors(path, &tensors, &metadata.into())?)
    }

    /// Reads a saved state, which must be of the model with that mark, with layers as in `config` and `vocab_size` tokens.
    pub(crate) fn load(
        path: &Path,
        mark: &str,
        config: &ModelConfig,
        vocab_size: usize,
        device: &Device,
    ) -> Result<Self> {
        let origin = path.display().to_string();
        let (tensors, metadata) = load_tensors(path, &Device::Cpu)?;
        let get = |key: &str| metadata.get(key).map(String::as_str);
        let refuse = |message: &str| Error::PromptState { path: path.into(), message: message.into() };
        if get("kind") != Some(KIND) {
            return Err(refuse("it holds no prompt's state"));
        }
        if get("model") != Some(mark) {
            return Err(refuse("it is of another model, or of this one before it was trained on"));
        }
        let state = State::from_tensors(&tensors, config, 1, &origin)?;
        let logits = tensors.get("logits").filter(|t| t.dims() == [vocab_size] && t.dtype() == DType::F32);
        let ids = tensors.get("tokens").filter(|t| t.rank() == 1 && t.dtype() == DType::U32);
        let (Some(logits), Some(ids), Some(text)) = (logits, ids, get("prompt")) else {
            return Err(refuse("it is not whole"));
        };
        let ids: Vec<u32> = ids.to_vec1()?;
        if ids.is_empty() || ids.iter().any(|&id| id as usize >= vocab_size) {
            return Err(refuse("its tokens are not those of the model"));
        }
        let state = state.to_device(device)?;
        Ok(Self { text: text.into(), ids, state, logits: logits.to_vec1()? })
    }

    /// What a state file knows a kind of cell by is its tensors; so the cell of a model is part of its mark.
    pub(crate) fn mark(cell: Cell, weights: &gdl_train::Tensors, tokenizer: &Tokenizer) -> Result<String> {
        let mut hash = gdl_kernels::Fnv1a::default();
        let text = format!("{cell} {}", tokenizer.to_json()?);
        text.bytes().for_each(|byte| hash.update(byte));
        for (name, tensor) in weights {
            name.bytes().for_each(|byte| hash.update(byte));
            let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            values.into_iter().for_each(|value| hash.update(value.to_bits()));
        }
        Ok(format!("{:016x}", hash.finish()))
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
