use super::Prompt;
use crate::{Cell, Error, ModelConfig, Result, State, Tokenizer};
use candle_core::{DType, Device, Tensor};
use gdl_train::{load_tensors, save_tensors};
use std::path::Path;

const KIND: &str = "gdl-text prompt";

impl Prompt {
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
