use super::state_dict::StateDict;
use crate::tokenizer::UNKNOWN;
use crate::{Error, Result, Window};

/// What begins and ends each text.
const START: &str = "<s>";

/// What `docs/convert/textgenrnn.py` writes beside the tensors of a model of textgenrnn.
///
/// # Source
/// Woolf, *textgenrnn*, <https://github.com/minimaxir/textgenrnn>
#[derive(Debug)]
pub(super) struct TextgenRnn {
    /// From id 0 on, which pads.
    pub(super) tokens: Vec<String>,
    pub(super) window: Window,
}

impl TextgenRnn {
    /// What the file says, where it is of such a model.
    pub(super) fn of(dict: &StateDict) -> Result<Option<Self>> {
        let get = |key: &str| dict.metadata.get(key).map(String::as_str);
        if get("kind") != Some("textgenrnn") {
            return Ok(None);
        }
        let unfit = |key: &str| {
            let message =
                format!("it says {key} {:?} of its network of textgenrnn", get(key).unwrap_or("nothing"));
            Error::import(&dict.origin, message + "; convert it anew")
        };
        let length = get("max_length").and_then(|length| length.parse().ok()).filter(|length| *length > 0);
        let length = length.ok_or_else(|| unfit("max_length"))?;
        let hard_sigmoid = match get("recurrent_activation") {
            Some("sigmoid") => false,
            Some("hard_sigmoid") => true,
            _ => return Err(unfit("recurrent_activation")),
        };
        let single_text = match get("single_text") {
            Some("true") => true,
            Some("false") => false,
            _ => return Err(unfit("single_text")),
        };
        let tokens: Option<Vec<String>> = get("vocabulary").and_then(|list| serde_json::from_str(list).ok());
        let mut tokens = tokens.ok_or_else(|| unfit("vocabulary"))?;
        if tokens.first().is_none_or(|first| first != UNKNOWN) {
            return Err(unfit("vocabulary"));
        }
        let start = tokens.iter().position(|token| token == START).filter(|_| !single_text);
        if start.is_none() && !single_text {
            return Err(unfit("vocabulary"));
        }
        if let (Some(start), false) = (start, tokens.iter().any(|token| token == "\n")) {
            tokens[start] = "\n".into();
        }
        let start = start.map(|id| id as u32);
        Ok(Some(Self { tokens, window: Window { length, hard_sigmoid, start } }))
    }
}
