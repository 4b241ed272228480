use crate::{Error, Result, TextModel};
use gdl_train::{Tensors, save_pth, save_tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What the tensors of an exported model are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// As in PyTorch's word language model: `encoder.weight`, `rnn.weight_ih_l0`, …, `decoder.weight`, `decoder.bias`.
    #[default]
    PytorchExamples,
    /// Our own: `embedding.weight`, `rnn.weight_ih_l0`, …, `head.weight`, `head.bias`.
    Gdl,
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PytorchExamples => "pytorch-examples",
            Self::Gdl => "gdl",
        })
    }
}

impl FromStr for Names {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "pytorch-examples" => Ok(Self::PytorchExamples),
            "gdl" => Ok(Self::Gdl),
            _ => Err(Error::setting("names", format!("must be \"pytorch-examples\" or \"gdl\", got {s:?}"))),
        }
    }
}

impl TextModel {
    /// Writes the weights as a state dict that PyTorch loads, to a file that ends in `.pth`, `.pt` or `.safetensors`: whole or not at
    /// all. Tied vectors are there twice, as PyTorch saves them. The vocabulary is written by
    /// [`Tokenizer::save_vocabulary`](crate::Tokenizer::save_vocabulary).
    ///
    /// # Errors
    /// [`Error::Setting`] for another ending, for a model with a [`Window`](crate::Window), or for layers of two widths under the names of an example that has none;
    /// [`Error::Train`] when the file cannot be written.
    ///
    /// # Source
    /// <https://github.com/pytorch/examples/blob/main/word_language_model/model.py>
    pub fn export(&self, path: impl AsRef<Path>, names: Names) -> Result<()> {
        let path = path.as_ref();
        if self.model().config().window.is_some() {
            let message = "a model that reads a window of tokens, as textgenrnn's do, has no counterpart in PyTorch's example";
            return Err(Error::setting("export", message));
        }
        let tensors = self.state_dict(names)?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pth" | "pt") => Ok(save_pth(path, &tensors)?),
            Some("safetensors") => {
                let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
                Ok(save_tensors(path, &tensors, &metadata)?)
            }
            _ => {
                let message = format!("{} must end in .pth, .pt or .safetensors", path.display());
                Err(Error::setting("export", message))
            }
        }
    }

    /// The weights under those names.
    fn state_dict(&self, names: Names) -> Result<Tensors> {
        let mut tensors = self.weights().clone();
        if let (true, Some(vectors)) = (self.model().config().tied, tensors.get("embedding.weight")) {
            tensors.insert("head.weight".into(), vectors.clone());
        }
        if names == Names::Gdl {
            return Ok(tensors);
        }
        if tensors.keys().any(|name| name.starts_with("rnn_last.")) {
            let message =
                "PyTorch's example has layers of one width, and this model of two; take the names gdl";
            return Err(Error::setting("names", message));
        }
        let renamed = |name: String| match name.split_once('.') {
            Some(("embedding", rest)) => format!("encoder.{rest}"),
            Some(("head", rest)) => format!("decoder.{rest}"),
            _ => name,
        };
        Ok(tensors.into_iter().map(|(name, tensor)| (renamed(name), tensor)).collect())
    }
}
